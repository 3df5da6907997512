"""Checks the account's own quotas, as Service Quotas tells them, for the intended rate."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from infra.doctor.checks.capacity import PUBLISHED_BY_FUNCTIONS
from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.models import needs_behind, parsed_arn, profile_of
from infra.pricing import asked
from operations.preflight.calls import AbsentError, UnknownError, ask, part
from operations.preflight.intent import Intended
from shared.contracts.stages import STAGES, TRANSITIONS

TOKENS_PER_REQUEST: Final = 800
"""Input and output tokens of a typical question: an assumption, as in the capacity plan."""
_ON_THE_BUS: Final = sum(stage.via == "bus" for stage in STAGES)
_PAGES: Final = 5
"""The most pages that are read of a service's quotas."""


@dataclass(frozen=True)
class Load:
    """What a request needs of the quota `name`, which counts calls per second."""

    service: str
    name: str
    each: float


LOADS: Final = (
    Load("states", "StartExecution throttle token refill rate per second", 1),
    Load("states", "SendTaskSuccess throttle token refill rate per second", len(STAGES)),
    Load("states", "StateTransition throttle token refill rate per second", TRANSITIONS),
    Load(
        "events", "PutEvents throttle limit in transactions per second", _ON_THE_BUS + PUBLISHED_BY_FUNCTIONS
    ),
    Load("events", "Invocations throttle limit in transactions per second", _ON_THE_BUS + 1),
)
"""The quotas by their names in Service Quotas. One that has another name there counts as not known."""

TOKENS_PER_MINUTE: Final[Mapping[str, tuple[str, str, str]]] = {
    "amazon.nova-micro-v1:0": ("L-CFA4FA0D", "L-DC7FF66C", ""),
    "amazon.nova-lite-v1:0": ("L-70423BF8", "L-7C42E72A", ""),
    "amazon.nova-pro-v1:0": ("L-CE33604C", "L-C0326783", ""),
    "amazon.nova-2-lite-v1:0": ("", "L-C6F5908D", "L-71C69B70"),
    "anthropic.claude-haiku-4-5-20251001-v1:0": ("", "L-58BE175A", "L-9A11C666"),
    "anthropic.claude-sonnet-4-6": ("L-5F5A169C", "L-15B8E632", "L-7BEE40FB"),
}
"""Codes of the quotas of tokens per minute (October 2026): by the bare id, through a geography, and globally."""


def quotas(intended: Intended) -> Result:
    for service in dict.fromkeys(load.service for load in LOADS):
        try:
            values = _values(intended, service)
        except (AbsentError, UnknownError) as error:
            yield Skipped(f"quotas of {service}: {error}")
            continue
        for load in LOADS:
            if load.service == service:
                yield from _compared(intended, load, values.get(load.name))
    for option, model_id, behind in asked(intended.environment):
        yield from _tokens(intended, option, behind[0] if needs_behind(model_id) and behind else model_id)


def _values(intended: Intended, service: str) -> dict[str, float]:
    """Return a service's quotas by name, as applied to the account."""
    values: dict[str, float] = {}
    token: dict[str, Any] = {}
    for _ in range(_PAGES):
        page = ask(intended.target, "service-quotas", "list_service_quotas", ServiceCode=service, **token)
        for quota in page.get("Quotas") or ():
            value = part(quota, "Value")
            if isinstance(value, int | float):
                values[str(part(quota, "QuotaName"))] = float(value)
        if not page.get("NextToken"):
            break
        token = {"NextToken": page["NextToken"]}
    return values


def _compared(intended: Intended, load: Load, quota: float | None) -> Result:
    rate = intended.environment.requests_per_second
    name = load.name.partition(" throttle")[0]
    needed = load.each * rate
    if quota is None:
        yield Skipped(f"{name}: Service Quotas does not list it under this name.")
    elif needed > quota:
        yield _low(intended, name, f"{needed:,.0f}/s", f"{quota:,.0f}/s", quota / load.each)
    else:
        yield Passed(f"{name} {needed:,.0f}/s ≤ {quota:,.0f}/s")


def _tokens(intended: Intended, option: str, model_id: str) -> Result:
    arn = parsed_arn(model_id)
    name = arn["name"] if arn else model_id
    profile = profile_of(name)
    kind = 0 if profile is None else 2 if profile[0] == "global" else 1
    code = TOKENS_PER_MINUTE.get(profile[1] if profile else name, ("", "", ""))[kind]
    if not code:
        yield Skipped(f"tokens per minute of {name}: the code of this quota is not known here.")
        return
    try:
        answer = ask(
            intended.target, "service-quotas", "get_service_quota", ServiceCode="bedrock", QuotaCode=code
        )
    except (AbsentError, UnknownError) as error:
        yield Skipped(f"tokens per minute of {name}: {error}")
        return
    quota = part(answer, "Quota", "Value")
    if not isinstance(quota, int | float):
        yield Skipped(f"tokens per minute of {name}: AWS does not tell the quota.")
        return
    needed = TOKENS_PER_REQUEST * 60 * intended.environment.requests_per_second
    if needed > quota:
        rate = quota / TOKENS_PER_REQUEST / 60
        yield _low(
            intended, f"tokens of {name} ({option}, {code})", f"{needed:,.0f}/min", f"{quota:,.0f}/min", rate
        )
    else:
        yield Passed(f"tokens of {name} {needed:,.0f}/min ≤ {quota:,.0f}/min")


def _low(intended: Intended, name: str, needed: str, quota: str, rate: float) -> Problem:
    intent = intended.environment.requests_per_second
    return Problem(
        where=f"{name}, {intended.target.region}",
        what=f"At {intent:g} requests/s the pipeline needs {needed}. The account's quota is {quota}, enough for "
        f"{rate:,.3g} requests/s.",
        fix="Request a higher quota in Service Quotas before the load gets there, or lower requests_per_second.",
        severity="warning",
    )
