"""Files are replaced whole, or stay as they were."""

import os
from pathlib import Path
from typing import Any

import pytest

from operations.files import replace_file


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, step, error):
    """Whatever ends the writing, the file has its old content and no draft is left beside it."""
    file = tmp_path / "export.jsonl"
    file.write_text("old")

    def fails(self: Path, *_: Any) -> None:
        self.touch()
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path, step, fails)
        with pytest.raises(type(error)):
            replace_file(file, b"new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("export.jsonl", "old")]
    replace_file(file, b"new")
    assert file.read_text() == "new"


def test_a_link_stays_a_link(tmp_path):
    """A file that is written through a link is replaced where it is."""
    (tmp_path / "real").mkdir()
    file, link = tmp_path / "real" / "file", tmp_path / "link"
    file.write_text("old")
    link.symlink_to(file)
    replace_file(link, b"new")
    assert (link.is_symlink(), file.read_text()) == (True, "new")


def test_a_device_is_written_to():
    """What is no file, such as a terminal, is written to and not replaced."""
    replace_file(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()
