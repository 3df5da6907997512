"""`pipeline doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.bounds import Number
from cli.session import Session, TargetCommand
from cli.view.outcomes import as_fields, print_outcome, print_summary
from cli.view.steps import shown
from local.exit_codes import FAILED

if TYPE_CHECKING:
    from infra.doctor.model import System


@click.command(
    cls=TargetCommand,
    epilog="""\b
Examples:
  pipeline doctor --env prod
  pipeline doctor --env prod --rate 100 --region us-east-1
  pipeline doctor --live
  pipeline doctor --env dev --live --strict
  pipeline doctor --env dev --templates cdk.out --json
\b
Exit codes: 0 no errors, 1 an error (with --strict: or a warning),
2 wrong usage, 4 not reachable or not deployed (--live).""",
)
@click.option("--live", is_flag=True, help="Check what is deployed instead of the code.")
@click.option(
    "--templates",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Check the templates in a folder that `cdk synth` has written.",
)
@click.option(
    "--rate",
    type=Number(min=0, min_open=True, max=1_000_000),
    metavar="N",
    help="Target load in requests per second; by default that of the environment.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings, too.")
@click.option("--json", "as_json", is_flag=True, help="Print every check and finding as JSON.")
@click.pass_obj
def doctor(  # noqa: PLR0913 -- one for each option
    session: Session,
    *,
    live: bool,
    templates: Path | None,
    rate: float | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Check that the parts of a deployment fit together.

    Checks timeouts, dead-letter queues, event routes, redriving, the size of the
    workflow's state, permissions, quotas and alarms: in the templates made from
    the code, or in what is deployed (--live). Changes nothing.
    """
    if live and templates:
        raise click.UsageError("--live checks what is deployed, --templates a folder. Give one of them.")
    from infra.doctor.checks.capacity import Intent  # noqa: PLC0415 -- loads the contracts
    from infra.doctor.table import examine  # noqa: PLC0415

    system = _system(session, templates, live=live)
    region = session.region or (session.target.region if live else None)
    intent = Intent(rate=rate or system.environment.requests_per_second, region=region)
    outcomes = examine(system, intent)
    findings = [finding for outcome in outcomes for finding in outcome.findings]
    errors = [finding for finding in findings if finding.severity == "error"]
    failed = bool(findings if strict else errors)
    if as_json:
        looked_at = "deployed" if live else str(templates) if templates else "code"
        session.json(
            {
                "env": session.env,
                "looked_at": looked_at,
                "region": intent.region,
                "requests_per_second": intent.rate,
                "in_order": not failed,
                "checks": [as_fields(outcome) for outcome in outcomes],
            }
        )
    else:
        for outcome in outcomes:
            print_outcome(outcome)
        print_summary(outcomes)
    if failed:
        raise click.exceptions.Exit(FAILED)


def _system(session: Session, templates: Path | None, *, live: bool) -> "System":
    from infra.environments import DEFAULT_REGION  # noqa: PLC0415 -- loads the contracts
    from operations.health import doctor as sources  # noqa: PLC0415 -- botocore

    region = session.region or DEFAULT_REGION
    if templates:
        return sources.in_folder(session.env, templates, region=region)
    if live:
        target = session.target
        with shown(session.err) as progress:
            return sources.deployed(target, progress)
    with shown(session.err) as progress:
        return sources.synthesised(session.env, progress, region=region)
