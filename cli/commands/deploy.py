"""`pipeline deploy`."""

import os
import time
from functools import partial

import click

from cli.commands.deploy_check import look, show
from cli.commands.preflight import stop_on_errors
from cli.session import Session, TargetCommand
from cli.view import changes as changing
from cli.view.steps import shown
from cli.view.teardown import still_needed
from local import aws_deploy
from local import deploy as deploying
from local.engine import Engine
from local.exit_codes import FAILED
from operations.deployment.changes import Changes
from operations.deployment.removed import delete_removed, intended, removed_stages
from operations.deployment.workflow import deployed_states
from operations.errors import OperationError
from operations.inflight.gate import decide
from operations.progress import step
from shared.contracts.stages import BY_SERVICE


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
    "--allow-data-loss",
    is_flag=True,
    help="With --yes: also deploy if a table, queue, archive or API is removed or replaced.",
)
@click.option(
    "--skip-preflight", is_flag=True, help="Skip the checks of the AWS account and region (see preflight)."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print what was deployed, and on AWS what changed, as JSON."
)
@click.pass_obj
def deploy(  # noqa: PLR0913 -- its options
    session: Session,
    service: str | None,
    *,
    yes: bool,
    force: bool,
    allow_data_loss: bool,
    skip_preflight: bool,
    as_json: bool,
) -> None:
    """Deploy all stacks, or one service alone.

    Deploys to the local engine, or with --env to AWS; on AWS, the account and region,
    and what changes there, are printed first and you are asked to confirm. A
    deployment is refused if this version cannot read the messages and executions in
    flight (see deploy-check), or if the AWS account is not ready (see preflight).

    A stage that was removed from the code, or switched off by its option, leaves its stack
    behind while runs that began before may still need it. Deploying everything deletes
    that stack as soon as none does.
    """
    changes: Changes | None = None
    if session.is_local:
        parts = _to_engine(session, service, force=force)
    else:
        parts, changes = _to_aws(
            session, service, sure=yes, force=force, losing=allow_data_loss, skip_preflight=skip_preflight
        )
    removed = () if service else _tidy(session)
    if service:
        _say_if_unreached(session, service)
    if as_json:
        session.json(
            {
                "env": session.env,
                "deployed": parts,
                "deleted": removed,
                **({"changes": changes} if changes is not None else {}),
            }
        )
    else:
        nothing = f"Nothing {'else ' if removed else ''}has changed, so nothing was deployed."
        click.echo(f"Deployed: {', '.join(parts)}" if parts else nothing)


def _to_engine(session: Session, service: str | None, *, force: bool) -> tuple[str, ...]:
    Engine().running()  # fails before anything is read
    _gate(session, service, force=force)
    with shown(session.err) as progress:
        return deploying.deploy(Engine(), service, progress)


def _wait(session: Session, seconds: float) -> None:
    session.note(f"Waiting {seconds:.0f} s, until no run begins with the previous workflow.")
    time.sleep(seconds)


def _tidy(session: Session) -> tuple[str, ...]:
    """Delete the stacks of removed and switched off stages; say of each that is still needed, by what.

    Return the names of those that are deleted.
    """
    gone: list[str] = []
    try:
        for stage in removed_stages(session.target, partial(_wait, session)):
            if not stage.idle:
                session.note(still_needed(stage, session.command("deploy")))
                continue
            with (
                shown(session.err) as progress,
                step(progress, stage.part, f"deleting {stage.stack.stack.name}"),
            ):
                delete_removed(session.target, stage)
            gone.append(stage.part)
    except OperationError as error:  # everything is deployed all the same
        session.note(
            f"Stacks of stages that were removed or switched off were not looked for, or not deleted: {error}"
        )
    return tuple(gone)


def _say_if_unreached(session: Session, service: str) -> None:
    """Say that the deployed workflow lacks a stage that was deployed alone, and what to do."""
    stage = BY_SERVICE.get(service)
    if stage is None:
        return
    try:
        if stage.state in deployed_states(session.target):
            return
        is_off = stage not in intended(session.target)
    except OperationError:  # who may not read the workflow has deployed the stage all the same
        return
    first = (
        f"The stage {stage.key} is switched off in environment {session.env}. Set the option {stage.key} to true "
        f"in environments/{session.env}.toml, then deploy everything"
        if is_off
        else f"The deployed workflow does not have the stage {stage.key} yet. Deploy everything"
    )
    session.note(f"No run reaches what was deployed. {first}: {session.command('deploy')}")


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


def _to_aws(  # noqa: PLR0913 -- its options
    session: Session, service: str | None, *, sure: bool, force: bool, losing: bool, skip_preflight: bool
) -> tuple[tuple[str, ...], Changes]:
    # boto3, unlike the AWS CLI, does not read this variable
    region = session.region or os.environ.get("AWS_REGION")
    goal = aws_deploy.aws_target(session.env, service, profile=session.profile, region=region)
    session.note(f"Environment {goal.env}: account {goal.account}, region {goal.region}, as {goal.caller}")
    stop_on_errors(session, skip=skip_preflight)
    with aws_deploy.exclusive(goal.env):
        with shown(session.err) as progress:
            prepared = aws_deploy.prepare(goal, progress)
        changes = prepared.changes
        session.note("\n".join(changing.lines(changes)))
        if changes.nothing:
            return (), changes
        _gate(session, service, force=force)
        _require_losses_accepted(session, changes, sure=sure, losing=losing)
        if not sure:
            _ask(session, "Deploy to this account?", "Add --yes to deploy without being asked.")
        with shown(session.err) as progress:
            return aws_deploy.deploy_to_aws(prepared, progress), changes


def _require_losses_accepted(session: Session, changes: Changes, *, sure: bool, losing: bool) -> None:
    """Name what is lost; exit unless that is confirmed by an answer, or by its own option."""
    if not changes.losses:
        return
    session.note("This deployment removes or replaces:")
    session.note("\n".join(changing.losses(changes)))
    if losing:
        return
    if sure:
        session.note("Nothing was deployed, because --yes does not cover this. Add --allow-data-loss.")
        raise click.exceptions.Exit(FAILED)
    _ask(session, "Deploy all the same?", "To keep them, restore them in the code or in the file of options.")


def _ask(session: Session, question: str, hint: str) -> None:
    """Ask for confirmation; exit unless the answer is yes."""
    confirmed = False
    try:
        confirmed = click.confirm(question, err=True)
    finally:
        if not confirmed:
            session.note(f"Nothing was deployed. {hint}")
    if not confirmed:
        raise click.exceptions.Exit(FAILED)
