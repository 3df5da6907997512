"""The contracts to compare the present ones with: those of the last release, or of any revision that git knows.

The contracts of the last release are committed in `shared/contracts/released.json`, so they are available in a
shallow clone and without tags, remotes or git. Only `release` writes that file, and it refuses contracts that would
break the parties that rely on the last release.
"""

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from contracts.comparison import Comparison, Schemas, compare
from contracts.parties import events, results
from operations.errors import InvalidInputError, RefusedError
from operations.files import replace_file
from shared.contracts.schemas import FOLDER, event_schema, result_schema

ROOT = Path(__file__).resolve().parents[1]
RECORD = FOLDER.parent / "released.json"
BRANCHES = ("origin/main", "main")
_FOLDER = FOLDER.relative_to(ROOT).as_posix()


class Record(Struct, frozen=True, kw_only=True):
    """The contracts of the last release. `retired` lists the versions that were ever given up on purpose."""

    release: str
    retired: list[str]
    schemas: dict[str, Any]


class Reference(Struct, frozen=True, kw_only=True):
    """Contracts to compare with; `said` is their name in a sentence."""

    said: str
    revision: str | None
    commit: str | None
    schemas: Schemas


def current() -> Schemas:
    """Return the schemas of the present types, by title."""
    schemas = [event_schema(kind) for kind in events()] + [result_schema(kind) for kind in results()]
    return {schema["title"]: json.loads(msgspec.json.encode(schema)) for schema in schemas}


def record(path: Path = RECORD) -> Record | None:
    """Return the contracts of the last release, None if there was none. Raises InvalidInputError if damaged."""
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidInputError(
            f"{path} is not a record of released contracts ({error}). Restore it from git."
        ) from error


def reference(against: str | None, *, root: Path = ROOT, recorded: Record | None = None) -> Reference | None:
    """Return the contracts of the revision `against`; by default of the last release, else origin/main, else main.

    Returns None if none of these exists. Raises InvalidInputError if git is missing or does not know the revision.
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
    parsed = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if parsed.returncode:
        problem = parsed.stderr.strip()
        if "not a git repository" in problem:
            raise InvalidInputError(f"{root} is not a git repository: there is no revision to compare with.")
        if problem:  # for an unknown revision git prints nothing; only its exit code says so
            raise InvalidInputError(f"git can't resolve {name!r}: {problem.splitlines()[0]}")
        shallow = _git(root, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        hint = " The clone is shallow; `git fetch --unshallow --tags` gets the rest." if shallow else ""
        raise InvalidInputError(f"git knows no revision {name!r} here.{hint}")
    commit = parsed.stdout.strip()
    listing = _git(root, "ls-tree", "--name-only", commit, "--", f"{_FOLDER}/")
    paths = [path for path in listing.stdout.splitlines() if path.endswith(".json")]
    schemas = {}
    for path in paths:
        shown = _git(root, "show", f"{commit}:./{path}")
        try:
            schema = json.loads(shown.stdout)
            schemas[schema["title"]] = schema
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidInputError(f"{path} at {name} is not a schema of this project.") from error
    said = commit[:9] if commit.startswith(name) else f"{name} ({commit[:9]})"
    return Reference(said=said, revision=name, commit=commit, schemas=schemas)


_OF_ANOTHER_REPOSITORY = frozenset(
    f"GIT_{name}"
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY", "ALTERNATE_OBJECT_DIRECTORIES", "COMMON_DIR",
                 "PREFIX", "NAMESPACE")
)  # fmt: skip
"""The variables with which a shell or a git hook names a repository, in place of the folder's own."""


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True, encoding="utf-8", errors="replace", check=False, stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY},
        )  # fmt: skip
    except OSError as error:
        raise InvalidInputError(
            "Comparing with a revision needs git, which is not installed. Install git, or leave out --against to "
            "compare with the last release."
        ) from error


def unrecorded_tag(recorded: Record | None) -> str | None:
    """Return the newest release tag if the record is of another release; None without git or without a tag."""
    if recorded is None:
        return None
    try:
        described = _git(ROOT, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    except InvalidInputError:
        return None
    tag = described.stdout.strip()
    return tag if tag and tag.removeprefix("v") != recorded.release else None


def release(
    retire: tuple[str, ...] = (), *, path: Path = RECORD, version: str | None = None
) -> tuple[Record, list[Comparison]]:
    """Record the present contracts as released, and return them with the differences from the previous release.

    Raises RefusedError for a breaking change, and InvalidInputError for a version to retire that still exists or was
    never released.
    """
    before, now = record(path), current()
    for name in retire:
        if name in now:
            raise InvalidInputError(
                f"{name} still exists. Remove it from the events (shared/contracts) first, then retire it."
            )
        if before is None or name not in before.schemas:
            raise InvalidInputError(f"{name!r} was never released, so it cannot be retired. Check the name.")
    retired = sorted({*(before.retired if before else ()), *retire} - now.keys())
    comparisons = compare(before.schemas, now, retired=retired) if before else []
    if broken := [comparison.name for comparison in comparisons if not comparison.compatible]:
        raise RefusedError(
            f"Nothing was recorded: the changes to {', '.join(broken)} would break consumers or publishers of the "
            "last release. `pipeline contracts check` says which, and why."
        )
    released = Record(
        release=version or project_version(),
        retired=retired,
        schemas={name: _bare(now[name]) for name in sorted(now)},
    )
    text = msgspec.json.format(msgspec.json.encode(released), indent=1).decode()
    replace_file(path, f"{text}\n".encode())
    return released, comparisons


def _bare(schema: Any) -> Any:
    """Return the schema without descriptions: a better wording does not change a contract."""
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
