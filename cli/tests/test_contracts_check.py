"""`pipeline contracts check` and `release`: what they compare, what they print, and that a break fails."""

import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cli.tests import support
from contracts import references
from contracts.comparison import compare
from contracts.references import current, record, reference, release
from operations.errors import InvalidInputError, RefusedError
from shared.contracts.stages import STAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CHAT, REQUESTED, COMPLETED = "chat.requested.v1", "pipeline.requested.v1", "pipeline.completed.v1"
call = partial(support.call, "contracts")


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def copied() -> dict[str, Any]:
    return dict(json.loads(json.dumps(current())))


def changed(name: str, *, required: bool = False, **fields: Any) -> dict[str, Any]:
    """The present contracts, with fields more in the data of one event."""
    schemas = copied()
    data = schemas[name]["$defs"][schemas[name]["properties"]["data"]["$ref"].rpartition("/")[2]]
    data["properties"] |= fields
    if required:
        data["required"] = [*data["required"], *fields]
    return schemas


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository whose main branch holds the present schemas, and whose first commit holds none."""
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "empty")
    folder = tmp_path / "shared/contracts/schemas"
    folder.mkdir(parents=True)
    for title, schema in current().items():
        (folder / f"{title}.json").write_text(json.dumps(schema))
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "contracts")
    return tmp_path


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch):
    """Replace the contracts that the types make."""
    return lambda schemas: monkeypatch.setattr(references, "current", lambda: schemas)


# --- what is compared --------------------------------------------------------------------------------------


def test_a_new_optional_field_is_compatible():
    """A new optional field is reported as such; old and new consumers can read, and nothing breaks."""
    (comparison,) = compare(current(), changed(CHAT, tone={"type": "string", "default": "plain"}))
    assert comparison.compatible
    assert [change.text for change in comparison.changes] == ["is new, optional: string"]
    assert (comparison.old_reads_new, comparison.new_reads_old, comparison.breaks) == ((), (), ())


def test_a_new_required_field_breaks_the_consumer_that_comes_first():
    """A new required field breaks the new consumer on old events; consumer and publishers are named."""
    (comparison,) = compare(current(), changed(CHAT, required=True, tone={"type": "string"}))
    assert not comparison.compatible
    assert comparison.old_reads_new == ()
    assert comparison.new_reads_old == (
        "In an old event $.detail.data.tone is missing; a new consumer requires it.",
    )
    ((service, when),) = [(broken.service, broken.when) for broken in comparison.breaks]
    assert service == "chatbot"
    assert when.startswith("once its new version is deployed, on old events of workflow and analyzer")


def test_a_removed_field_breaks_the_consumer_that_comes_last():
    """A removed field breaks the old consumers on new events."""
    (comparison,) = compare(changed(COMPLETED, required=True, cost={"type": "number"}), current())
    assert (len(comparison.old_reads_new), comparison.new_reads_old) == (1, ())
    assert [broken.service for broken in comparison.breaks] == ["subscribers outside"]
    assert comparison.breaks[0].when.startswith("until its new version is deployed, on new events of logger")


def test_a_removed_version_breaks_and_a_new_one_does_not():
    """A removed version breaks its consumer; an additional version breaks nothing."""
    before, after = copied(), copied()
    after["pipeline.requested.v9"] = after.pop(REQUESTED)
    comparisons = {comparison.name: comparison for comparison in compare(before, after)}
    assert comparisons[REQUESTED].state == "removed"
    assert not comparisons[REQUESTED].compatible
    assert [broken.service for broken in comparisons[REQUESTED].breaks] == ["trigger"]
    assert comparisons["pipeline.requested.v9"].state == "added"
    assert comparisons["pipeline.requested.v9"].compatible
    assert comparisons["pipeline.requested.v9"].consumers == ("trigger",)


def test_a_version_given_up_on_purpose_does_not_break():
    """A retired version is reported and is not a failure."""
    after = copied()
    del after[REQUESTED]
    (comparison,) = compare(current(), after, retired=[REQUESTED])
    assert (comparison.state, comparison.compatible) == ("retired", True)


def test_a_change_of_a_result_reaches_every_request_that_carries_it():
    """A narrower analysis is found in the result and in each request it travels in."""
    after = copied()
    for schema in after.values():
        if "Analysis" in schema["$defs"]:
            schema["$defs"]["Analysis"]["properties"]["complexity"]["enum"] = ["simple", "complex"]
    comparisons = {comparison.name: comparison for comparison in compare(current(), after)}
    carriers = {
        f"{stage.request.NAME}.v{stage.request.VERSION}": stage.service
        for stage in STAGES
        if "$.results.analysis.data" in stage.inputs.values() or stage is STAGES[-1]
    }
    assert {CHAT, "enhancement.requested.v1", "log.requested.v1"} <= carriers.keys()
    assert set(comparisons) == {"Analysis.v1", *carriers}
    assert all(
        comparison.new_reads_old and not comparison.old_reads_new for comparison in comparisons.values()
    )
    assert [broken.service for broken in comparisons["Analysis.v1"].breaks] == list(carriers.values())


# --- with what it is compared ------------------------------------------------------------------------------


def test_a_revision_is_read_from_git(repository: Path):
    """Tags, branches and commits are read as they are committed, whatever lies in the working tree."""
    git(repository, "tag", "v9.9.9")
    (repository / "shared/contracts/schemas" / f"{CHAT}.json").write_text("{}")
    for name in ("v9.9.9", "main", "HEAD", git(repository, "rev-parse", "HEAD")):
        released = reference(name, root=repository)
        assert released is not None
        assert compare(released.schemas, current()) == []
        assert git(repository, "rev-parse", "--short=9", "HEAD") in released.said


def test_the_release_comes_first_then_main_then_nothing(repository: Path, tmp_path_factory):
    """Without --against the release record is used, else origin/main, else main, else nothing."""
    recorded = references.Record(release="1.2.3", retired=[], schemas=copied())
    assert "1.2.3" in reference(None, root=repository, recorded=recorded).said  # type: ignore[union-attr]
    assert reference(None, root=repository).revision == "main"  # type: ignore[union-attr]
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "-q", str(repository), ".")
    assert reference(None, root=clone).revision == "origin/main"  # type: ignore[union-attr]
    assert reference(None, root=tmp_path_factory.mktemp("bare")) is None


def test_a_shallow_clone_says_how_to_get_the_rest(repository: Path, tmp_path_factory):
    """A revision beyond the clone's depth is distinguished from a misspelt one."""
    clone = tmp_path_factory.mktemp("shallow")
    git(clone, "clone", "-q", "--depth", "1", repository.as_uri(), ".")
    with pytest.raises(InvalidInputError, match="fetch --unshallow"):
        reference("HEAD~1", root=clone)


