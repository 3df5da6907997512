"""How the outcomes of checks are printed: a line for each check, a paragraph for each finding."""

import textwrap
from collections.abc import Sequence
from typing import Any

import click

from cli.view.text import counted, printable
from infra.doctor.findings import Finding, Outcome

WIDTH = 80
NAME = 21
"""Width of the column with the mark and the name of a check."""
_COLOURS = {"error": "red", "warning": "yellow"}


def as_fields(outcome: Outcome) -> dict[str, Any]:
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


def print_outcome(outcome: Outcome, *, err: bool = False) -> None:
    """Print a check's line and findings, to stderr with `err`."""
    if outcome.findings:
        worst = "error" if any(finding.severity == "error" for finding in outcome.findings) else "warning"
        mark, colour = ("✗" if worst == "error" else "!"), _COLOURS[worst]
        text = counted(len(outcome.findings), "finding")
    elif outcome.comparisons:
        mark, colour, text = "✓", "green", "; ".join(outcome.comparisons)
    else:
        mark, colour, text = "–", "bright_black", f"not checked: {outcome.skipped}"
    lines = textwrap.wrap(printable(text), WIDTH - NAME, break_on_hyphens=False, break_long_words=False)
    if outcome.skipped and (outcome.findings or outcome.comparisons):
        lines += textwrap.wrap(
            printable(f"not checked: {outcome.skipped}"),
            WIDTH - NAME,
            break_on_hyphens=False,
            break_long_words=False,
        )
    head = click.style(mark, fg=colour) + f" {outcome.check:<{NAME - 3}} "
    click.echo(head + f"\n{' ' * NAME}".join(lines), err=err)
    for finding in outcome.findings:
        _print_finding(finding, err=err)


def _print_finding(finding: Finding, *, err: bool) -> None:
    click.echo(err=err)
    click.secho(_filled(f"{finding.severity}: {finding.where}"), fg=_COLOURS[finding.severity], err=err)
    click.echo(_filled(finding.what), err=err)
    click.echo(_filled(f"Why it matters: {finding.why}"), err=err)
    click.echo(_filled(f"What to do: {finding.fix}"), err=err)
    click.echo(err=err)


def _filled(text: str) -> str:
    return textwrap.fill(
        printable(text),
        WIDTH,
        initial_indent="    ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def print_summary(outcomes: Sequence[Outcome]) -> None:
    checks = counted(len(outcomes), "check")
    severities = [finding.severity for outcome in outcomes for finding in outcome.findings]
    errors, warnings = severities.count("error"), severities.count("warning")
    if not errors and not warnings:
        skipped = sum(1 for outcome in outcomes if not outcome.comparisons)
        click.echo(f"{checks}, in order" + (f"; {skipped} skipped." if skipped else "."))
    else:
        click.echo(f"{checks}: {counted(errors, 'error')}, {counted(warnings, 'warning')}.")
