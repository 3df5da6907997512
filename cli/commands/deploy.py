"""`pipeline deploy`."""

import os
from functools import partial

import click

from cli.commands.deploy_check import look, show
from cli.commands.preflight import stop_on_errors
from cli.exit_codes import FAILED
from cli.session import Session, TargetCommand
from cli.view.steps import shown
from local import aws_deploy
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
    "--service", metavar="NAME", help="Deploy only this service, or `platform`, `workflow` or `monitoring`."
)
@click.option("--yes", is_flag=True, help="Do not ask before deploying to an AWS account.")
@click.option(
    "--force",
    is_flag=True,
    help="Skip the check of what is in flight; messages that this version cannot read will be parked.",
)
@click.option(
    "--skip-preflight", is_flag=True, help="Skip the checks of the AWS account and region (see preflight)."
)
@click.option("--json", "as_json", is_flag=True, help="Print what was deployed as JSON.")
@click.pass_obj
def deploy(  # noqa: PLR0913 -- one for each option
    session: Session, service: str | None, *, yes: bool, force: bool, skip_preflight: bool, as_json: bool
) -> None:
    """Deploy all stacks, or one service alone.

    Deploys to the local engine, or with --env to AWS; on AWS, the account and region
    are printed first and you are asked to confirm. A deployment is refused if this
    version cannot read the messages and executions in flight (see deploy-check), or
    if the AWS account is not ready for it (see preflight).
    """
    if session.is_local:
        parts = _to_engine(session, service, force=force)
    else:
        parts = _to_aws(session, service, sure=yes, force=force, skip_preflight=skip_preflight)
    if as_json:
        session.json({"env": session.env, "deployed": parts})
    else:
        click.echo(
            f"Deployed: {', '.join(parts)}" if parts else "Nothing has changed, so nothing was deployed."
        )


def _to_engine(session: Session, service: str | None, *, force: bool) -> tuple[str, ...]:
    Engine().running()  # fails before anything is read
    _gate(session, service, force=force)
    with shown(session.err) as progress:
        return deploying.deploy(Engine(), service, progress)


def _gate(session: Session, service: str | None, *, force: bool) -> None:
    """Ask the gate about what is in flight; exit with its reasons if it refuses the deployment."""
    decision = decide(service, partial(look, session), force=force)
    if decision.verdict == "forced":
        session.note(
            "Messages in flight were not checked (--force); those that this version cannot read will be parked."
        )
    if decision.verdict == "refused":
        show(session, decision.blocking)
        session.note(
            "This version cannot read what is in flight, so nothing was deployed. Keep reading the old event "
            "version (write an upcaster), wait until the messages are handled, or archive them. "
            "--force deploys anyway."
        )
        raise click.exceptions.Exit(FAILED)


def _to_aws(
    session: Session, service: str | None, *, sure: bool, force: bool, skip_preflight: bool
) -> tuple[str, ...]:
    # boto3, unlike the AWS CLI, does not read this variable
    region = session.region or os.environ.get("AWS_REGION")
    goal = aws_deploy.aws_target(session.env, service, profile=session.profile, region=region)
    session.note(f"Environment {goal.env}: account {goal.account}, region {goal.region}, as {goal.caller}")
    session.note("\n".join(f"  {stack}" for stack in goal.stacks))
    stop_on_errors(session, skip=skip_preflight)
    _gate(session, service, force=force)
    if not sure:
        _ask(session)
    with shown(session.err) as progress:
        return aws_deploy.deploy_to_aws(goal, progress)


def _ask(session: Session) -> None:
    """Ask for confirmation; exit unless the answer is yes."""
    confirmed = False
    try:
        confirmed = click.confirm("Deploy to this account?", err=True)
    finally:
        if not confirmed:
            session.note("Nothing was deployed. Add --yes to deploy without being asked.")
    if not confirmed:
        raise click.exceptions.Exit(FAILED)
