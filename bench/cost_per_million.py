"""The cost of a million runs, from the records of real runs on local engines, compared with the direct design.

python -m bench.cost_per_million               measure for a minute and write bench/results/cost.json
python -m bench.cost_per_million --show        print the tables of the last results

Both designs are priced with `shared/costs`: the pipeline by its own ledger, the direct design by what AWS would
charge for it: transitions, invocations, the same metered work, the record. The few tokens are those that the local
model server reports, at the price of the chatbot's default model; with longer answers, the ratio of both designs is
closer to 1. Not included, because no record has them: cold starts and the time of the logger's function, and for the
pipeline also the time of the starter and of the callbacks.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench import goals
from bench.end_to_end.burst import burst, one_by_one
from bench.end_to_end.machine import machine
from bench.end_to_end.stage import DIRECT, EVENTS, arena, limits
from services.chatbot.settings import Settings
from shared.contracts.record import Record
from shared.contracts.stages import BY_KEY
from shared.costs.facts import RunFacts, StageFacts, facts, item_bytes
from shared.costs.ledger import (
    HISTORY_ENDS,
    HISTORY_STATE,
    KB,
    LOG,
    LOG_BYTES_HISTORY,
    LOG_BYTES_INVOCATION,
    LOG_BYTES_MESSAGE,
    START,
    ledger,
)
from shared.costs.lines import Book, Ledger
from shared.costs.prices import price_list

RESULTS = Path(__file__).parent / "results" / "cost.json"
ALONE, BURST = 20, 200
MODEL = "Model"
PER_MILLION = 1_000
"""Nano-dollars of one run, divided by this, are dollars of a million runs."""


def direct_ledger(run: RunFacts, record_bytes: int) -> Ledger:
    """Return the ledger of a run of the direct design: its event, each stage's transition and invocation, its record.

    `run` has the meters of the stages.
    """
    book = Book(price_list(run.region, run.day))
    book.add(START, "event", "event direct.requested")
    book.add(START, "transition", "transition: start")
    book.logs(START, "the state machine", HISTORY_ENDS * LOG_BYTES_HISTORY)
    for stage in run.stages:
        row = BY_KEY[stage.key]
        book.add(stage.key, "transition", f"transition into {row.state}")
        book.add(stage.key, "invocation", f"function {row.service}")
        book.logs(stage.key, row.service, LOG_BYTES_INVOCATION + LOG_BYTES_MESSAGE)
        book.logs(stage.key, "the state machine", HISTORY_STATE * LOG_BYTES_HISTORY)
        if stage.work_ms is not None and stage.memory_mb and stage.architecture:
            used = stage.memory_mb * stage.work_ms
            book.add(stage.key, "time", f"work of {row.service}", used, price=stage.architecture)
        if stage.model_id:
            book.tokens(stage.key, stage.model_id, stage.tokens)
    book.add(LOG, "write", "write: the record", -(-record_bytes // KB))
    return Ledger(region=run.region, day=run.day, prices=book.prices, lines=tuple(book.lines), unmetered=())


def priced(design: str, records: Sequence[Record]) -> list[Ledger]:
    """Return the ledgers of the runs. Raises SystemExit for a record of a run that did not succeed."""
    ledgers = []
    for record in records:
        run = facts(record)
        if run is None or run.outcome != "SUCCEEDED":
            raise SystemExit(
                f"Run {record['pipeline_id']} did not succeed, so that it has no price. Measure again: "
                "python -m bench.cost_per_million"
            )
        run = msgspec.structs.replace(run, stages=tuple(map(_priced_as_default, run.stages)))
        direct = design == DIRECT
        ledgers.append(direct_ledger(run, item_bytes(record)) if direct else ledger(run))
    return ledgers


def _priced_as_default(stage: StageFacts) -> StageFacts:
    """Price the tokens as those of the chatbot's default model, because the engine's model has no price."""
    return msgspec.structs.replace(stage, model_id=Settings().model_id) if stage.model_id else stage


def summary(ledgers: Sequence[Ledger]) -> dict[str, Any]:
    """Return dollars per million runs, by hop and by service, as means over the runs."""
    by: dict[str, dict[str, float]] = {"hops": {}, "services": {}}
    for run in ledgers:
        for line in run.lines:
            for name, key in (("hops", line.stage), ("services", line.service)):
                if name == "hops" and line.service == MODEL:
                    continue
                dollars = (line.nanos or 0) / PER_MILLION / len(ledgers)
                by[name][key] = by[name].get(key, 0.0) + dollars
    tokens = by["services"].pop(MODEL, 0.0)
    unknown = sorted({name for run in ledgers for name in run.unknown})
    return {**by, "without_model": sum(by["hops"].values()), "model": tokens, "unpriced": unknown}


def measure() -> dict[str, Any]:
    about = machine()
    with arena(limits(chatbot=4, others=2), (EVENTS, DIRECT)) as rivals:
        runs: dict[str, list[Record]] = {}
        for design, (deployment, entrance) in rivals.designs.items():
            alone = one_by_one(deployment, entrance, ALONE)
            records = deployment.records()
            runs[design] = [records[run.pipeline_id] for run in alone]
        deployment, entrance = rivals.designs[EVENTS]
        before = deployment.records().keys()
        burst(deployment, entrance, BURST, patience_seconds=120)
        after = deployment.records()
        in_bursts = [after[name] for name in after.keys() - before]
    return {
        "machine": about,
        "runs": {EVENTS: ALONE, DIRECT: ALONE, f"{EVENTS}, in a burst": BURST},
        "designs": {
            EVENTS: summary(priced(EVENTS, runs[EVENTS])),
            f"{EVENTS}, in a burst": summary(priced(EVENTS, in_bursts)),
            DIRECT: summary(priced(DIRECT, runs[DIRECT])),
        },
    }


def table(results: Mapping[str, Any], by: str) -> Table:
    designs: Mapping[str, Any] = results["designs"]
    comparison = Table(by, *designs, title="Dollars for a million runs, without the model")
    for name in dict.fromkeys(key for costs in designs.values() for key in costs[by]):
        comparison.add_row(name, *(f"{costs[by].get(name, 0.0):.2f}" for costs in designs.values()))
    comparison.add_section()
    comparison.add_row("sum", *(f"{costs['without_model']:.2f}" for costs in designs.values()))
    comparison.add_row("model's tokens", *(f"{costs['model']:.2f}" for costs in designs.values()))
    return comparison


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="print the last results without measuring")
    if not parser.parse_args().show:
        RESULTS.write_text(json.dumps(measure(), indent=1) + "\n", "utf-8")
    results = json.loads(RESULTS.read_text("utf-8"))
    console = Console()
    for by in ("hops", "services"):
        console.print(table(results, by))
    for line in goals.lines(results, "cost"):
        console.print(line)


if __name__ == "__main__":
    main()
