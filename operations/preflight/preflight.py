"""The table of checks before a deployment to AWS, and the function that runs them.

A check yields what passed, problems, and what can't be known, because a call is not permitted, not answered or
throttled. Only an error stops a deployment.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from infra.doctor.findings import Outcome, Passed, Problem, Result, Skipped, outcome
from infra.environments import ENVIRONMENTS, Environment
from infra.option_kinds import OptionError
from infra.options import load_deployed
from operations.health.doctor import require_known
from operations.preflight import account, demands, models
from operations.preflight.calls import AbsentError, UnknownError
from operations.preflight.intent import Intended
from operations.preflight.quotas import quotas
from operations.target import Target


@dataclass(frozen=True)
class Check:
    """One question before a deployment. `why` says what goes wrong where it fails."""

    name: str
    run: Callable[[Intended], Result]
    why: str
    with_options: bool = True
    """Whether the check needs valid options."""


CREDENTIALS: Final = Check(
    "credentials",
    account.credentials,
    "Nothing can be deployed without access to the account.",
    with_options=False,
)
CHECKS: Final = (
    Check(
        "bootstrap",
        account.bootstrap,
        "The CDK deploys with the roles and the bucket of its bootstrap stack.",
        with_options=False,
    ),
    Check(
        "region",
        account.region,
        "A stack with a resource that the region does not have fails and is rolled back.",
    ),
    Check("boundary", demands.boundary, "The first stack with a role fails and is rolled back."),
    Check("api-logs", demands.api_logs, "API Gateway refuses to create the API's stage, which writes logs."),
    Check("model", models.access, "Each run fails at the chatbot, after it has passed the other stages."),
    Check("price", models.price, "What runs cost can't be counted."),
    Check("concurrency", account.concurrency, "Functions are throttled, and their messages wait."),
    Check("quotas", quotas, "AWS throttles calls, and a backlog grows."),
)


def preflight(target: Target, *, call_model: bool = False, now: datetime | None = None) -> list[Outcome]:
    """Check whether the target's environment can be deployed to its account and region. Changes nothing.

    `call_model` asks each model for one token, which costs and may subscribe the account to the model. Raises
    InvalidInputError for an unknown environment, or if no region is set.
    """
    require_known(target.env)
    environment, options = _options(target)
    intended = Intended(
        target=target,
        environment=environment,
        day=(now or datetime.now(UTC)).date().isoformat(),
        call_model=call_model,
    )
    outcomes = [options, _outcome(CREDENTIALS, intended)]
    if outcomes[-1].findings:
        unasked = [_skipped(check, "AWS can't be asked without credentials") for check in CHECKS]
        return [*outcomes, *unasked]
    intended = replace(intended, account=target.describe().account)
    for check in CHECKS:
        if check.with_options and options.findings:
            outcomes.append(_skipped(check, "the options are invalid"))
        else:
            outcomes.append(_outcome(check, intended))
    return outcomes


def _options(target: Target) -> tuple[Environment, Outcome]:
    """Return the environment as it would be deployed, or without its options if these are invalid."""
    name, region = target.env, target.region
    check = Check("options", lambda _: iter(()), "An environment with invalid options is not deployed.")
    try:
        environment = load_deployed(name, region=region)
    except OptionError as error:
        fix = f"Correct environments/{name}.toml; environments/README.md explains the options."
        problem = Problem(where=f"environments/{name}.toml", what=str(error), fix=fix)
        return replace(ENVIRONMENTS[name], region=region), outcome(check.name, check.why, [problem])
    return environment, outcome(check.name, check.why, [Passed(f"{name} in {region}")])


def _outcome(check: Check, intended: Intended) -> Outcome:
    """Run one check; what it found before a call failed stays."""
    results: list[Passed | Problem | Skipped] = []
    try:
        for result in check.run(intended):
            results.append(result)  # noqa: PERF402 -- what came before an error is kept
    except (AbsentError, UnknownError) as error:
        results.append(Skipped(str(error)))
    return outcome(check.name, check.why, results)


def _skipped(check: Check, why: str) -> Outcome:
    return Outcome(check=check.name, passed=(), findings=(), skipped=why)
