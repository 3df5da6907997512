"""The `pipeline` command. Each subcommand's module is imported when it is called, so that help is quick."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import click

from cli import output
from cli.ending import ending_in_order
from local.errors import LocalError
from local.exit_codes import FAILED, INTERRUPTED, exit_code
from operations.errors import OperationError


@dataclass(frozen=True)
class Entry:
    """The module and attribute of a command, and its help in one line."""

    module: str
    attribute: str
    help: str


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Run it on this machine": {
        "up": Entry("engine", "up", "Start the local engine and deploy everything to it."),
        "down": Entry("engine", "down", "Stop the local engine."),
        "status": Entry("engine", "status", "Show what runs and what is deployed."),
        "env": Entry("env", "env", "Point the AWS CLI and boto3 at the local engine."),
    },
    "Ask for answers": {
        "submit": Entry("submit", "submit", "Submit a message, or a file of messages."),
        "publish": Entry("publish", "publish", "Publish an event after checking it against its contract."),
        "approvals": Entry("approvals", "approvals", "List answers that wait for approval, and decide."),
        "cancel": Entry("cancel", "cancel", "Stop runs that have not finished."),
    },
    "See what happened": {
        "console": Entry("console", "console", "Serve the web console on this machine."),
        "watch": Entry("watch", "watch", "Show a live view of the whole system."),
        "show": Entry("show", "show", "Show one run, stage by stage."),
        "list": Entry("list", "list_", "List the runs that were started, newest first."),
        "explain": Entry("explain", "explain", "Find the run that any id belongs to, and what to do next."),
        "logs": Entry("logs", "logs", "Print the log lines of one run from all services."),
        "cost": Entry("cost", "cost", "Report what runs cost, by day, model and stage."),
        "budget": Entry("budget", "budget", "Show today's budget; pause or resume the starter."),
    },
    "Run again what failed": {
        "dlq": Entry("dlq", "dlq", "List, show, replay, archive or export parked messages."),
        "redrive": Entry("redrive", "redrive", "Continue failed runs that left no parked message."),
    },
    "Change it": {
        "stage": Entry("stage", "stage", "Add a stage of your own to this checkout, or remove it."),
    },
    "Deploy": {
        "deploy": Entry("deploy", "deploy", "Deploy all stacks, or one service alone."),
        "preflight": Entry("preflight", "preflight", "Check that an AWS account is ready for a deployment."),
        "deploy-check": Entry(
            "deploy_check", "deploy_check", "Check that this checkout can read what is in flight."
        ),
        "destroy": Entry("destroy", "destroy", "Delete a deployment on AWS."),
        "contracts": Entry("contracts", "contracts", "Compare, export and release the contracts of events."),
        "smoke": Entry("smoke", "smoke_", "Prove after a first deployment what only an account can prove."),
        "doctor": Entry("doctor", "doctor", "Check that the parts of a deployment fit together."),
    },
}
COMMANDS: Mapping[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}


class Commands(click.Group):
    """The group of all commands in `SECTIONS`.

    It imports a command only when it is called, and turns an error of an operation into a message and an exit code.
    """

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
        """Resolve a command; for an unknown name, fail and suggest the nearest command."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            import difflib  # noqa: PLC0415 -- only needed after a typing error

            matches = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {matches[0]!r}?" if matches else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()], col_max=10)

    def make_context(self, *args: Any, **options: Any) -> click.Context:  # which prints the help
        try:
            return super().make_context(*args, **options)
        except BrokenPipeError as error:  # click itself would exit with 1
            raise output.ReaderGoneError from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise output.ReaderGoneError from error

    def main(self, *args: Any, **options: Any) -> NoReturn:
        options["standalone_mode"] = False
        output.make_safe()
        try:
            with ending_in_order():
                code = super().main(*args, **options)
                output.flush()
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
        except (output.ReaderGoneError, BrokenPipeError):
            output.give_up()
            code = 0
        except OSError as error:
            output.give_up()
            where = f": {error.filename}" if error.filename else ""
            click.echo(f"Error: {error.strerror or error}{where}", err=True)
            code = FAILED
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
Exit codes: 0 done, 1 failed, 2 wrong usage or input, 3 not found,
4 not reachable or not deployed, 130 interrupted.""",
)
@click.option(
    "--env",
    envvar="PIPELINE_ENV",
    default="local",
    show_default=True,
    metavar="NAME",
    help="The environment to act on; any other than `local` is in an AWS account.  [PIPELINE_ENV]",
)
@click.option("--region", metavar="REGION", help="The AWS region; by default the profile's.")
@click.option("--profile", metavar="NAME", help="The AWS profile, as for the AWS CLI.")
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Print the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context, env: str, region: str | None, profile: str | None) -> None:
    """Ask, watch and operate an event-driven AI pipeline, on this machine or on AWS."""
    from cli.session import Session  # noqa: PLC0415 -- only once a command is really run

    ctx.obj = Session(env=env, region=region, profile=profile)


def main() -> NoReturn:
    cli.main(prog_name="pipeline")


if __name__ == "__main__":
    main()
