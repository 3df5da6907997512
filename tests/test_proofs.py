"""docs/proofs.md names the smoke test's steps, and a proof for each thing that only an account can prove."""

import re
from pathlib import Path

from operations.smoke.steps import STEPS

PAGE = (Path(__file__).resolve().parents[1] / "docs/proofs.md").read_text("utf-8")
STEP = re.compile(r"steps? (`[a-z-]+`(?:(?:,| and) `[a-z-]+`)*)")


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its head."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section, heading
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def steps_in(text: str) -> list[str]:
    return [name for names in STEP.findall(text) for name in re.findall(r"`([a-z-]+)`", names)]


def test_the_page_lists_the_steps_of_the_command():
    """The page has the command's steps, in their order and in the same words."""
    assert rows("The steps of the smoke test") == [[f"`{step.name}`", step.title] for step in STEPS]


def test_each_thing_has_a_proof():
    """Whatever only an account can prove has a step of the smoke test, or says how to prove it by hand."""
    proofs = [cells[2] for cells in rows("Only an account can prove")]
    assert len(proofs) > len(STEPS)
    assert [proof for proof in proofs if not steps_in(proof) and not re.search(r"by hand: \S+", proof)] == []


def test_each_step_proves_something():
    """Every step is the proof of something in the table, and the table names no other step."""
    named = {name for cells in rows("Only an account can prove") for name in steps_in(cells[2])}
    assert named == {step.name for step in STEPS}
