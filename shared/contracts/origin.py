"""How a pipeline began, told by the event that asked for it."""

from shared.contracts.record import Via


def accepted_event_id(pipeline_id: str) -> str:
    """The id the API gives the event it publishes. The same each time, like the pipeline's: a repeat is a repeat."""
    return f"{pipeline_id}-accepted"


def via(pipeline_id: str, causation_id: str | None, *, restarts: int = 0) -> Via:
    """`restarts`: the number in the execution's name, 0 for the first."""
    if restarts:
        return "restart"
    return "api" if causation_id == accepted_event_id(pipeline_id) else "bus"
