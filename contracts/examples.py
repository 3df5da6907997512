"""The generator of an example for every event and result, made from its schema, so that it always validates.

A value comes from `SAMPLES`, by the field's name, or from those that a stage's types bring along, if it fits the
field's schema; otherwise the schema alone gives it.
A new version of an event therefore has an example as soon as it has a type.
"""

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from contracts.alternatives import Schema, alternatives
from shared.contracts.envelope import SOURCE
from shared.contracts.schemas import event_schema, result_schema
from shared.contracts.stages import ANSWERING, RECORDED, STAGES, Stage

PIPELINE_ID = "0b61f2bf-5c2e-4a14-9a0e-3d0b8f2f6c11"
EXECUTION = "arn:aws:states:eu-central-1:111122223333:execution:ai-pipeline-prod"
MOMENT = "2026-11-23T09:30:00Z"

_LACKING = [stage for stage in RECORDED if not stage.critical][-1]
"""The stage that failed in the examples of a degraded run."""

SAMPLES: Mapping[str, Any] = {
    "accepted_at": "2026-11-23T09:30:00Z",
    "account": "111122223333",
    "attempt": 0,
    "backend": "bedrock",
    "causation_id": PIPELINE_ID,
    "cause": "the model refused the request",
    "Cause": "no answer in time",
    "character_count": 16,
    "characters": 24_180,
    "code": [],
    "complexity": "simple",
    "contains_code": False,
    "correlation_id": PIPELINE_ID,
    "degraded": [_LACKING.key],
    "end_reason": "asks for another person's data",
    "ended_by": "moderation",
    "error": "Pipeline.Permanent",
    "Error": "Pipeline.Transient",
    "errors": {},
    "enhanced_at": "2026-11-23T09:30:02.100Z",
    "event_id": PIPELINE_ID,
    "execution_arn": f"{EXECUTION}:{PIPELINE_ID}",
    "execution_time_ms": 2140,
    "final_response": "A monad is a type with two functions: one wraps a value, one chains steps.",
    "finished_at": "2026-11-23T09:30:02.140Z",
    "format": "plain",
    "has_code": False,
    "history": [
        {"role": "user", "text": "What is a functor?"},
        {"role": "assistant", "text": "A type that can be mapped over."},
    ],
    "idempotency_key": "order-4711",
    "input_tokens": 214,
    "instead": {_LACKING.key: _LACKING.without},
    "instead_of": [
        {"model_id": "amazon.nova-pro-v1:0", "reason": "Converse answered ThrottlingException (HTTP 429)"}
    ],
    "is_question": True,
    "key": f"text#{PIPELINE_ID}#{ANSWERING.key}#9f86d081884c7d659a2feaa0c55ad015",
    "languages": [],
    "messages": [
        {"role": "user", "text": "What is a functor?"},
        {"role": "assistant", "text": "A type that can be mapped over."},
        {"role": "user", "text": "And a monad?"},
    ],
    "model_id": "amazon.nova-lite-v1:0",
    "output_tokens": 96,
    "path": "$.detail.data.user_message",
    "pipeline_id": PIPELINE_ID,
    "question_count": 1,
    "questions": ["What is a monad?"],
    "queue_wait_ms": 12,
    "reading_time_seconds": 4,
    "reason": "Expected `str`, got `int`",
    "reasons": ["one short question"],
    "receives": 1,
    "region": "eu-central-1",
    "rejected_detail_type": "pipeline.requested.v1",
    "rejected_event_id": PIPELINE_ID,
    "role": "user",
    "sentence_count": 1,
    "service": "trigger",
    "source": SOURCE,
    "stage": ANSWERING.key,
    "started_at": "2026-11-23T09:30:00.120Z",
    "status": "SUCCEEDED",
    "status_url": f"https://api.example.com/v1/pipeline/{PIPELINE_ID}",
    "stop_reason": "end_turn",
    "stored_bytes": 11_904,
    "task_token": "AQCEAAAAKgAAAAMAAAAAAAAAATokenOfStepFunctions",
    "text": "A monad is a type with two functions: one wraps a value, one chains steps.",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "truncated": False,
    "user_message": "What is a monad?",
    "word_count": 4,
    "work_ms": 7,
}
"""Sample values by the name of a field. A value that does not fit the schema of a field is not used for it."""


def _brought_along() -> Mapping[str, Any]:
    """Return the `SAMPLES` of the modules in which the stages' types are."""
    modules = [sys.modules[kind.__module__] for stage in STAGES for kind in (stage.request, stage.result)]
    return {name: value for module in modules for name, value in getattr(module, "SAMPLES", {}).items()}


_OF_STAGES = _brought_along()

_STRINGS = ("example", "example-1", "1", "2026-11-23", MOMENT, "e", "")
_BY_TYPE: Mapping[str | None, Any] = {"null": None, "boolean": True, None: "anything"}


