"""Lets MiniStack's IAM see what is published: the condition keys `events:source` and `events:detail-type`.

On AWS these keys of a PutEvents call say which events a policy allows. MiniStack checks the bus alone, so there a
policy that names them would either deny everything or, with `…IfExists`, allow everything. Its evaluator does know
conditions and keys of a service; it is only not told these two. As on AWS each entry of a call is judged by itself.

It is loaded by `engine_process.py`, in the engine's own environment: standard library and MiniStack only.
"""

import contextvars
import functools
import inspect
import json
from types import FunctionType, ModuleType
from typing import Any

PUT_EVENTS = "events:PutEvents"
KEYS = {"events:source": "Source", "events:detail-type": "DetailType"}
"""Condition keys, and the fields of a PutEvents entry they speak of."""

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
"""MiniStack's functions that are wrapped or called, with their parameters."""


class OtherIamError(Exception):
    """This MiniStack's IAM is made differently; the text says where."""


def tell_what_is_published(app: ModuleType, actions: Any, evaluator: Any) -> None:
    """Puts two functions of MiniStack's `core.iam_actions` and `core.iam_evaluator` into ours.

    Raises OtherIamError if they, or how `app` uses them, are not what this was written for.
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
    def enforced(*given: Any, **named: Any) -> Any:
        call = signature.bind(*given, **named)
        call.apply_defaults()
        asked = call.arguments
        if asked["iam_action"] != PUT_EVENTS:
            return enforce(**asked)
        denied = None
        for context in _contexts(actions, entries.get(), asked["region"], asked["resource_arn"]):
            more = {**(asked["service_context"] or {}), **context}
            denied = denied or enforce(**{**asked, "service_context": more})
        return denied

    actions.request_tag_context = request_tag_context
    evaluator.enforce = enforced
    _require_told(evaluator)


def _entries(body: bytes) -> tuple[Any, ...]:
    try:
        found = json.loads(body or b"{}")["Entries"]
    except (ValueError, TypeError, KeyError):
        return ()
    return tuple(entry for entry in found if isinstance(entry, dict)) if isinstance(found, list) else ()


def _contexts(actions: Any, entries: tuple[Any, ...], region: str, resource_arn: str) -> list[dict[str, str]]:
    """What the entries for one bus say of themselves, each different one once; nothing, if there is none."""
    account = (resource_arn.split(":") + [""] * 5)[4]
    found: list[dict[str, str]] = []
    for entry in entries:
        bus = actions.eventbridge_resource_arns(json.dumps({"Entries": [entry]}).encode(), region, account)
        context = {key: str(entry[field]) for key, field in KEYS.items() if field in entry}
        if bus == [resource_arn] and context not in found:
            found.append(context)
    return found or [{}]


# --- is this the MiniStack it was written for? -----------------------------------------------------------


def _require_expected(app: ModuleType, actions: Any, evaluator: Any) -> None:
    modules = {"actions": actions, "evaluator": evaluator}
    for place, parameters in EXPECTED.items():
        module, name = place.split(".")
        function = getattr(modules[module], name, None)
        if not callable(function):
            raise OtherIamError(f"it has no {name}()")
        if (found := tuple(inspect.signature(function).parameters)) != parameters:
            raise OtherIamError(f"{name}() takes {found}, not {parameters}")
    wanted = {"request_tag_context", "enforce"}
    if wanted & vars(app).keys():
        raise OtherIamError("the app takes its IAM functions once, when it is loaded")
    # Names that a function imports when it runs stand among those of its code.
    if not any(
        wanted <= set(function.__code__.co_names)
        for function in vars(app).values()
        if isinstance(function, FunctionType)
    ):
        raise OtherIamError("the app does not ask its IAM with what a request says of itself")


def _require_told(evaluator: Any) -> None:
    """Asks the evaluator's own conditions about an event that is allowed, and about one that is not."""
    allowed = {"StringEquals": {"events:source": "mine", "events:detail-type": ["a.v1", "b.v1"]}}
    for source, detail_type, expected in (
        ("mine", "b.v1", True),
        ("mine", "c.v1", False),
        ("other", "a.v1", False),
    ):
        context = evaluator.EvalContext(
            principal_arn="", principal_type="User", principal_account="", action=PUT_EVENTS, resource_arn="*",
            region="", service_context={"events:source": source, "events:detail-type": detail_type},
        )  # fmt: skip
        if evaluator._conditions_met(allowed, context) is not expected:
            raise OtherIamError(f"its conditions judge {detail_type} of {source} otherwise")
