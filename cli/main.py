"""The `pipeline` command. Each subcommand's module is imported when it is called, so that help is quick."""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from cli.exit_codes import INTERRUPTED, exit_code
from local.errors import LocalError
from operations.errors import OperationError


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what it does in a line."""

    module: str
    attribute: str
    help: str


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Run it on this machine": {
        "up": Entry("engine", "up", "Start the local engine and deploy everything to it."),
        "down": Entry("engine", "down", "Stop the local engine."),
        "status": Entry("engine", "status", "What runs and what is deployed."),
        "env": Entry("env", "env", "Point the AWS CLI and boto3 at the local engine."),
    },
    "Ask for answers": {
        "submit": Entry("submit", "submit", "Submit a message, or a file of them."),
        "publish": Entry("publish", "publish", "Publish an event, checked against its contract."),
        "cancel": Entry("cancel", "cancel", "Stop pipelines that are not over."),
    },
    "See what happened": {
        "watch": Entry("watch", "watch", "The whole system live."),
        "show": Entry("show", "show", "The journey of one pipeline, stage by stage."),
        "list": Entry("list", "list_", "Pipelines that were started, newest first."),
        "explain": Entry("explain", "explain", "Which run any id belongs to, and what to do."),
        "logs": Entry("logs", "logs", "The log lines of one run, of all services."),
        "cost": Entry("cost", "cost", "What runs cost, by day, model and stage."),
        "budget": Entry("budget", "budget", "What is left of the day's budget; pause, resume."),
    },
    "Run again what failed": {
        "dlq": Entry("dlq", "dlq", "Parked messages: list, show, replay, archive, export."),
        "redrive": Entry("redrive", "redrive", "Failed runs that left no parked message."),
    },
    "Deploy": {
        "deploy": Entry("deploy", "deploy", "Deploy all stacks, or one service alone."),
        "deploy-check": Entry("deploy_check", "deploy_check", "Can this checkout read what is in flight?"),
        "contracts": Entry("contracts", "contracts", "What events promise, and whether a change keeps it."),
        "doctor": Entry("doctor", "doctor", "Prove that the parts of a deployment fit together."),
    },
}
COMMANDS: Mapping[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}


class Commands(click.Group):
    """The table above as a click group; errors of the libraries become one message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = getattr(
            importlib.import_module(f"cli.commands.{entry.module}"), entry.attribute
        )
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Names the nearest command for one that does not exist."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib  # noqa: PLC0415 -- for a typing error only

            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()], col_max=10)

    def main(self, *args: Any, **options: Any) -> NoReturn:
        options["standalone_mode"] = False
        try:
            code = super().main(*args, **options)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except click.Abort:
            click.echo("Interrupted.", err=True)
            code = INTERRUPTED
        except (OperationError, LocalError) as error:
            click.secho("Error: ", err=True, fg="red", nl=False)
            click.echo(str(error), err=True)
            code = exit_code(error)
        except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        sys.exit(code if isinstance(code, int) else 0)


def _version(ctx: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001
    if value:
        from importlib.metadata import version  # noqa: PLC0415 -- reads the disk

        click.echo(f"pipeline {version('ai-pipeline')}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog="""\b
Examples:
  pipeline up
  pipeline submit --wait "What is a monad?"
  pipeline --env dev list --status FAILED
\b
Exit codes: 0 ok, 1 failed, 2 wrong usage or input, 3 not found,
4 not reachable or not deployed, 130 interrupted.""",
)
@click.option(
    "--env",
    envvar="PIPELINE_ENV",
    default="local",
    show_default=True,
    help="The environment; any other than `local` is in an AWS account.  [PIPELINE_ENV]",
)
@click.option("--region", help="AWS region; the profile's by default.")
@click.option("--profile", help="AWS profile; as for the AWS CLI.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show it."
)
@click.pass_context
def cli(ctx: click.Context, env: str, region: str | None, profile: str | None) -> None:
    """An event-driven AI pipeline: ask it, watch it, run it here or on AWS."""
    from cli.session import Session  # noqa: PLC0415 -- only once a command is really run

    ctx.obj = Session(env=env, region=region, profile=profile)


def main() -> NoReturn:
    cli.main(prog_name="pipeline")


if __name__ == "__main__":
    main()