class NoExampleError(Exception):
    """No value could be made for a field's schema; the text names the field."""


def event_examples(schema: Schema) -> list[dict[str, Any]]:
    """Return examples of an event's detail. If metadata is optional, the first example is the shortest valid one."""
    name, _, version = schema["title"].rpartition(".v")
    if "metadata" not in schema["required"]:
        shortest = value_of(schema, schema, required_only=True)
        return [shortest, {"metadata": {"pipeline_id": "order-4711"}, **shortest}]
    example = value_of(schema, schema)
    states = {stage.request.NAME: stage.state for stage in STAGES}
    run = f"{states[name]}-0" if name in states else name.rpartition(".")[2]
    example["metadata"] |= {
        "schema": name,
        "schema_version": int(version),
        "event_id": f"{PIPELINE_ID}-{run}",
        "occurred_at": MOMENT,
    }
    return [{key: example[key] for key in ("metadata", *example)}]


def request_data(stage: Stage) -> dict[str, Any]:
    """Return the data of a request to a stage as a workflow sends it after all earlier stages have succeeded.

    Fields that may be absent are left out.
    """
    schema = event_schema(stage.request)
    data: dict[str, Any] = value_of(schema, schema, required_only=True)["data"]
    results = {other.key: outcome_of(other) for other in RECORDED[: STAGES.index(stage)]}
    given = {"$.results": results}
    given |= {f"$.results.{key}.data": outcome["data"] for key, outcome in results.items()}
    return data | {name: given[path] for name, path in stage.inputs.items() if path in given}


def outcome_of(stage: Stage) -> dict[str, Any]:
    """Return a stage's result with its meter, without the fields that may be absent."""
    schema = result_schema(stage.result)
    outcome: dict[str, Any] = value_of(schema, schema, required_only=True)
    return outcome


def delivered(detail: Mapping[str, Any], detail_type: str) -> dict[str, Any]:
    """Return an event with this detail as EventBridge delivers it."""
    return {
        "version": "0",
        "id": PIPELINE_ID,
        "detail-type": detail_type,
        "source": SOURCE,
        "account": SAMPLES["account"],
        "time": MOMENT,
        "region": SAMPLES["region"],
        "resources": [],
        "detail": dict(detail),
    }


def value_of(schema: Any, root: Schema, *, name: str = "", at: str = "$", required_only: bool = False) -> Any:
    """Return a value that satisfies `schema`, a part of the document `root`. Raises NoExampleError."""
    candidates = _candidates(schema, root, name, at, required_only=required_only)
    for candidate in candidates:
        if _validator(_Key(root), _Key(schema)).is_valid(candidate):
            return candidate
    raise NoExampleError(f"No example fits {at}. Add one to SAMPLES in {__name__.replace('.', '/')}.py.")


def _candidates(schema: Any, root: Schema, name: str, at: str, *, required_only: bool) -> Iterator[Any]:
    yield from (samples[name] for samples in (SAMPLES, _OF_STAGES) if name in samples)
    shapes = alternatives(schema, root)
    for shape in sorted(shapes, key=lambda shape: shape.type == "null"):  # null is the last choice
        own = shape.schema
        if shape.values is not None:
            yield from shape.values
        elif shape.type == "object":
            yield {
                field: value_of(inner, root, name=field, at=f"{at}.{field}", required_only=required_only)
                for field, inner in own.get("properties", {}).items()
                if not required_only or field in own.get("required", ())
            }
        elif shape.type == "array":
            fixed = [value_of(item, root, at=f"{at}[]") for item in own.get("prefixItems", ())]
            least = max(own.get("minItems", 0) - len(fixed), 0 if fixed else 1)
            yield fixed + [
                value_of(
                    own["items"], root, name=name.removesuffix("s"), at=f"{at}[]", required_only=required_only
                )
                for _ in range(least)
                if isinstance(own.get("items"), dict)
            ]
            yield []
        elif shape.type == "string":
            if own.get("format") == "date-time":
                yield MOMENT
            yield from (text * count for text in _STRINGS for count in (1, max(1, own.get("minLength", 1))))
        elif shape.type in ("integer", "number"):
            ends = (own[end] + step for end, step in _ENDS.items() if end in own)
            yield from (*ends, 1, 0)
        else:
            yield _BY_TYPE[shape.type]


_ENDS = {"minimum": 0, "maximum": 0, "exclusiveMinimum": 1, "exclusiveMaximum": -1}


class _Key:
    """A part of a document as a key of a cache, compared by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@cache
def _validator(root: _Key, schema: _Key) -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 -- slow to import

    document = (
        schema.value
        if isinstance(schema.value, bool)
        else {**schema.value, "$defs": root.value.get("$defs", {})}
    )
    return Draft202012Validator(document)
