"""`python -m chaos`: injects faults into the pipeline on a separate engine, and checks that nothing was lost."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.campaign import FOLDER, Options, Outcome, run
from chaos.plan import FEWEST
from chaos.report import NAMED, as_json, facts, rows, verdicts
from cli.view.steps import shown
from local.errors import LocalError
from operations.progress import Step

EXAMPLES = """\
examples:
  make chaos                                        2,000 pipelines, seed 1
  make chaos SEED=7 PIPELINES=200
  .venv/bin/python -m chaos --seed 7 --json > report.json

The campaign runs on a separate engine (.pipeline/chaos) with its own port; your engine is left alone. The report
is written to .pipeline/chaos/report.json. Exit codes: 0 if every invariant holds, 1 if one does not or the
campaign fails, 2 for wrong options, 130 after Ctrl-C."""
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    options, wants_json = _read(arguments)
    err = Console(stderr=True, highlight=False)
    try:
        with shown(err) as progress:

            def announce(text: str) -> None:
                progress(Step("campaign", "started", text))
                if not err.is_terminal:
                    err.print(text)

            outcome = run(options, announce=announce, progress=progress)
    except KeyboardInterrupt:
        err.print("Interrupted. The campaign's engine is stopped, and no report was written.")
        return INTERRUPTED
    except LocalError as error:
        err.print(str(error))
        return FAILED
    report = _write_report(outcome)
    if wants_json:
        print(json.dumps(as_json(outcome), indent=2, default=str))
    else:
        _show(Console(highlight=False), outcome, report)
    return 0 if outcome.holds else FAILED


def _read(arguments: Sequence[str] | None) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Inject every fault that the pipeline must survive, and check that no message was lost.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed that decides which fault hits which run (default: 1)"
    )
    parser.add_argument(
        "--pipelines",
        type=int,
        default=2000,
        help=f"number of runs to start, {FEWEST} or more (default: 2000)",
    )
    parser.add_argument(
        "--rate", type=float, default=20.0, help="messages published per second (default: 20)"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of a table")
    options = parser.parse_args(arguments)
    if options.pipelines < FEWEST:
        parser.error(f"--pipelines must be {FEWEST} or more: with fewer runs, some fault would hit none")
    if not options.rate > 0:
        parser.error("--rate must be more than 0")
    return Options(seed=options.seed, pipelines=options.pipelines, per_second=options.rate), options.json


def _write_report(outcome: Outcome) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "report.json"
    file.write_text(json.dumps(as_json(outcome), indent=2, default=str))
    return file


def _show(out: Console, outcome: Outcome, report: Path) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("fault")
    table.add_column("injected", justify="right")
    table.add_column("survived", justify="right")
    faults = rows(outcome)
    for row in faults:
        style = "" if row.injected == row.survived else "red"
        table.add_row(row.fault, f"{row.injected:,}", f"{row.survived:,}", style=style)
    table.add_section()
    table.add_row(
        "total", f"{sum(row.injected for row in faults):,}", f"{sum(row.survived for row in faults):,}"
    )
    out.print(table)
    out.print()
    for fact in facts(outcome):
        out.print(fact)
    out.print()
    for invariant, broken in verdicts(outcome):
        out.print(f"[red]✗ {invariant}" if broken else f"[green]✓[/] {invariant}")
        for text in broken[:NAMED]:
            out.print(f"    {text}", markup=False)
        if len(broken) > NAMED:
            out.print(f"    and {len(broken) - NAMED:,} more in the report")
    if not outcome.holds:
        out.print(f"\nThe report with all evidence is {report}; the engine's log is in the same folder.")


if __name__ == "__main__":
    sys.exit(main())
