"""What the contracts are compared with: the record of the last release, or any revision that git knows.

The record, `shared/contracts/released.json`, is committed: it is there in a shallow clone, without tags, without a
remote and without git. `release` is the only way to write it, and refuses what would break those who rely on it.
"""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from contracts.comparison import Comparison, Schemas, compare
from contracts.parties import events, results
from operations.errors import InvalidInputError, RefusedError
from shared.contracts.schemas import FOLDER, event_schema, result_schema

ROOT = Path(__file__).resolve().parents[1]
RECORD = FOLDER.parent / "released.json"
BRANCHES = ("origin/main", "main")
_FOLDER = FOLDER.relative_to(ROOT).as_posix()


class Record(Struct, frozen=True, kw_only=True):
    """What was released last. `retired`: versions given up on purpose since there was a record."""

    release: str
    retired: list[str]
    schemas: dict[str, Any]


class Reference(Struct, frozen=True, kw_only=True):
    """Something to compare with; `said` is how it is called in a sentence."""

    said: str
    revision: str | None
    commit: str | None
    schemas: Schemas


def current() -> Schemas:
    """The schemas that the types make now."""
    made = [event_schema(kind) for kind in events()] + [result_schema(kind) for kind in results()]
    return {schema["title"]: json.loads(msgspec.json.encode(schema)) for schema in made}


def record(path: Path = RECORD) -> Record | None:
    """None where nothing was released yet. Raises InvalidInputError for a file that is no record."""
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"{path} is not a record of released contracts: {error}") from error


def reference(against: str | None, *, root: Path = ROOT, recorded: Record | None = None) -> Reference | None:
    """What `against` names; without it the record, else origin/main, else main, else nothing (None).

    Raises InvalidInputError where git is missing, or does not know the revision.
    """
    if against is not None:
        return _revision(against, root)
    if recorded is not None:
        return Reference(
            said=f"release {recorded.release} ({_FOLDER.rpartition('/')[0]}/{RECORD.name})",
            revision=None,
            commit=None,
            schemas=recorded.schemas,
        )
    for branch in BRANCHES:
        try:
            return _revision(branch, root)
        except InvalidInputError:
            continue
    return None


def _revision(name: str, root: Path) -> Reference:
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        problem = found.stderr.strip()
        if "not a git repository" in problem:
            raise InvalidInputError(f"{root} is not a git repository: there is no revision to compare with.")
        if problem:  # an unknown revision is told by the exit code alone
            raise InvalidInputError(f"git can't say what {name!r} is: {problem.splitlines()[0]}")
        shallow = _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        hint = " The clone is shallow; `git fetch --unshallow --tags` gets the rest." if shallow else ""
        raise InvalidInputError(f"git knows no revision {name!r} here.{hint}")
    commit = found.stdout.strip()
    listing = _git(root, "ls-tree", "--name-only", commit, "--", f"{_FOLDER}/")
    paths = [path for path in listing.stdout.splitlines() if path.endswith(".json")]
    schemas = {}
    for path in paths:
        shown = _git(root, "show", f"{commit}:./{path}")
        try:
            schema = json.loads(shown.stdout)
            schemas[schema["title"]] = schema
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(f"{path} at {name} is not a schema of this project.") from error
    said = commit[:9] if commit.startswith(name) else f"{name} ({commit[:9]})"
    return Reference(said=said, revision=name, commit=commit, schemas=schemas)


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True, encoding="utf-8", errors="replace", check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError as error:
        raise InvalidInputError(
            "git is needed to compare with a revision, and is not installed. "
            "Without --against, the contracts are compared with the last release."
        ) from error


def unrecorded_tag(recorded: Record | None, *, root: Path = ROOT) -> str | None:
    """The newest release tag, if the record is of another release; None where there is no git, or no tag."""
    if recorded is None:
        return None
    try:
        found = _git(root, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    except InvalidInputError:
        return None
    tag = found.stdout.strip()
    return tag if tag and tag.removeprefix("v") != recorded.release else None


def release(
    retire: tuple[str, ...] = (), *, path: Path = RECORD, version: str | None = None
) -> tuple[Record, list[Comparison]]:
    """Records the present contracts as released, and says what is not as it was in the record before.

    Raises RefusedError for a change that breaks, InvalidInputError for a version to retire that still exists.
    """
    before, now = record(path), current()
    for name in retire:
        if name in now:
            raise InvalidInputError(
                f"{name} is still there. Take it out of the events first, then retire it."
            )
        if before is None or name not in before.schemas:
            raise InvalidInputError(f"No {name!r} was released: there is nothing to retire.")
    retired = sorted({*(before.retired if before else ()), *retire} - now.keys())
    found = compare(before.schemas, now, retired=retired) if before else []
    if broken := [one.name for one in found if not one.compatible]:
        raise RefusedError(
            f"Not recorded: {', '.join(broken)} would break those who rely on the last release. "
            "`pipeline contracts check` says whom, and why."
        )
    made = Record(
        release=version or project_version(),
        retired=retired,
        schemas={name: _bare(now[name]) for name in sorted(now)},
    )
    text = msgspec.json.format(msgspec.json.encode(made), indent=1).decode()
    path.write_text(text + "\n", "utf-8")
    return made, found


def _bare(schema: Any) -> Any:
    """Without descriptions: a better wording is no change of a contract."""
    if isinstance(schema, list):
        return [_bare(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _bare(value)
        for name, value in schema.items()
        if name != "description" or isinstance(value, dict)
    }


def project_version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])
