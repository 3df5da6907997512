"""`pipeline deploy`."""

import os

import click

from cli.main import FAILED
from cli.session import Session, TargetCommand
from cli.steps import shown
from local import deploy as deploying
from local.engine import Engine


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline deploy --service analyzer
  pipeline --env dev deploy
  pipeline --env prod deploy --service chatbot --yes""",
)
@click.option("--service", metavar="NAME", help="Only this one; a service, or `platform`, `workflow`, `monitoring`.")
@click.option("--yes", is_flag=True, help="Don't ask before deploying to an AWS account.")
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
@click.pass_obj
def deploy(session: Session, service: str | None, *, yes: bool, as_json: bool) -> None:
    """Deploy all stacks, or one service alone.

    To the local engine, or with --env to AWS: there it says account and region
    first, and asks.
    """
    parts = _to_engine(session, service) if session.is_local else _to_aws(session, service, sure=yes)
    if as_json:
        session.json({"env": session.env, "deployed": parts})
    else:
        click.echo(f"Deployed: {', '.join(parts)}" if parts else "Nothing has changed; nothing was deployed.")


def _to_engine(session: Session, service: str | None) -> tuple[str, ...]:
    with shown(session) as progress:
        return deploying.deploy(Engine(), service, progress)


def _to_aws(session: Session, service: str | None, *, sure: bool) -> tuple[str, ...]:
    region = session.region or os.environ.get("AWS_REGION")  # boto3, unlike the AWS CLI, does not read that
    goal = deploying.aws_target(session.env, service, profile=session.profile, region=region)
    session.note(f"Environment {goal.env}: account {goal.account}, region {goal.region}, as {goal.caller}")
    session.note("\n".join(f"  {stack}" for stack in goal.stacks))
    if not sure:
        _ask(session)
    with shown(session) as progress:
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
