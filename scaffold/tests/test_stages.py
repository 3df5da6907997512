"""Plans to add and remove stages: what they write, and what they refuse before anything is written."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from operations.errors import InvalidInputError, NotFoundError, RefusedError
from scaffold import stages
from scaffold.changes import Change, uncommitted, write
from scaffold.names import LONGEST, new_name
from scaffold.rows import TABLE
from shared.contracts.stages import BY_KEY, STAGES, Stage


@pytest.fixture
def checkout(tmp_path):
    """A repository with this checkout's stage table."""
    (tmp_path / TABLE).parent.mkdir(parents=True)
    shutil.copy(stages.ROOT / TABLE, tmp_path / TABLE)
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(root, *words):
    options = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *options, *words], cwd=root, check=True, capture_output=True)


def commit(root):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")


def made(root, **options):
    plan = stages.new("vetting", **{"after": "analysis", "root": root} | options)
    write(root, plan.changes)
    return plan


def order(root):
    tree = ast.parse((root / TABLE).read_text("utf-8"))
    (rows,) = (
        node.value.args
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.target) == "STAGES"
    )
    return [
        ast.literal_eval(node.value)
        for row in rows
        for node in ast.walk(row)
        if isinstance(node, ast.keyword) and node.arg == "key"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "Vetting",
        "mod-eration",
        "mod_eration",
        "1st",
        "x" * (LONGEST + 1),
        "mäßig",
        "../up",
        "a b",
        "m\n",
    ],
)
def test_name_that_no_package_queue_or_function_can_have(text):
    """A name with other characters or of another length is refused with what a name must be."""
    with pytest.raises(InvalidInputError, match="2 to 20 small letters and digits"):
        new_name(text)


@pytest.mark.parametrize("text", ["class", "import", "match"])
def test_word_of_python_is_no_name(text):
    """A word of Python's own is refused, because the package could not be imported or read."""
    with pytest.raises(InvalidInputError, match="Python's own"):
        new_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "analyzer",
        "api",
        "workflow",
        "pipeline",
        "contract",
        "errors",
        "usage",
        "turn",
        "table",
        "replace",
        "limits",
    ],
)
def test_name_in_use_is_refused(text):
    """The name of a service, a function, a stack, an event, a field or a type of the contracts is refused."""
    with pytest.raises(InvalidInputError, match=r"uses this name|have a type"):
        new_name(text)


@pytest.mark.parametrize(
    ("after", "says"), [("log", "Nothing can follow log"), ("nothing", "Name one of: request, analysis")]
)
def test_place_that_does_not_exist(checkout, after, says):
    """A place behind the last stage or behind none is refused with the places that there are."""
    with pytest.raises(InvalidInputError, match=says):
        stages.new("vetting", after=after, root=checkout)


@pytest.mark.parametrize(
    ("after", "index"),
    [("request", 0), *((stage.service, number) for number, stage in enumerate(STAGES[:-1], 1))],
)
def test_row_stands_where_it_was_asked_for(checkout, after, index):
    """The new row follows the stage that was named, by its key or its service, and the others keep their order."""
    made(checkout, after=after)
    assert order(checkout).index("vetting") == index
    assert [key for key in order(checkout) if key != "vetting"] == [stage.key for stage in STAGES]


@pytest.mark.parametrize(
    "options", [{}, {"after": "request", "critical": True, "via": "queue"}, {"after": "chat"}]
)
def test_removal_undoes_it(checkout, options):
    """A stage that is removed as it was made leaves every file of the checkout as it was before."""
    before = snapshot(checkout)
    plan = made(checkout, **options)
    assert snapshot(checkout) != before
    write(checkout, removal_of(checkout, plan, options).changes)
    assert snapshot(checkout) == before


def snapshot(root):
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(root): path.read_bytes() for path in files}


def row(key, **options):
    """Return a row for a stage that no process has imported."""
    given: dict[str, Any] = {"inputs": {}, "via": "bus", "critical": False} | options
    return Stage(
        state=f"Run{key}", key=key, service=key, request=STAGES[0].request, result=STAGES[0].result, **given
    )


def removal_of(root, plan, options, readers=()):
    """Return the plan of the removal, as a process that has imported the changed table makes it."""
    added = row(
        plan.name.key, **{name: options[name] for name in ("via", "critical", "may_end") if name in options}
    )
    place = [stage.key for stage in STAGES].index(plan.before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "STAGES", (*STAGES[:place], added, *readers, *STAGES[place:]))
        patch.setattr(stages, "BY_KEY", {**BY_KEY, added.key: added})
        return stages.removal(added.key, root=root)


def test_work_of_which_git_has_no_copy_is_not_deleted(checkout):
    """A stage whose author has changed it is removed only after a commit; before, each changed file is named."""
    plan = made(checkout)
    core = checkout / plan.name.folder / "core.py"
    core.write_text(core.read_text("utf-8") + "\n# my work\n", "utf-8")
    with pytest.raises(RefusedError, match=r"git has no copy of services/vetting/core\.py as it is now"):
        removal_of(checkout, plan, {})
    commit(checkout)
    write(checkout, removal_of(checkout, plan, {}).changes)
    assert not core.parent.exists()


