"""What the commands share: the target they go to, and how they speak to the user.

stdout carries results, stderr everything else. Colours and live displays only where a person looks at them.
"""

import re
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

ENV_NAME = re.compile(r"^[a-z][a-z0-9-]{0,30}$")


@dataclass
class Session:
    env: str
    region: str | None
    profile: str | None

    def check(self) -> None:
        """Raises click's UsageError for options that don't go together."""
        if not ENV_NAME.match(self.env):
            raise click.BadParameter(
                f"{self.env!r} is no environment's name: lower-case letters, digits and hyphens.",
                param_hint="--env",
            )
        if self.is_local and (self.region or self.profile):
            raise click.UsageError("--region and --profile are for AWS. Give --env as well, e.g. --env dev.")

    @property
    def is_local(self) -> bool:
        return self.env == "local"

    @cached_property
    def target(self) -> "Target":
        """Says which account and region it is first, where it is a real one."""
        from local.targets import find_target  # noqa: PLC0415 -- botocore

        target = find_target(self.env, region=self.region, profile=self.profile)
        if not self.is_local:
            known = target.describe()
            where = f" ({known.endpoint}, from AWS_ENDPOINT_URL)" if known.endpoint else ""
            self.note(f"Environment {self.env}: account {known.account}, region {known.region}{where}")
        return target

    @cached_property
    def out(self) -> "Console":
        return _console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        return _console(stderr=True)

    def note(self, text: str) -> None:
        """Says something beside the results."""
        click.echo(text, err=True)

    def json(self, value: Any) -> None:
        import msgspec  # noqa: PLC0415

        click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))

    def confirm(self, question: str, *, yes: bool) -> None:
        """Asks on a terminal. Raises click's UsageError where nobody can answer, Abort for a no."""
        if yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(
                "There is no terminal to ask on. Give --yes, or look first with --dry-run."
            )
        click.confirm(question, abort=True, err=True)

    def command(self, *words: str) -> str:
        """A command as the user would type it here, the environment included."""
        env = () if self.is_local else ("--env", self.env)
        return " ".join((program(), *env, *words))


class TargetCommand(click.Command):
    """A command that also takes --env, --region and --profile after its name: there they count."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params += [
            click.Option([f"--{name}"], expose_value=False, callback=_override, hidden=True)
            for name in ("env", "region", "profile")
        ]

    def invoke(self, ctx: click.Context) -> Any:
        ctx.find_object(Session).check()  # type: ignore[union-attr]  # the group has made it
        return super().invoke(ctx)


def _override(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        setattr(ctx.find_object(Session), str(option.name), value)


def _console(*, stderr: bool) -> "Console":
    """80 columns where the width is not known; a file gets lines as long as they are."""
    from rich.console import Console  # noqa: PLC0415 -- a fifth of a second

    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=not stream.isatty(), emoji=False, markup=False)


def program() -> str:
    """`pipeline` where that is on the path, else the way this one was called."""
    called = Path(sys.argv[0])
    if called.stem != "pipeline":
        return "pipeline"
    on_path = shutil.which("pipeline")
    if on_path and Path(on_path).resolve() == called.resolve():
        return "pipeline"
    return str(called) if len(called.parts) > 1 and not called.is_absolute() else "pipeline"
