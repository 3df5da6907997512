"""The parts of a deployment: one stack each, which can be deployed alone, and the order in which they depend."""

from typing import Final

from shared.contracts.stages import EVERY, LAST, SERVICES
from shared.contracts.stages import OPTIONAL as OPTIONAL_STAGES

PLATFORM, TRIGGER, WORKFLOW, MONITORING = "platform", "trigger", "workflow", "monitoring"

SWITCHED: Final = tuple(stage.service for stage in OPTIONAL_STAGES)
"""The parts of stages that an option switches on."""
PARTS: Final = (PLATFORM, *SERVICES, *SWITCHED, WORKFLOW, MONITORING)
"""All parts. Each is a stack called `ai-pipeline-<env>-<part>`."""
OPTIONAL: Final = (*SWITCHED, MONITORING)
"""Parts that an environment may leave out of a full deployment. There they change only when deployed by name."""


def needed_by(part: str) -> tuple[str, ...]:
    """Return the parts that must be deployed before `part`, and outlive it; without those that an option switches."""
    stages = SERVICES[1:]
    return {PLATFORM: (), WORKFLOW: (PLATFORM, *stages), TRIGGER: (PLATFORM, WORKFLOW), MONITORING: ()}.get(
        part, (PLATFORM,)
    )


def has_rule(service: str) -> bool:
    """Tell whether a rule puts events into the service's queue: requests, or the ends of failed runs."""
    return service == TRIGGER or any(
        stage.service == service and (stage.via == "bus" or stage is LAST) for stage in EVERY
    )


def in_order() -> tuple[str, ...]:
    """Return all parts in the order of a deployment: each after those that it needs, monitoring last."""
    stages = tuple(stage.service for stage in EVERY)
    return (PLATFORM, *stages, WORKFLOW, TRIGGER, MONITORING)