def test_table_with_changes_of_ones_own_is_not_edited(checkout):
    """Uncommitted changes of the stage table refuse a new stage, unless it is asked for."""
    with (checkout / TABLE).open("a", encoding="utf-8") as file:
        file.write("# mine\n")
    with pytest.raises(RefusedError, match="not committed"):
        stages.new("vetting", after="analysis", root=checkout)
    assert stages.new("vetting", after="analysis", dirty=True, root=checkout).after == "analysis"


def test_existing_folder_is_never_overwritten(checkout):
    """A folder or a module of this name that no row knows refuses the new stage, and is left as it is."""
    (checkout / "services/vetting").mkdir(parents=True)
    with pytest.raises(RefusedError, match="services/vetting exists already"):
        stages.new("vetting", after="analysis", root=checkout)


def test_folder_of_byte_code_is_no_obstacle(checkout):
    """The byte code of a stage that another branch has does not refuse the stage; any other file beside it does."""
    byte_code = checkout / "services/vetting/tests/__pycache__/test_core.pyc"
    byte_code.parent.mkdir(parents=True)
    byte_code.touch()
    assert stages.new("vetting", after="analysis", root=checkout).after == "analysis"
    (checkout / "services/vetting/notes.txt").touch()
    with pytest.raises(RefusedError, match="services/vetting exists already"):
        stages.new("vetting", after="analysis", dirty=True, root=checkout)


@pytest.mark.parametrize("name", [stage.key for stage in STAGES if stage.key != stage.service])
def test_shipped_stage_can_not_be_removed(name):
    """The stages that the pipeline is made of are refused with the reason."""
    with pytest.raises(RefusedError, match="the pipeline is made of it"):
        stages.removal(name)


def test_stage_that_there_is_not_can_not_be_removed():
    """An unknown stage is refused with those that there are."""
    with pytest.raises(NotFoundError, match="There are: analysis"):
        stages.removal("nothing")


def test_stage_that_another_one_reads_is_not_removed(checkout):
    """A stage is not removed while the row of another one names what it gives."""
    reader = row("reader", inputs={"found": "$.results.vetting.data"})
    with pytest.raises(RefusedError, match="is an input of reader"):
        removal_of(checkout, made(checkout), {}, [reader])


def test_half_written_changes_are_taken_back(tmp_path):
    """If a file can't be written, those before it are as they were, and no folder is left."""
    (tmp_path / "kept.txt").write_text("before", "utf-8")
    (tmp_path / "is-a-folder").mkdir()
    changes = [
        Change(kind="create", path="new/a.txt", text="a"),
        Change(kind="edit", path="kept.txt", text="after"),
        Change(kind="edit", path="is-a-folder", text="b"),
    ]
    with pytest.raises(RefusedError, match="Nothing was changed"):
        write(tmp_path, changes)
    assert (tmp_path / "kept.txt").read_text("utf-8") == "before"
    assert not (tmp_path / "new").exists()


def test_without_a_repository_there_is_no_copy(tmp_path):
    """Outside of a repository there is no copy of anything."""
    assert uncommitted(tmp_path, ["a.txt"]) is None


def test_without_git_only_what_was_generated_is_deleted(checkout):
    """Where git has no copy of anything, a stage is removed only as long as it is as it was made."""
    shutil.rmtree(checkout / ".git")
    plan = made(checkout)
    core = checkout / plan.name.folder / "core.py"
    written = core.read_text("utf-8")
    core.write_text(f"{written}\n# my work\n", "utf-8")
    with pytest.raises(RefusedError, match=r"git has no copy of services/vetting/core\.py"):
        removal_of(checkout, plan, {})
    core.write_text(written, "utf-8")
    assert removal_of(checkout, plan, {}).changes


def test_row_of_which_git_has_no_copy_is_not_deleted(checkout):
    """A row that its author has changed is removed only after a commit."""
    plan = made(checkout)
    commit(checkout)
    table = checkout / TABLE
    text = table.read_text("utf-8")
    table.write_text(text.replace('key="vetting",', 'key="vetting",\n        pays=True,'), "utf-8")
    with pytest.raises(RefusedError, match=r"stages\.py"):
        removal_of(checkout, plan, {})
    commit(checkout)
    assert removal_of(checkout, plan, {}).changes


def test_generated_files_are_formatted_as_the_project_is(tmp_path):
    """Every generated source is as the project's own formatter and linter want it."""
    plan = stages.new("vetting", after="chat", dirty=True)
    write(tmp_path, plan.changes)
    shutil.copy(stages.ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "shared/contracts/__init__.py").touch()
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["format", "--check"], ["check", "--no-cache"]):
        done = subprocess.run(
            [ruff, *command, "services", "shared"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