@pytest.mark.parametrize("name", ["nowhere", "--help", "-n", "", "HEAD:shared", "HEAD..main"])
def test_an_unknown_revision_is_wrong_usage(repository: Path, name: str):
    """A name that is no commit is refused with a sentence and never reaches git as an option."""
    with pytest.raises(InvalidInputError, match="no revision"):
        reference(name, root=repository)


def test_without_git_a_revision_is_wrong_usage(repository: Path, monkeypatch):
    """--against without git is refused with a sentence; the release record needs no git."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InvalidInputError, match="needs git, which is not installed"):
        reference("main", root=repository)
    assert reference(None, root=repository) is None


def test_what_git_complains_of_is_told(repository: Path):
    """An error of git is reported as such, not as an unknown revision."""
    (repository / ".git" / "config").write_text("[broken")
    with pytest.raises(InvalidInputError, match=r"can't resolve 'main': .*config"):
        reference("main", root=repository)


def test_outside_a_repository_a_revision_is_wrong_usage(tmp_path: Path):
    """Outside a repository, --against is refused."""
    with pytest.raises(InvalidInputError, match="not a git repository"):
        reference("main", root=tmp_path)


# --- the command -------------------------------------------------------------------------------------------


def test_the_committed_contracts_keep_what_was_released():
    """This checkout breaks no contract of the last release."""
    result = call("check")
    assert result.exit_code == 0, result.output
    assert "Compared with release" in result.output


def test_a_break_is_said_and_is_a_failure(now):
    """A break gives exit code 1 and, in 80 columns, event, place, both verdicts, service and remedy."""
    now(changed(CHAT, required=True, tone={"type": "string"}))
    result = call("check")
    assert result.exit_code == 1
    words = " ".join(result.output.split())
    for said in (
        "chat.requested.v1: BREAKS",
        "$.detail.data.tone is new, required: string",
        "Can an old consumer read the new event? yes",
        "Can a new consumer read an old event? no",
        "chatbot breaks once its new version is",
        "publish a new version beside this one",
    ):
        assert said in words
    assert max(map(len, result.output.splitlines())) <= 80


def test_a_compatible_change_is_said_and_passes(now):
    """A compatible change gives exit code 0 and names the new field."""
    now(changed(CHAT, tone={"type": "string"}))
    result = call("check")
    assert result.exit_code == 0
    assert "changed, compatible" in result.output
    assert "is new, optional: string" in result.output


def test_json_for_scripts(now):
    """--json prints the same result with the same exit code."""
    now(changed(CHAT, required=True, tone={"type": "string"}))
    result = call("check", "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["compatible"] is False
    (change,) = (change for change in said["changes"] if not change["compatible"])
    assert (change["name"], change["compatible"], change["old_reads_new"]) == (CHAT, False, [])
    assert change["breaks"][0]["service"] == "chatbot"
    assert said["against"]["name"].startswith("release ")


def test_unknown_revision_exits_with_2():
    """An unknown revision gives exit code 2."""
    result = call("check", "--against", "no-such-revision")
    assert result.exit_code == 2
    assert "knows no revision" in result.stderr


def test_nothing_to_compare_with_is_said_and_passes(monkeypatch):
    """Without a record, tags and a main branch the check passes and says that nothing is compared."""
    monkeypatch.setattr(references, "record", lambda: None)
    monkeypatch.setattr(references, "reference", lambda *_a, **_k: None)
    result = call("check")
    assert result.exit_code == 0
    assert "Nothing to compare with" in result.output


@pytest.mark.parametrize(
    ("was", "becomes", "code"),
    [
        ("error: str\n    cause:", "error: str\n    hint: str\n    cause:", 1),
        ('"simple", "moderate", "complex"', '"simple", "complex"', 1),
        ("error: str\n    cause:", "error: str\n    hint: str | None = None\n    cause:", 0),
    ],
    ids=["required field", "value removed", "optional field"],
)
def test_an_edit_of_the_types_is_judged_in_a_clean_copy(tmp_path: Path, was: str, becomes: str, code: int):
    """On a copy without git whose types were edited, the check fails only for a break."""
    for part in ("shared", "operations", "contracts", "cli", "local"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    types = tmp_path / "shared/contracts/v1.py"
    text = types.read_text("utf-8")
    assert was in text
    types.write_text(text.replace(was, becomes), "utf-8")
    command = [sys.executable, "-m", "cli.main", "contracts", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("Breaks:" in done.stdout) is (code == 1)


# --- the record --------------------------------------------------------------------------------------------


def test_a_release_records_the_contracts(tmp_path: Path):
    """A release records the present contracts; comparing with it finds no change."""
    path = tmp_path / "released.json"
    made, comparisons = release(path=path, version="1.0.0")
    assert comparisons == []
    assert record(path) == made
    assert compare(made.schemas, current()) == []


def test_a_release_never_forgets_a_promise(tmp_path: Path, now):
    """A release with a breaking change is refused and leaves the file unchanged."""
    path = tmp_path / "released.json"
    release(path=path, version="1.0.0")
    before = path.read_bytes()
    now(changed(CHAT, required=True, tone={"type": "string"}))
    with pytest.raises(RefusedError, match=r"chat\.requested\.v1"):
        release(path=path, version="1.1.0")
    assert path.read_bytes() == before


def test_a_version_is_retired_knowingly(tmp_path: Path, now):
    """A removed version must be named to be retired; an existing or unknown version can't be retired."""
    path = tmp_path / "released.json"
    release(path=path, version="1.0.0")
    with pytest.raises(InvalidInputError, match="still exists"):
        release((REQUESTED,), path=path, version="1.1.0")
    rest = copied()
    del rest[REQUESTED]
    now(rest)
    with pytest.raises(RefusedError):
        release(path=path, version="1.1.0")
    with pytest.raises(InvalidInputError, match="never released"):
        release(("no.such.v1",), path=path, version="1.1.0")
    made, _ = release((REQUESTED,), path=path, version="1.1.0")
    assert made.retired == [REQUESTED]
    assert REQUESTED not in made.schemas


def test_a_broken_record_is_told(tmp_path: Path):
    """A damaged record, e.g. after a bad merge, is an error and not taken for a missing one."""
    path = tmp_path / "released.json"
    path.write_text("<<<<<<< HEAD")
    with pytest.raises(InvalidInputError, match="not a record"):
        record(path)
