"""Adds the condition keys `events:source` and `events:detail-type` to MiniStack's IAM.

On AWS, a policy can use these keys to allow PutEvents for certain events only. MiniStack checks the bus alone, so a
policy with these keys would deny everything or, with `…IfExists`, allow everything. Its evaluator supports conditions
and service-specific keys; only these two keys are missing. As on AWS, each entry of a call is evaluated separately.

This module is loaded by `engine_process.py` in the engine's own environment: standard library and MiniStack only.
"""

import contextvars
import functools
import inspect
import json
from types import FunctionType, ModuleType
from typing import Any

PUT_EVENTS = "events:PutEvents"
KEYS = {"events:source": "Source", "events:detail-type": "DetailType"}
"""The condition keys, and the field of a PutEvents entry that gives each its value."""

EXPECTED = {
    "actions.request_tag_context": ("service", "iam_action", "body", "params"),
    "actions.eventbridge_resource_arns": ("body", "region", "account_id"),
    "evaluator.enforce": (
        "access_key_id",
        "iam_action",
        "service",
        "region",
        "resource_arn",
        "service_context",
    ),
}
"""The functions of MiniStack that this module wraps or calls, with their parameters."""


class OtherIamError(Exception):
    """The IAM of this MiniStack version is not the expected one; the text says where it differs."""


def add_event_keys(app: ModuleType, actions: Any, evaluator: Any) -> None:
    """Wrap one function each of MiniStack's `core.iam_actions` and `core.iam_evaluator`.

    Raises OtherIamError if these functions, or their use in `app`, are not as expected.
    """
    _require_expected(app, actions, evaluator)
    entries: contextvars.ContextVar[tuple[Any, ...]] = contextvars.ContextVar("entries", default=())
    tagged, enforce = actions.request_tag_context, evaluator.enforce
    signature = inspect.signature(enforce)

    @functools.wraps(tagged)
    def request_tag_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> Any:
        entries.set(_entries(body) if iam_action == PUT_EVENTS else ())
        return tagged(service, iam_action, body, params)

    @functools.wraps(enforce)
    def enforced(*args: Any, **kwargs: Any) -> Any:
        call = signature.bind(*args, **kwargs)
        call.apply_defaults()
        arguments = call.arguments
        if arguments["iam_action"] != PUT_EVENTS:
            return enforce(**arguments)
        denied = None
        for context in _contexts(actions, entries.get(), arguments["region"], arguments["resource_arn"]):
            extended = {**(arguments["service_context"] or {}), **context}
            denied = denied or enforce(**{**arguments, "service_context": extended})
        return denied

    actions.request_tag_context = request_tag_context
    evaluator.enforce = enforced
    _require_evaluated(evaluator)


def _entries(body: bytes) -> tuple[Any, ...]:
    try:
        entries = json.loads(body or b"{}")["Entries"]
    except (ValueError, TypeError, KeyError):
        return ()
    return tuple(entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()


def _contexts(actions: Any, entries: tuple[Any, ...], region: str, resource_arn: str) -> list[dict[str, str]]:
    """Return the distinct condition keys of the entries for this bus; one empty context if there are no entries."""
    account = (resource_arn.split(":") + [""] * 5)[4]
    contexts: list[dict[str, str]] = []
    for entry in entries:
        bus = actions.eventbridge_resource_arns(json.dumps({"Entries": [entry]}).encode(), region, account)
        context = {key: str(entry[field]) for key, field in KEYS.items() if field in entry}
        if bus == [resource_arn] and context not in contexts:
            contexts.append(context)
    return contexts or [{}]


# --- is this MiniStack as expected? ----------------------------------------------------------------------


def _require_expected(app: ModuleType, actions: Any, evaluator: Any) -> None:
    modules = {"actions": actions, "evaluator": evaluator}
    for place, parameters in EXPECTED.items():
        module, name = place.split(".")
        function = getattr(modules[module], name, None)
        if not callable(function):
            raise OtherIamError(f"it has no {name}()")
        if (actual := tuple(inspect.signature(function).parameters)) != parameters:
            raise OtherIamError(f"{name}() takes {actual}, not {parameters}")
    wrapped = {"request_tag_context", "enforce"}
    if wrapped & vars(app).keys():
        raise OtherIamError("the app imports its IAM functions when it is loaded, not at each request")
    # A function's code lists the names that it imports when it runs.
    if not any(
        wrapped <= set(function.__code__.co_names)
        for function in vars(app).values()
        if isinstance(function, FunctionType)
    ):
        raise OtherIamError("no function of the app passes a request's own keys to IAM")


def _require_evaluated(evaluator: Any) -> None:
    """Check the evaluator's conditions, in the deployed form, on an event that is allowed and on others that are not.

    An event without a source or detail-type has no such key, which `Null` must notice.
    """
    allowed = {
        "ForAllValues:StringEquals": {"events:source": "mine", "events:detail-type": ["a.v1", "b.v1"]},
        "Null": {"events:source": "false", "events:detail-type": "false"},
    }
    for source, detail_type, expected in (
        ("mine", "b.v1", True),
        ("mine", "c.v1", False),
        ("other", "a.v1", False),
        ("mine", None, False),
        (None, "a.v1", False),
        (None, None, False),
    ):
        keys = {"events:source": source, "events:detail-type": detail_type}
        context = evaluator.EvalContext(
            principal_arn="", principal_type="User", principal_account="", action=PUT_EVENTS, resource_arn="*",
            region="", service_context={key: value for key, value in keys.items() if value is not None},
        )  # fmt: skip
        if evaluator._conditions_met(allowed, context) is not expected:
            raise OtherIamError(f"its conditions give the wrong decision on {detail_type} from {source}")
