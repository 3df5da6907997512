"""What tests of options and templates share."""

import pytest

from infra import options


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for environments' files."""
    monkeypatch.setattr(options, "FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def dev(synthesised):
    return synthesised("dev")
