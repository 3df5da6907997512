"""What a million runs cost, counted from the records of real runs on local engines, beside the direct design.

python -m bench.cost_per_million               measures (a minute) and writes bench/results/cost.json
python -m bench.cost_per_million --show        the tables of the last results

Both designs are priced with `shared/costs`: the pipeline by its own ledger, the direct design by what it would be
charged for: transitions, invocations, the same metered work, the record. Tokens are those the local model server
reports, few, priced as the chatbot's default model's: with real answers both designs come closer. Left out of both,
since no record can tell: cold starts, and the time of the logger's function; of the pipeline also the starter's and
the callbacks'.
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
from shared.contracts.stages import STAGES
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
"""Nano-dollars of a run to dollars of a million runs: divided by this."""


def direct_ledger(run: RunFacts, record_bytes: int) -> Ledger:
    """What the direct design is charged for: its one event, a transition and an invocation for each stage, the
    record. `run` has the meters of its stages.
    """
    book = Book(price_list(run.region, run.day))
    book.add(START, "event", "event direct.requested")
    book.add(START, "transition", "transition: start")
    book.logs(START, "the state machine", HISTORY_ENDS * LOG_BYTES_HISTORY)
    for stage, row in zip(run.stages, STAGES, strict=True):
        book.add(stage.key, "transition", f"transition into {row.state}")
        book.add(stage.key, "invocation", f"function {row.service}")
        book.logs(stage.key, row.service, LOG_BYTES_INVOCATION + LOG_BYTES_MESSAGE)
        book.logs(stage.key, "the state machine", HISTORY_STATE * LOG_BYTES_HISTORY)
        if stage.work_ms is not None and stage.memory_mb and stage.architecture:
            used = stage.memory_mb * stage.work_ms
            book.add(stage.key, "time", f"work of {row.service}", used, price=stage.architecture)
        if stage.model_id:
            book.tokens(stage.key, stage.model_id, stage.input_tokens, stage.output_tokens)
    book.add(LOG, "write", "write: the record", -(-record_bytes // KB))
    return Ledger(region=run.region, day=run.day, prices=book.prices, lines=tuple(book.lines), unmetered=())


def priced(design: str, records: Sequence[Record]) -> list[Ledger]:
    """Raises SystemExit for a record that no ledger can be made of."""
    found = []
    for record in records:
        run = facts(record)
        if run is None or run.outcome != "SUCCEEDED":
            raise SystemExit(f"{record['pipeline_id']} is no finished run, so it has no price")
        run = msgspec.structs.replace(run, stages=tuple(map(_priced_as_default, run.stages)))
        direct = design == DIRECT
        found.append(direct_ledger(run, item_bytes(record)) if direct else ledger(run))
    return found


def _priced_as_default(stage: StageFacts) -> StageFacts:
    """The engine's model has no price: its tokens count as those of the chatbot's default model."""
    return msgspec.structs.replace(stage, model_id=Settings().model_id) if stage.model_id else stage


def summary(ledgers: Sequence[Ledger]) -> dict[str, Any]:
    """Dollars per million runs, by hop and by service; means over runs."""
    by: dict[str, dict[str, float]] = {"hops": {}, "services": {}}
    for one in ledgers:
        for line in one.lines:
            for name, key in (("hops", line.stage), ("services", line.service)):
                if name == "hops" and line.service == MODEL:
                    continue
                dollars = (line.nanos or 0) / PER_MILLION / len(ledgers)
                by[name][key] = by[name].get(key, 0.0) + dollars
    tokens = by["services"].pop(MODEL, 0.0)
    unknown = sorted({name for one in ledgers for name in one.unknown})
    return {**by, "without_model": sum(by["hops"].values()), "model": tokens, "unpriced": unknown}


def measure() -> dict[str, Any]:
    about = machine()
    with arena(limits(chatbot=4, others=2), (EVENTS, DIRECT)) as made:
        runs: dict[str, list[Record]] = {}
        for design, (deployment, entrance) in made.designs.items():
            alone = one_by_one(deployment, entrance, ALONE)
            records = deployment.records()
            runs[design] = [records[one.pipeline_id] for one in alone]
        deployment, entrance = made.designs[EVENTS]
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
    made = Table(by, *designs, title="Dollars for a million runs, without the model")
    for name in dict.fromkeys(key for one in designs.values() for key in one[by]):
        made.add_row(name, *(f"{one[by].get(name, 0.0):.2f}" for one in designs.values()))
    made.add_section()
    made.add_row("sum", *(f"{one['without_model']:.2f}" for one in designs.values()))
    made.add_row("model's tokens", *(f"{one['model']:.2f}" for one in designs.values()))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--show", action="store_true", help="the last results, measuring nothing")
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
