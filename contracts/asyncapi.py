"""An AsyncAPI 3.0 document of the bus: channels, messages with examples, who sends and receives them."""

import re
from typing import Any

from contracts.examples import delivered, event_examples
from contracts.parties import OUTSIDE, events, on_the_bus, parties
from contracts.references import project_version
from shared.contracts.envelope import SOURCE, Event
from shared.contracts.schemas import References, closed, components, event_detail, event_schema, metadata_of
from shared.contracts.stages import STAGES

BUS = "bus"
_ABOUT = """\
Events of the AI pipeline on Amazon EventBridge. Publish `pipeline.requested` to ask for an answer; subscribe to
`pipeline.completed`, `pipeline.failed` and `contract.rejected` to hear what became of it. The other events are the
pipeline's own. Producing is closed: a field that is not named here is refused. Consuming is open: ignore fields that
you do not know. Every event in words, and how to publish: docs/contracts.md."""
_ENV = {"description": "The environment: prod, staging, dev, or local for the engine on a laptop."}


def asyncapi() -> dict[str, Any]:
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
                "description": "Amazon EventBridge; PutEvents to publish, a rule to subscribe.",
                "variables": {"region": {"description": "The AWS region of the deployment."}},
                "security": [{"$ref": "#/components/securitySchemes/sigv4"}],
            },
            "sqs": {
                "host": "sqs.{region}.amazonaws.com",
                "protocol": "https",
                "description": "Amazon SQS, for the commands that go straight to a service's queue.",
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
                    "description": "AWS Signature Version 4 of an IAM principal.",
                }
            },
        },
    }


def event_components(*others: Any) -> tuple[References, dict[str, Any]]:
    """References to all events' types, their metadata and `others`, and all definitions, closed to other fields."""
    kinds = events()
    types = dict.fromkeys([*kinds, *map(metadata_of, kinds), *others])
    references, schemas = components(list(types), lambda kind: f"{kind.__name__}.{kind.detail_type()}")
    return references, closed(schemas)


def _channels() -> dict[str, Any]:
    """The bus, and a queue for each stage that is reached by its queue alone."""
    bus: dict[str, Any] = {
        "address": "ai-pipeline-{env}-bus",
        "title": "The bus",
        "description": f"An EventBridge event bus; every event has the source `{SOURCE}`.",
        "servers": [{"$ref": "#/servers/eventbridge"}],
        "parameters": {"env": _ENV},
        "messages": {},
    }
    channels = {BUS: bus}
    for stage in STAGES:
        if stage.via == "queue":
            channels[f"{stage.service}-queue"] = {
                "address": f"ai-pipeline-{{env}}-{stage.service}",
                "title": f"The {stage.service}'s queue",
                "description": f"Commands for the {stage.service} alone, in the shape EventBridge delivers.",
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
                "description": "As EventBridge delivers it. A publisher gives source, detail-type and detail.",
                "properties": {
                    "version": {"type": "string"},
                    "id": {"type": "string", "description": "PutEvents returns it to the publisher."},
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
    """One for each service that sends or receives the event. Who is outside is at the other end of one of these."""
    name, channel = kind.detail_type(), _channel(kind)
    who = parties(name)
    found = {}
    for action, verb, services in (("send", "sends", who.publishers), ("receive", "receives", who.consumers)):
        for service in services:
            if service in OUTSIDE:
                continue
            operation = re.sub(r"[^A-Za-z0-9]+", "_", f"{service} {verb} {name}")
            found[operation] = {
                "action": action,
                "channel": {"$ref": f"#/channels/{channel}"},
                "summary": f"The {service} {verb} {name}.",
                "tags": [{"name": service}],
                "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"}],
            }
    return found


def _draft7(part: Any) -> Any:
    """AsyncAPI's schemas are those of JSON Schema draft 7, where a tuple's items are said otherwise."""
    if isinstance(part, list):
        return [_draft7(inner) for inner in part]
    if not isinstance(part, dict):
        return part
    walked = {key: _draft7(inner) for key, inner in part.items()}
    if isinstance(walked.get("prefixItems"), list):
        walked["additionalItems"] = walked.pop("items", True)
        walked["items"] = walked.pop("prefixItems")
    return walked
