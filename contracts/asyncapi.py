"""The generator of docs/asyncapi.json, an AsyncAPI 3.0 document of the bus: channels, messages, operations."""

import re
from typing import Any

from contracts.examples import delivered, event_examples
from contracts.parties import OUTSIDE, events, on_the_bus, parties
from contracts.references import project_version
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.schemas import References, closed, components, event_detail, event_schema, metadata_of
from shared.contracts.stages import EVERY

BUS = "bus"
_ABOUT = """\
Events of the AI pipeline on Amazon EventBridge. Publish `pipeline.requested` to ask for an answer; subscribe to
`pipeline.completed`, `pipeline.failed` and `contract.rejected` to learn its outcome. All other events are internal.
A publisher may send only the fields that are described here; an event with any other field is rejected. A consumer
must ignore fields that it does not know. The page docs/contracts.md describes every event in words and explains how
to publish."""
_ENV = {
    "description": "The name of the environment: prod, staging, dev, or local for the local engine on a laptop."
}


def asyncapi() -> dict[str, Any]:
    """Return the document."""
    references, schemas = event_components()
    messages = {kind.detail_type(): _message(kind, references) for kind in events()}
    channels = _channels()
    operations: dict[str, Any] = {}
    for kind in events():
        operations |= _operations(kind)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "AI pipeline: the bus",
            "version": project_version(),
            "description": _ABOUT.replace("\n", " "),
        },
        "defaultContentType": "application/json",
        "servers": {
            "eventbridge": {
                "host": "events.{region}.amazonaws.com",
                "protocol": "https",
                "description": "Amazon EventBridge. Publish with PutEvents; subscribe with a rule.",
                "variables": {"region": {"description": "The AWS region of the deployment."}},
                "security": [{"$ref": "#/components/securitySchemes/sigv4"}],
            },
            "sqs": {
                "host": "sqs.{region}.amazonaws.com",
                "protocol": "https",
                "description": "Amazon SQS, for requests that are sent directly to a service's queue.",
                "variables": {"region": {"description": "The AWS region of the deployment."}},
                "security": [{"$ref": "#/components/securitySchemes/sigv4"}],
            },
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": _draft7(schemas),
            "securitySchemes": {
                "sigv4": {
                    "type": "http",
                    "scheme": "AWS4-HMAC-SHA256",
                    "description": "Requests are signed by an IAM principal with AWS Signature Version 4.",
                }
            },
        },
    }


def event_components(*others: Any) -> tuple[References, dict[str, Any]]:
    """Return references to the types of all events, of their metadata and to `others`, and all their definitions.

    The definitions refuse fields that their type does not have.
    """
    kinds = events()
    types = dict.fromkeys([*kinds, *map(metadata_of, kinds), *others])
    references, schemas = components(list(types), lambda kind: f"{kind.__name__}.{kind.detail_type()}")
    return references, closed(schemas)


def _channels() -> dict[str, Any]:
    """Return the bus and the queue of each stage that is asked through its queue."""
    bus: dict[str, Any] = {
        "address": "ai-pipeline-{env}-bus",
        "title": "The bus",
        "description": f"The pipeline's EventBridge event bus. Every event has the source `{SOURCE}`.",
        "servers": [{"$ref": "#/servers/eventbridge"}],
        "parameters": {"env": _ENV},
        "messages": {},
    }
    channels = {BUS: bus}
    for stage in EVERY:
        if stage.via == "queue":
            channels[f"{stage.service}-queue"] = {
                "address": f"ai-pipeline-{{env}}-{stage.service}",
                "title": f"The {stage.service}'s queue",
                "description": (
                    f"The SQS queue of the {stage.service}. Its messages have the shape in which EventBridge "
                    "delivers events."
                ),
                "servers": [{"$ref": "#/servers/sqs"}],
                "parameters": {"env": _ENV},
                "messages": {},
            }
    for kind in events():
        name = kind.detail_type()
        channels[_channel(kind)]["messages"][name] = {"$ref": f"#/components/messages/{name}"}
    return channels


def _channel(kind: type[Event]) -> str:
    if on_the_bus(kind):
        return BUS
    (service,) = parties(kind.detail_type()).consumers
    return f"{service}-queue"


def _message(kind: type[Event], references: References) -> dict[str, Any]:
    return {
        "name": kind.detail_type(),
        "title": kind.detail_type(),
        "summary": " ".join((kind.__doc__ or "").split()),
        "contentType": "application/json",
        "payload": _draft7(
            {
                "type": "object",
                "description": (
                    "The event as EventBridge delivers it. A publisher sets `source`, `detail-type` and `detail`."
                ),
                "properties": {
                    "version": {"type": "string"},
                    "id": {
                        "type": "string",
                        "description": "The event's id, which PutEvents returns to its publisher.",
                    },
                    "detail-type": {"const": kind.detail_type()},
                    "source": {"const": SOURCE},
                    "account": {"type": "string"},
                    "time": {"type": "string", "format": "date-time"},
                    "region": {"type": "string"},
                    "resources": {"type": "array", "items": {"type": "string"}},
                    "detail": {"title": kind.detail_type(), **event_detail(kind, references)},
                },
                "required": ["source", "detail-type", "detail"],
            }
        ),
        "examples": [
            {"payload": delivered(example, kind.detail_type())}
            for example in event_examples(event_schema(kind))
        ],
    }


def _operations(kind: type[Event]) -> dict[str, Any]:
    """Return an operation for each service that sends or receives the event; outside parties have none."""
    name, channel = kind.detail_type(), _channel(kind)
    who = parties(name)
    operations = {}
    for action, verb, services in (("send", "sends", who.publishers), ("receive", "receives", who.consumers)):
        for service in services:
            if service in OUTSIDE:
                continue
            operation = re.sub(r"[^A-Za-z0-9]+", "_", f"{service} {verb} {name}")
            operations[operation] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": f"The {service} {verb} {name}.",
                "tags": [{"name": service}],
                "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"}],
            }
    return operations


def _draft7(part: Any) -> Any:
    """Convert a schema to JSON Schema draft 7, which AsyncAPI uses; that draft writes a tuple's items differently."""
    if isinstance(part, list):
        return [_draft7(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    walked = {key: _draft7(inner) for key, inner in part.items()}
    if isinstance(walked.get("prefixItems"), list):
        walked["additionalItems"] = walked.pop("items", True)
        walked["items"] = walked.pop("prefixItems")
    return walked
