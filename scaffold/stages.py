"""Plans of a new stage and of a removal: the changes of files, and the reasons why they can't be.

A plan reads this checkout and writes nothing. Files are rendered from `templates/`, formatted as the project's own.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

import jinja2
from msgspec import Struct

from operations.errors import InvalidInputError, NotFoundError, RefusedError
from scaffold.changes import Change, uncommitted
from scaffold.names import StageName, new_name
from scaffold.rows import TABLE, with_row, without_row
from shared.contracts.stages import BY_KEY, BY_SERVICE, LAST, STAGES, Stage

FIRST: Final = "request"
"""The name, in place of a stage's, of what comes before the first stage."""
_FILES: Final = {
    "{folder}/__init__.py": "__init__.py",
    "{folder}/core.py": "core.py",
    "{folder}/settings.py": "settings.py",
    "{folder}/handler.py": "handler.py",
    "{folder}/README.md": "README.md",
    "{folder}/tests/test_core.py": "test_core.py",
    "{types}": "types.py",
}
_TEMPLATES: Final = Path(__file__).parent / "templates"
ROOT: Final = Path(__file__).resolve().parents[1]


class Plan(Struct, frozen=True, kw_only=True):
    """The changes that add or remove a stage, between the stages `after` (None: it is the first) and `before`."""

    name: StageName
    changes: tuple[Change, ...]
    after: str | None
    before: str
    critical: bool


def new(  # noqa: PLR0913 -- its options
    text: str,
    *,
    after: str,
    via: Literal["bus", "queue"] = "bus",
    critical: bool = False,
    may_end: bool = False,
    dirty: bool = False,
    root: Path = ROOT,
) -> Plan:
    """Return the plan of a new stage called `text` behind the stage with the key or service `after`.

    Raises InvalidInputError for a name or place that can't be; RefusedError if the plan's files exist or, unless
    `dirty`, one that it edits holds changes of which git has no copy.
    """
    name = new_name(text)
    previous = _place(after)
    before = STAGES[0] if previous is None else STAGES[STAGES.index(previous) + 1]
    _require_free(root, name)
    if not dirty and uncommitted(root, [TABLE]):
        raise RefusedError(
            f"{TABLE} has changes that are not committed, so those of this command could not be told from them. "
            "Commit them first, or add --allow-dirty."
        )
    values = _values(name, previous, via=via, critical=critical, may_end=may_end)
    row = _template("row.py", values)
    source = (root / TABLE).read_text("utf-8")
    table = with_row(source, row, module=name.key, after=previous.key if previous else None)
    texts = _formatted({**_rendered(name, values), TABLE: table})
    return Plan(
        name=name,
        changes=tuple(
            Change(kind="edit" if path == TABLE else "create", path=path, text=text)
            for path, text in texts.items()
        ),
        after=previous.key if previous else None,
        before=before.key,
        critical=critical,
    )


def removal(text: str, *, root: Path = ROOT) -> Plan:
    """Return the plan to remove the stage with the key or service `text`.

    Raises NotFoundError if there is none; RefusedError for a stage that the pipeline is made of or that another one
    reads, and if git has no copy of what its author wrote.
    """
    stage = _stage(text)
    name = StageName(stage.key)
    _require_own(root, stage, name)
    if readers := [
        other.key for other in STAGES if f"$.results.{stage.key}." in " ".join(other.inputs.values())
    ]:
        raise RefusedError(
            f"The stage {stage.key} can't be removed: what it gives is an input of {' and '.join(readers)}. Take it "
            f"out of {'its row' if len(readers) == 1 else 'their rows'} in {TABLE} first."
        )
    index = STAGES.index(stage)
    previous = STAGES[index - 1] if index else None
    files = [*_files_of(root, name), name.types]
    if lost := _unsaved(root, files, name, stage, previous):
        raise RefusedError(
            f"The stage {stage.key} was not removed, because git has no copy of {', '.join(lost)} as "
            f"{'it is' if len(lost) == 1 else 'they are'} now. Commit first (git add --all && git commit). A removed "
            "stage can then be brought back."
        )
    table = without_row((root / TABLE).read_text("utf-8"), stage.key, module=name.key)
    return Plan(
        name=name,
        changes=(
            *(Change(kind="delete", path=path) for path in files),
            Change(kind="edit", path=TABLE, text=_formatted({TABLE: table})[TABLE]),
        ),
        after=previous.key if previous else None,
        before=STAGES[index + 1].key,
        critical=stage.critical,
    )


def _place(after: str) -> Stage | None:
    """Return the stage called `after`, None for the beginning. Raises InvalidInputError if nothing can follow it."""
    if after == FIRST:
        return None
    places = (FIRST, *(stage.key for stage in STAGES[:-1]))
    stage = BY_KEY.get(after) or BY_SERVICE.get(after)
    if stage is None:
        raise InvalidInputError(f"There is no stage {after!r} to follow. Name one of: {', '.join(places)}.")
    if stage is LAST:
        raise InvalidInputError(
            f"Nothing can follow {after}, which records how the run ended. Name one of: {', '.join(places)}."
        )
    return stage


