"""What is known of processes while they change."""

import pytest

from local import process


@pytest.mark.parametrize(
    ("seen", "settled"),
    [(["", "", "engine"], "engine"), ([None], None), ([""] * 10, ""), (["engine"], "engine")],
)
def test_a_process_that_becomes_another_program_is_waited_for(monkeypatch, seen, settled):
    """A process has no command line while one program takes another's place; it is looked at again after a moment."""
    looks = iter(seen)
    monkeypatch.setattr(process, "command_line", lambda _: next(looks))
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert process.settled_command_line(1) == settled
    assert list(looks) == []
