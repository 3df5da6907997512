"""`pipeline doctor`."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.exit_codes import FAILED
from cli.session import Session, TargetCommand
from cli.view.steps import shown
from cli.view.text import counted, printable

if TYPE_CHECKING:
    from infra.doctor.findings import Finding, Outcome
    from infra.doctor.model import System

WIDTH = 80
NAME = 21
"""Width of the column with the mark and the name of a check."""
_COLOURS = {"error": "red", "warning": "yellow"}


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
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
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
                "checks": [_fields(outcome) for outcome in outcomes],
            }
        )
    else:
        for outcome in outcomes:
            _print_outcome(outcome)
        _print_summary(outcomes, errors=len(errors), warnings=len(findings) - len(errors))
    if failed:
        raise click.exceptions.Exit(FAILED)


def _system(session: Session, templates: Path | None, *, live: bool) -> "System":
    from operations.health import doctor as sources  # noqa: PLC0415 -- botocore

    if templates:
        return sources.in_folder(session.env, templates)
    sources.environment(session.env)  # an unknown name fails before slow work begins
    if live:
        target = session.target
        with shown(session.err) as progress:
            return sources.deployed(target, progress)
    with shown(session.err) as progress:
        return sources.synthesised(session.env, progress)


def _fields(outcome: "Outcome") -> dict[str, Any]:
    return {
        "check": outcome.check,
        "held": outcome.comparisons,
        "skipped": outcome.skipped,
        "findings": [
            {
                "check": finding.check,
                "severity": finding.severity,
                "where": finding.where,
                "what": finding.what,
                "why": finding.why,
                "mend": finding.fix,
            }
            for finding in outcome.findings
        ],
    }


def _print_outcome(outcome: "Outcome") -> None:
    if outcome.findings:
        worst = "error" if any(finding.severity == "error" for finding in outcome.findings) else "warning"
        mark, colour = ("✗" if worst == "error" else "!"), _COLOURS[worst]
        text = counted(len(outcome.findings), "finding")
    elif outcome.comparisons:
        mark, colour, text = "✓", "green", "; ".join(outcome.comparisons)
    else:
        mark, colour, text = "–", "bright_black", f"not checked: {outcome.skipped}"
    lines = textwrap.wrap(printable(text), WIDTH - NAME, break_on_hyphens=False, break_long_words=False)
    head = click.style(mark, fg=colour) + f" {outcome.check:<{NAME - 3}} "
    click.echo(head + f"\n{' ' * NAME}".join(lines))
    for finding in outcome.findings:
        _print_finding(finding)


def _print_finding(finding: "Finding") -> None:
    click.echo()
    click.secho(_filled(f"{finding.severity}: {finding.where}"), fg=_COLOURS[finding.severity])
    click.echo(_filled(finding.what))
    click.echo(_filled(f"Why it matters: {finding.why}"))
    click.echo(_filled(f"What to do: {finding.fix}"))
    click.echo()


def _filled(text: str) -> str:
    return textwrap.fill(
        printable(text), WIDTH, initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
    )


def _print_summary(outcomes: "list[Outcome]", *, errors: int, warnings: int) -> None:
    checks = counted(len(outcomes), "check")
    if not errors and not warnings:
        skipped = sum(1 for outcome in outcomes if not outcome.comparisons)
        click.echo(f"{checks}, in order" + (f"; {skipped} skipped." if skipped else "."))
    else:
        click.echo(f"{checks}: {counted(errors, 'error')}, {counted(warnings, 'warning')}.")