def _stage(text: str) -> Stage:
    stage = BY_KEY.get(text) or BY_SERVICE.get(text)
    if stage is None:
        raise NotFoundError(
            f"There is no stage {text!r}. There are: {', '.join(other.key for other in STAGES)}."
        )
    return stage


def _require_own(root: Path, stage: Stage, name: StageName) -> None:
    """Raise RefusedError unless the stage has a folder and a module of types of its own, as `new` makes them."""
    own = stage.key == stage.service and (root / name.types).is_file() and (root / name.folder).is_dir()
    if not own:
        raise RefusedError(
            f"The stage {stage.key} can't be removed by this command: the pipeline is made of it. Its contract is "
            f"part of {stage.result.__module__.replace('.', '/')}.py, which others read."
        )


def _require_free(root: Path, name: StageName) -> None:
    there = [
        path
        for path in (name.folder, name.types)
        if (root / path).exists() and not _is_byte_code(root / path)
    ]
    if there:
        raise RefusedError(
            f"{' and '.join(there)} {'exists' if len(there) == 1 else 'exist'} already, though no row in {TABLE} "
            "names it. Move it away, or choose another name."
        )


def _is_byte_code(folder: Path) -> bool:
    """Return whether a folder has byte code alone, as git leaves it when its files belong to another branch."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return bool(files) and all(path.parent.name == "__pycache__" for path in files)


def _files_of(root: Path, name: StageName) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for path in (root / name.folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def _unsaved(
    root: Path, files: list[str], name: StageName, stage: Stage, previous: Stage | None
) -> list[str]:
    """Return the files of which git has no copy, but for those that are as `new` wrote them.

    The stage table is among them if it is not committed and the stage's row is another than that of `new`.
    """
    changed = uncommitted(root, [*files, TABLE])
    at_risk = {*files, TABLE} if changed is None else set(changed)
    if not at_risk:
        return []
    values = _values(name, previous, via=stage.via, critical=stage.critical, may_end=stage.may_end)
    source = (root / TABLE).read_text("utf-8")
    before = without_row(source, stage.key, module=name.key)
    again = with_row(
        before, _template("row.py", values), module=name.key, after=previous.key if previous else None
    )
    written = _formatted({**_rendered(name, values), TABLE: again})
    return [
        path
        for path in (*files, TABLE)
        if path in at_risk and (root / path).read_text("utf-8") != written.get(path)
    ]


# --- the files -------------------------------------------------------------------------------------------------


def _values(
    name: StageName, previous: Stage | None, *, via: str, critical: bool, may_end: bool
) -> dict[str, Any]:
    """Return the values of the templates."""
    result = previous.result if previous else None
    modules = {"shared.contracts.v1": ["UserMessage", *(["EarlyAnswer"] if may_end else [])]}
    if result:
        modules.setdefault(result.__module__, []).append(result.__name__)
    return {
        "key": name.key,
        "title": name.result,
        "state": name.state,
        "result": name.result,
        "request": name.request,
        "event": name.event,
        "via": via,
        "critical": critical,
        "may_end": may_end,
        "source": previous.key if previous else None,
        "source_type": result.__name__ if result else None,
        "imports": [(module, sorted(names)) for module, names in sorted(modules.items())],
    }


def _rendered(name: StageName, values: dict[str, Any]) -> dict[str, str]:
    paths = {path.format(folder=name.folder, types=name.types): file for path, file in _FILES.items()}
    return {path: _template(file, values) for path, file in paths.items()} | {
        f"{name.folder}/tests/__init__.py": ""
    }


def _template(file: str, values: dict[str, Any]) -> str:
    environment = jinja2.Environment(  # noqa: S701 -- these are sources of Python, not pages
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{file}.jinja").render(values)


def _formatted(texts: Mapping[str, str]) -> dict[str, str]:
    """Return sources, by path, as the project's formatter writes them. Raises RefusedError if that fails."""
    ruff = Path(sys.executable).with_name("ruff")
    options = ("--quiet", "--no-cache", "--config", str(ROOT / "pyproject.toml"), ".")
    with tempfile.TemporaryDirectory() as folder:
        for path, text in texts.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, "utf-8")
        for command in (("check", "--select", "I", "--fix"), ("format",)):
            try:
                subprocess.run(
                    [str(ruff), *command, *options],
                    cwd=folder,
                    capture_output=True,
                    encoding="utf-8",
                    check=True,
                )
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", None) or error
                raise RefusedError(
                    f"The new sources could not be formatted: {said}. Run: make setup"
                ) from error
        return {path: (Path(folder) / path).read_text("utf-8") for path in texts}


def steps(plan: Plan) -> Iterator[str]:
    """Yield the commands, in order, that take a new stage from here to a run that passes through it."""
    yield f".venv/bin/python -m pytest -q {plan.name.folder}"
    yield "make deploy"
    yield 'pipeline submit --wait "Is this all right?"'
