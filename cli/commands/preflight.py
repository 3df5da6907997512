"""`pipeline preflight`."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cli.session import Session, TargetCommand
from cli.view.outcomes import as_fields, print_outcome, print_summary
from local.exit_codes import FAILED

if TYPE_CHECKING:
    from infra.doctor.findings import Outcome

FOR_AWS = "Preflight checks an AWS account. The local engine needs none; name an environment, e.g. --env dev."


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline preflight --env dev
  pipeline preflight --env prod --region eu-west-1 --call-model
  pipeline preflight --env dev --json
\b
Exit codes: 0 no errors, 1 an error (with --strict: or a warning),
2 wrong usage.""",
)
@click.option("--call-model", is_flag=True, help="Also ask each model for one token, which costs a little.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print every check and finding as JSON.")
@click.pass_obj
def preflight(session: Session, *, call_model: bool, strict: bool, as_json: bool) -> None:
    """Check that an AWS account is ready for a deployment.

    Checks the credentials, the CDK's bootstrap stack, the region and its services,
    access to the configured model, a price for it, and the account's concurrency and
    quotas for the intended rate. What the credentials do not allow is listed as not
    checked. Changes nothing; --call-model may subscribe the account to the model.
    """
    if session.is_local:
        outcomes: list[Outcome] = []
        session.note(FOR_AWS)
    else:
        outcomes = examined(session, call_model=call_model)
    failed = any(
        strict or finding.severity == "error" for outcome in outcomes for finding in outcome.findings
    )
    if as_json:
        checks = [as_fields(outcome) for outcome in outcomes]
        session.json({"env": session.env, "in_order": not failed, "checks": checks})
    elif outcomes:
        for outcome in outcomes:
            print_outcome(outcome)
        print_summary(outcomes)
    if failed:
        raise click.exceptions.Exit(FAILED)


def examined(session: Session, *, call_model: bool = False) -> "list[Outcome]":
    from local.targets import find_target  # noqa: PLC0415 -- botocore
    from operations.preflight.preflight import preflight as run  # noqa: PLC0415

    # Not the session's target: that one asks AWS for the account first, and fails without credentials.
    region = session.region or os.environ.get("AWS_REGION")
    target = find_target(session.env, region=region, profile=session.profile)
    with session.err.status("checking the account and the region", spinner_style="dim"):
        return run(target, call_model=call_model)


def stop_on_errors(session: Session, *, skip: bool) -> None:
    """Print the findings before a deployment, and exit if one is an error; with `skip`, check nothing and say so."""
    if skip:
        session.note("The account and the region were not checked (--skip-preflight).")
        return
    outcomes: Sequence[Outcome] = [outcome for outcome in examined(session) if outcome.findings]
    for outcome in outcomes:
        print_outcome(outcome, err=True)
    if any(finding.severity == "error" for outcome in outcomes for finding in outcome.findings):
        session.note(
            "Preflight found an error, so nothing was deployed. Fix it, then check again: "
            f"{session.command('preflight')}. --skip-preflight deploys anyway."
        )
        raise click.exceptions.Exit(FAILED)
