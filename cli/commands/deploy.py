"""`pipeline deploy`."""

import os
from functools import partial

import click

from cli.commands.deploy_check import look, show
from cli.exit_codes import FAILED
from cli.session import Session, TargetCommand
from cli.view.steps import shown
from local import deploy as deploying
from local.engine import Engine
from operations.inflight.gate import decide


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline deploy --service analyzer
  pipeline --env dev deploy
  pipeline --env prod deploy --service chatbot --yes""",
)
@click.option(
    "--service", metavar="NAME", help="Only this one; a service, or `platform`, `workflow`, `monitoring`."
)
@click.option("--yes", is_flag=True, help="Don't ask before deploying to an AWS account.")
@click.option("--force", is_flag=True, help="Also if this version can't read what is in flight.")
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
@click.pass_obj
def deploy(session: Session, service: str | None, *, yes: bool, force: bool, as_json: bool) -> None:
    """Deploy all stacks, or one service alone.

    To the local engine, or with --env to AWS: there it says account and region
    first, and asks. Looks first at what is in flight (see deploy-check), and
    refuses if this version could not read it.
    """
    if session.is_local:
        parts = _to_engine(session, service, force=force)
    else:
        parts = _to_aws(session, service, sure=yes, force=force)
    if as_json:
        session.json({"env": session.env, "deployed": parts})
    else:
        click.echo(f"Deployed: {', '.join(parts)}" if parts else "Nothing has changed; nothing was deployed.")


def _to_engine(session: Session, service: str | None, *, force: bool) -> tuple[str, ...]:
    Engine().running()  # said before anything is looked for
    _gate(session, service, force=force)
    with shown(session.err) as progress:
        return deploying.deploy(Engine(), service, progress)


def _gate(session: Session, service: str | None, *, force: bool) -> None:
    """Shows the gate's decision, and goes on only if it lets the deployment pass."""
    decision = decide(service, partial(look, session), force=force)
    if decision.verdict == "forced":
        session.note("What is in flight was not looked at (--force): what can't be read will be parked.")
    if decision.verdict == "refused":
        show(session, decision.blocking)
        session.note(
            "This version could not read what is in flight; nothing was deployed. Keep reading the old version "
            "(an upcaster), or wait or archive what is there. --force deploys all the same."
        )
        raise click.exceptions.Exit(FAILED)


def _to_aws(session: Session, service: str | None, *, sure: bool, force: bool) -> tuple[str, ...]:
    region = session.region or os.environ.get("AWS_REGION")  # boto3, unlike the AWS CLI, does not read that
    goal = deploying.aws_target(session.env, service, profile=session.profile, region=region)
    session.note(f"Environment {goal.env}: account {goal.account}, region {goal.region}, as {goal.caller}")
    session.note("\n".join(f"  {stack}" for stack in goal.stacks))
    _gate(session, service, force=force)
    if not sure:
        _ask(session)
    with shown(session.err) as progress:
        return deploying.deploy_to_aws(goal, progress)


def _ask(session: Session) -> None:
    """Goes on only after a yes."""
    said_yes = False
    try:
        said_yes = click.confirm("Deploy to this account?", err=True)
    finally:
        if not said_yes:
            session.note("Nothing was deployed. (--yes deploys without asking.)")
    if not said_yes:
        raise click.exceptions.Exit(FAILED)
