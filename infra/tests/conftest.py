"""What tests of options share."""

import pytest

from infra import options


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder for environments' files."""
    monkeypatch.setattr(options, "FOLDER", tmp_path)
    return tmp_path
