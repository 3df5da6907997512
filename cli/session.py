"""The state that all commands share: the environment, its target, and the consoles they print to.

Results go to stdout, everything else to stderr. Colours and live displays are used on a terminal only.
"""

import errno
import shutil
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from operations.target import Target

UNLIMITED = 1_000_000
"""More columns than any line needs."""
NARROWEST = 60
"""Columns that every table needs so that no number is cut. A narrower terminal breaks the lines itself."""


@dataclass
class Session:
    env: str
    region: str | None
    profile: str | None

    def check(self) -> None:
        """Check the options that select a target, before AWS is asked. Raises click's UsageError."""
        if self.is_local:
            if self.region or self.profile:
                raise click.UsageError("--region and --profile apply to AWS only. Add --env, e.g. --env dev.")
            return
        from infra.environments import ENVIRONMENTS  # noqa: PLC0415 -- loads the contracts

        if self.env not in ENVIRONMENTS:
            raise click.UsageError(
                f"There is no environment {self.env!r}. Give --env with one of: {', '.join(ENVIRONMENTS)}."
            )

    @property
    def is_local(self) -> bool:
        return self.env == "local"

    @cached_property
    def target(self) -> "Target":
        """The target of the environment. On AWS, its account and region are printed first."""
        from local.targets import find_target  # noqa: PLC0415 -- botocore

        target = find_target(self.env, region=self.region, profile=self.profile)
        if not self.is_local:
            identity = target.describe()
            where = f" ({identity.endpoint}, from AWS_ENDPOINT_URL)" if identity.endpoint else ""
            self.note(f"Environment {self.env}: account {identity.account}, region {identity.region}{where}")
        return target

    @property
    def is_narrow(self) -> bool:
        """Whether the terminal breaks the lines of tables, which then can't be redrawn in place."""
        return shutil.get_terminal_size().columns < NARROWEST

    @cached_property
    def out(self) -> "Console":
        console = _console(stderr=False)
        if self.is_narrow and console.is_terminal:
            console.width = NARROWEST
        return console

    @cached_property
    def err(self) -> "Console":
        return _console(stderr=True)

    def note(self, text: str) -> None:
        """Print a text that is not a result, to stderr."""
        click.echo(text, err=True)

    def json(self, value: Any) -> None:
        """Print a value as JSON, which stays valid in every encoding of the output and with any text in it."""
        import msgspec  # noqa: PLC0415

        from cli.output import escaped  # noqa: PLC0415
        from operations.json_text import written  # noqa: PLC0415

        click.echo(escaped(written(msgspec.to_builtins(value), indent=2)))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask on a terminal. Raises click's UsageError where there is no terminal, Abort after a no."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(
                "There is no terminal to ask for confirmation. Add --yes to proceed without asking."
            )
        click.confirm(question, abort=True, err=True)

    def command(self, *words: str) -> str:
        """Return a command as the user would type it, with --env if needed, but without --region and --profile."""
        env = () if self.is_local else ("--env", self.env)
        return " ".join((program(), *env, *words))


class TargetCommand(click.Command):
    """A command that accepts --env, --region and --profile after its name, too; these override earlier ones."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += [
            click.Option([f"--{name}"], expose_value=False, callback=_override, hidden=True)
            for name in ("env", "region", "profile")
        ]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.find_object(Session).check()  # type: ignore[union-attr]  # the group has set it
        return super().invoke(ctx)


def _override(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        setattr(ctx.find_object(Session), str(option.name), value)


def _console(*, stderr: bool) -> "Console":
    """Create a console. In a file or pipe it is so wide that nothing is wrapped or cut."""
    from rich.console import Console  # noqa: PLC0415 -- takes a fifth of a second

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError(errno.EPIPE, "The reader of the output has gone")  # not rich's exit code

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    return Plain(
        stderr=stderr,
        width=None if terminal else UNLIMITED,
        force_terminal=terminal,  # FORCE_COLOR must not draw moving bars, of unlimited width, into a file
        highlight=False,
        soft_wrap=not terminal,
        emoji=False,
        markup=False,
    )


def program() -> str:
    """Return `pipeline` if that is on the path, else the path by which this command was called."""
    called = Path(sys.argv[0])
    if called.stem != "pipeline":
        return "pipeline"
    on_path = shutil.which("pipeline")
    if on_path and Path(on_path).resolve() == called.resolve():
        return "pipeline"
    return str(called) if len(called.parts) > 1 and not called.is_absolute() else "pipeline"
