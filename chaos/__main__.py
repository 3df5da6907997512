"""`python -m chaos`: breaks the pipeline on an engine of its own, and checks that nothing was lost."""

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

The engine is the campaign's own (.pipeline/chaos), with a port of its own: yours is left alone. The report is
kept in .pipeline/chaos/report.json. Exit code: 0 if all holds, 1 if not, 2 usage, 130 interrupted."""
FAILED, USAGE, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    options, wants_json = _read(arguments)
    err = Console(stderr=True, highlight=False)
    try:
        with shown(err) as progress:

            def tell(text: str) -> None:
                progress(Step("campaign", "started", text))
                if not err.is_terminal:
                    err.print(text)

            outcome = run(options, tell=tell, progress=progress)
    except KeyboardInterrupt:
        err.print("Interrupted; the campaign's engine is stopped.")
        return INTERRUPTED
    except LocalError as error:
        err.print(str(error))
        return FAILED
    kept = _kept(outcome)
    if wants_json:
        print(json.dumps(as_json(outcome), indent=2, default=str))
    else:
        _show(Console(highlight=False), outcome, kept)
    return 0 if outcome.holds else FAILED


def _read(arguments: Sequence[str] | None) -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Break the pipeline in every way it must survive, and check that nothing was lost.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="what happens to whom (default: 1)")
    parser.add_argument("--pipelines", type=int, default=2000, help=f"{FEWEST} or more (default: 2000)")
    parser.add_argument("--rate", type=float, default=20.0, help="published per second (default: 20)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    given = parser.parse_args(arguments)
    if given.pipelines < FEWEST:
        parser.error(f"--pipelines must be {FEWEST} or more, so that each fault finds one")
    if not given.rate > 0:
        parser.error("--rate must be more than 0")
    return Options(seed=given.seed, pipelines=given.pipelines, per_second=given.rate), given.json


def _kept(outcome: Outcome) -> Path:
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / "report.json"
    file.write_text(json.dumps(as_json(outcome), indent=2, default=str))
    return file


def _show(out: Console, outcome: Outcome, kept: Path) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("fault")
    table.add_column("injected", justify="right")
    table.add_column("survived", justify="right")
    found = rows(outcome)
    for row in found:
        style = "" if row.injected == row.survived else "red"
        table.add_row(row.fault, f"{row.injected:,}", f"{row.survived:,}", style=style)
    table.add_section()
    table.add_row(
        "in all", f"{sum(row.injected for row in found):,}", f"{sum(row.survived for row in found):,}"
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
            out.print(f"    and {len(broken) - NAMED:,} more")
    if not outcome.holds:
        out.print(f"\nEvidence: {kept}; the engine's log is beside it.")


if __name__ == "__main__":
    sys.exit(main())
