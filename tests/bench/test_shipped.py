"""What a benchmark runs is what a deployment uploads."""

import os
import zipfile

import pytest

from bench import shipped
from bench.shipped import unpacked, zips
from infra.bundling import bundles
from infra.environments import AWS_ARM
from infra.options import load

pytestmark = [
    pytest.mark.synth,
    pytest.mark.slow,
    pytest.mark.xdist_group("bundles"),
    pytest.mark.timeout(180),
]


def test_the_zip_files_for_aws_are_the_bundles_with_byte_code(tmp_path):
    """The synthesised app's assets hold each function's bundle for AWS, with all its byte code and nothing else."""
    made = zips(tmp_path, load("dev"))
    for name, folder in bundles(AWS_ARM).items():
        with zipfile.ZipFile(made[name]) as archive:
            packed = {entry.filename: archive.read(entry) for entry in archive.infolist()}
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert packed == {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
        assert sum(file.endswith(".cpython-314.pyc") for file in packed) > 150


def test_the_same_files_make_the_same_zip_file(tmp_path):
    """A zip file depends on names and contents, and neither on times nor on the order in a folder."""
    for folder, names in (("one", ("a.py", "b/c.py")), ("two", ("b/c.py", "a.py"))):
        for number, name in enumerate(names):
            file = tmp_path / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(name)
            os.utime(file, (number, number))
    made = [
        shipped._zipped(tmp_path / name, tmp_path / f"{name}.zip").read_bytes() for name in ("one", "two")
    ]
    assert made[0] == made[1]


def test_an_unpacked_zip_file_is_read_only(tmp_path):
    """As on Lambda, no file or folder of an unpacked function has a right to be written."""
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        archive.writestr("shared/one.py", "")
    folder = unpacked(tmp_path / "f.zip", tmp_path / "task")
    assert {path.stat().st_mode & 0o222 for path in (folder, *folder.rglob("*"))} == {0}
