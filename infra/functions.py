"""The function table: every deployed function with its handler and the AWS services that it calls."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.parts import TRIGGER
from shared.contracts.stages import EVERY, LAST, OPTIONAL, STAGES


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """A Lambda function.

    `aws` names the services that it calls, as botocore does; only their data is bundled. `table` names the DynamoDB
    actions that it needs on the table of records. A `scheduled` function is called by the clock.
    """

    name: str
    service: str
    module: str
    aws: tuple[str, ...]
    table: tuple[str, ...] = ()
    scheduled: bool = False

    @property
    def handler(self) -> str:
        return f"{self.module}.handler"


_WORKER: Final = ("stepfunctions", "sqs", "events", "dynamodb")

API: Final = FunctionSpec(
    name="api",
    service=TRIGGER,
    module="services.trigger.api.handler",
    aws=("dynamodb", "events", "stepfunctions"),
    table=("GetItem", "PutItem", "DeleteItem", "UpdateItem"),
)
STARTER: Final = FunctionSpec(
    name="starter",
    service=TRIGGER,
    module="services.trigger.starter.handler",
    aws=_WORKER,
    table=("GetItem", "UpdateItem"),
)
STAGE_FUNCTIONS: Final[Mapping[str, FunctionSpec]] = {
    stage.service: FunctionSpec(
        name=stage.service,
        service=stage.service,
        module=f"services.{stage.service}.handler",
        aws=(*_WORKER, *stage.calls),
        table=("GetItem", "UpdateItem") if stage is LAST else (),
    )
    for stage in EVERY
}
RECONCILER: Final = FunctionSpec(
    name="reconciler",
    service=LAST.service,
    module=f"services.{LAST.service}.reconciler.handler",
    aws=("dynamodb", "events", "stepfunctions"),
    table=("BatchGetItem", "GetItem", "UpdateItem"),
    scheduled=True,
)
"""Records failed ends that Step Functions did not announce; it has no queue."""
FUNCTIONS: Final = (API, STARTER, *(STAGE_FUNCTIONS[stage.service] for stage in STAGES), RECONCILER)
"""The functions of every deployment."""
QUEUED: Final = (STARTER, *STAGE_FUNCTIONS.values())
"""The functions that a queue feeds, with those that only some deployments have."""
GUARD: Final = FunctionSpec(
    name="guard",
    service=TRIGGER,
    module="services.trigger.guard.handler",
    aws=("dynamodb", "lambda"),
    scheduled=True,
)
"""The daily budget's guard, which only deployments with a budget have."""
SWEEP: Final = FunctionSpec(
    name="sweep",
    service="approval",
    module="services.approval.sweep.handler",
    aws=("dynamodb", "events", "stepfunctions"),
    scheduled=True,
)
"""The sweep of the runs that wait for a person, which only deployments with the approval have."""
APPROVING: Final = (*(STAGE_FUNCTIONS[stage.service] for stage in OPTIONAL), SWEEP)
ALL_FUNCTIONS: Final = (*FUNCTIONS, GUARD, *APPROVING)


def deployed_functions(*, budgeted: bool, approving: bool = False) -> tuple[FunctionSpec, ...]:
    """Return the functions of a deployment with or without a daily budget and the approval."""
    return (*FUNCTIONS, *([GUARD] if budgeted else ()), *(APPROVING if approving else ()))
