"""Whether a deployment may go: a version that could not read what is in flight is refused."""

from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from operations.errors import NotDeployedError, OperationError, RefusedError
from operations.inflight.looking import SERVICES
from operations.inflight.reading import WORKFLOW, Check

Look = Callable[[Sequence[str]], list[Check]]


class Decision(Struct, frozen=True, kw_only=True):
    """`blocking` holds the checks that refuse the deployment, each with what can't be read."""

    verdict: Literal["passed", "forced", "refused"]
    blocking: tuple[Check, ...] = ()


def decide(service: str | None, look: Look, *, force: bool = False) -> Decision:
    """Decides on the deployment of one service, or of everything for None.

    A part without a queue and a first deployment pass; a forced deployment is not looked at. Raises RefusedError
    where what is in flight can't be found out.
    """
    if service not in (None, *SERVICES, WORKFLOW):
        return Decision(verdict="passed")
    if force:
        return Decision(verdict="forced")
    try:
        # All together go in their order, so nobody's consumers are older than it.
        checks = look([service] if service else SERVICES)
    except NotDeployedError:
        return Decision(verdict="passed")
    except OperationError as error:
        raise RefusedError(
            f"{error}\nSo what is in flight is not known, and nothing was deployed. --force deploys all the same."
        ) from error
    blocking = tuple(check for check in checks if check.blocking)
    return Decision(verdict="refused" if blocking else "passed", blocking=blocking)
