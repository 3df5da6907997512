"""The gate of a deployment, which refuses a version that could not read what is in flight."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from infra.parts import WORKFLOW
from operations.errors import NotDeployedError, OperationError, RefusedError
from operations.inflight.looking import SERVICES
from operations.inflight.reading import STATES, Check

Look = Callable[[Sequence[str]], list[Check]]


class Decision(Struct, frozen=True, kw_only=True):
    """The verdict on a deployment. `blocking` holds the checks that refuse it, each with its findings."""

    verdict: Literal["passed", "forced", "refused"]
    blocking: tuple[Check, ...] = ()


def decide(service: str | None, look: Look, *, force: bool = False) -> Decision:
    """Decide on the deployment of one service, or of everything for None.

    A part without a queue and a first deployment pass; a forced deployment is not checked. Raises RefusedError if the
    check itself fails.
    """
    if service not in (None, *SERVICES, WORKFLOW):
        return Decision(verdict="passed")
    if force:
        return Decision(verdict="forced")
    try:
        # A deployment of everything goes in order, so no publisher is newer than its consumers.
        checks = look([service] if service else (*SERVICES, STATES))
    except NotDeployedError:
        return Decision(verdict="passed")
    except OperationError as error:
        raise RefusedError(
            f"{error}\nThe check of what is in flight failed, so nothing was deployed. Use --force to deploy anyway."
        ) from error
    blocking = tuple(check for check in checks if check.blocking)
    return Decision(verdict="refused" if blocking else "passed", blocking=blocking)
