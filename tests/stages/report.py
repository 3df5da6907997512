"""What each part makes of the stage table, whichever stages it has."""

import json
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.probing import DATA
from chaos.deployment import FUNCTION_NAMES
from cli.view.journeys import _results, _table
from console.models.run import run_view
from contracts.asyncapi import asyncapi
from contracts.examples import outcome_of, request_data
from contracts.handbook import handbook
from contracts.openapi import openapi
from contracts.parties import parties
from infra import synthesis
from infra.doctor.largest_run import CONVERSATIONS, heaviest_request
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.options import OPTIONS, load
from infra.parts import in_order
from operations.runs.journey import assemble, told
from scale.shape import shape
from services.logger.core import completed
from services.trigger.api.core import public
from services.trigger.starter.core import execution_input
from shared.contracts import v1, v2
from shared.contracts.envelope import Metadata
from shared.contracts.stages import RECORDED, STAGES, LogRequested
from shared.costs.facts import facts
from shared.costs.ledger import ledger
from shared.metrics import METRICS

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def report(folder: Path) -> dict[str, Any]:
    """Return what each part makes of the table. `folder` is for the templates."""
    return {
        **_deployed(folder),
        **_contracts(),
        **_runs(),
        **_numbers(),
    }


def _deployed(folder: Path) -> dict[str, Any]:
    environment = load("dev")
    synthesis.synthesise(environment, folder / "out", synthesis.stand_ins(folder / "bundle"))
    templates = synthesis.templates(folder / "out")
    system = read(templates, environment)
    (machine,) = system.machines.values()
    return {
        "findings": [
            f"{one.check}: {finding.where}: {finding.what}"
            for one in examine(system)
            for finding in one.findings
        ],
        "parts": in_order(),
        "options": [name for name in OPTIONS if name.endswith(("_scales", "_notary"))],
        "states": {
            state.name: {
                "sent": state.detail_type,
                "bus": state.bus is not None,
                "queue": state.queue,
                "caught": bool(state.catches),
            }
            for state in machine.states.values()
            if state.waits
        },
        "functions": {
            function.service: {
                "handler": function.handler,
                "role": bool(function.role),
            }
            for function in system.functions.values()
        },
        "sources": {source.function: source.queue for source in system.sources},
        "rules": {name: list(rule.detail_types) for name, rule in system.rules.items()},
        "templates": {name: json.dumps(template) for name, template in templates.items()},
    }


def _contracts() -> dict[str, Any]:
    bus = asyncapi()
    return {
        "channels": list(bus["channels"]),
        "operations": list(bus["operations"]),
        "record fields": list(openapi()["components"]["schemas"]["Record"]["properties"]),
        "headings": [line for line in handbook().splitlines() if line.startswith("### ")],
        "examples": {stage.service: request_data(stage) for stage in STAGES},
        "parties": {
            name: [parties(name).publishers, parties(name).consumers]
            for name in ("weighing.requested.v1", "signing.requested.v1", "Weighing.v1")
        },
    }


def _runs() -> dict[str, Any]:
    meter = {
        "queue_wait_ms": 5,
        "work_ms": 7,
        "attempt": 0,
        "receives": 1,
        "memory_mb": 128,
        "architecture": "arm64",
    }
    model = {"model_id": "amazon.nova-lite-v1:0", "input_tokens": 1_000, "output_tokens": 100}
    results = {stage.key: {"data": outcome_of(stage)["data"], "meter": meter} for stage in RECORDED}
    results["weighing"]["meter"] = {**meter, **model}
    metadata = Metadata(
        event_id="e",
        pipeline_id="p",
        schema="log.requested",
        schema_version=1,
        occurred_at=NOW,
        correlation_id="c",
        execution_arn="arn:aws:states:us-east-1:000000000000:execution:machine:p",
    )
    request = {
        "user_message": "Hi",
        "accepted_at": NOW.isoformat(),
        "started_at": NOW.isoformat(),
        "results": results,
        "errors": {},
    }
    own = v1.Meter(queue_wait_ms=1, work_ms=1, attempt=0, receives=1)
    run = completed(msgspec.convert(request, LogRequested), metadata, NOW, own)
    record = {"pipeline_id": "p", "status": "SUCCEEDED", **run.fields, **run.first}
    journey = assemble("p", record, None)
    known = facts(record)
    assert known is not None
    screen = Console(width=120, record=True, file=StringIO())
    screen.print(_table(journey))
    started = json.loads(
        execution_input(v2.PipelineRequested(messages=(v1.Turn(role="user", text="Hi"),)), metadata)
    )
    return {
        "started results": started["results"],
        "record": {key: record.get(key) for key in ("weighing", "signing", "chat")},
        "shown": public(record),
        "cost": run.fields["cost"],
        "cost lines": {line.what: line.stage for line in ledger(known).lines},
        "journey": [[stage.key, stage.status] for stage in journey.stages],
        "told": told(journey)["weighing"],
        "screen": screen.export_text(),
        "rows": _results(journey),
        "boxes": [box.name for box in run_view(journey, None, NOW).boxes],
    }


def _numbers() -> dict[str, Any]:
    largest = json.loads(heaviest_request(next(iter(CONVERSATIONS.values()))))["data"]
    return {
        "largest": {key: len(json.dumps(value["data"])) for key, value in largest["results"].items()},
        "largest errors": list(largest["errors"]),
        "metrics": {name: list(metric.by) for name, metric in METRICS.items()},
        "stations": [step.station.name for step in shape().steps],
        "bench": list(DATA),
        "chaos": list(FUNCTION_NAMES),
    }
