"""The user's settings of pip, uv, npm and Python say how to reach packages, and change nothing else."""

import sys
from pathlib import Path

import pytest

from infra.users_settings import ways_to_packages, without_users_choices

HARMFUL = {
    "PIP_TARGET": "/elsewhere",
    "PIP_USER": "1",
    "PIP_CONSTRAINT": "/none",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_SYSTEM_PYTHON": "1",
    "UV_CONSTRAINT": "/none",
    "NODE_OPTIONS": "--require /none",
    "NODE_ENV": "production",
    "PYTHONPATH": "/elsewhere",
    "PYTHONHOME": "/elsewhere",
    "PYTHONWARNINGS": "error",
    "VIRTUAL_ENV": "/elsewhere",
}
WAYS = {
    "PIP_INDEX_URL": "https://packages.example/simple",
    "PIP_CERT": "/ca.pem",
    "UV_INDEX_MINE_PASSWORD": "secret",
    "HTTPS_PROXY": "http://proxy.example:3128",
    "NODE_EXTRA_CA_CERTS": "/ca.pem",
    "PATH": "/bin",
}


@pytest.mark.parametrize("name", HARMFUL)
def test_what_would_change_the_installation_is_left_out(name):
    """A variable that changes what is installed, or where, does not reach the tools."""
    assert name not in without_users_choices({**WAYS, **HARMFUL})


def test_the_ways_to_packages_are_kept():
    """Indexes, credentials, certificates and proxies reach the tools."""
    assert without_users_choices({**WAYS, **HARMFUL}).items() >= WAYS.items()


@pytest.fixture
def files(tmp_path):
    """Return a function that writes pip's file and returns the variables that make pip read it alone."""

    def write(text: str) -> dict[str, str]:
        (tmp_path / "pip.conf").write_text(text)
        return {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "HOME": str(tmp_path), "PATH": "/bin"}

    return write


def test_pips_file_is_replaced_by_its_ways(files):
    """The index in pip's file is used by pip and uv, while its target folder and constraint are ignored."""
    variables = files(
        "[global]\nindex-url = https://packages.example/simple\nconstraint = /none\n"
        "[install]\ntarget = /elsewhere\nuser = true\nextra-index-url =\n  https://one.example\n  https://two.example\n"
    )
    ways = ways_to_packages(Path(sys.executable), variables)
    assert ways.pop("PIP_CONFIG_FILE") == "/dev/null"
    assert ways.pop("UV_INDEX_STRATEGY") == "unsafe-best-match"
    ways.pop("PIP_CERT", None)  # the machine's own file may name it
    assert ways == {
        "PIP_INDEX_URL": "https://packages.example/simple",
        "PIP_EXTRA_INDEX_URL": "https://one.example https://two.example",
        "UV_DEFAULT_INDEX": "https://packages.example/simple",
        "UV_EXTRA_INDEX_URL": "https://one.example https://two.example",
    }


def test_uvs_own_index_wins(files):
    """An index that the user chose for uv is not replaced by that of pip."""
    variables = {
        **files("[global]\nindex-url = https://packages.example/simple\n"),
        "UV_DEFAULT_INDEX": "https://u.example",
    }
    assert not any(name.startswith("UV_") for name in ways_to_packages(Path(sys.executable), variables))


def test_a_malformed_file_of_pip_is_ignored(files):
    """A file that pip itself can't read stops nothing."""
    ways = ways_to_packages(Path(sys.executable), files("[global\nx"))
    assert set(ways) == {"PIP_CONFIG_FILE"}
