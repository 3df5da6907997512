"""Tells how a run began: through the API, by an event on the bus, or as a restart."""

from shared.contracts.record import Via


def accepted_event_id(pipeline_id: str) -> str:
    """Return the id of the event that the API publishes for a pipeline; a repeated request publishes the same id."""
    return f"{pipeline_id}-accepted"


def via(pipeline_id: str, causation_id: str | None, *, restarts: int = 0) -> Via:
    """Return how a run began. `restarts` is the number in the execution's name, 0 for the first execution."""
    if restarts:
        return "restart"
    return "api" if causation_id == accepted_event_id(pipeline_id) else "bus"
