"""The environment that a console shows: the running engine of this checkout, or an AWS account."""

import threading
import time
from contextlib import suppress

from msgspec import Struct

from infra.parts import PARTS
from local.engine import Engine
from local.errors import EngineNotRunningError
from local.paths import ROOT
from local.targets import find_target, local_target
from operations.errors import OperationError, UnreachableError
from operations.target import LOCAL, Identity, Target

KNOWN_SECONDS = 1.0
"""How long the engine is taken for the one that answered last."""
SERVICES = ROOT / "services"
"""The folders of this checkout's services."""
DEPLOYED_SECONDS = 30.0
"""How long what is deployed is taken for what was read last; to read it takes a few calls, which cost nothing."""
OLD_SECONDS = 2 * DEPLOYED_SECONDS
"""After so long without a look, what is deployed is read before the next page, which would else show an old state."""


class Chip(Struct, frozen=True, kw_only=True):
    """What the frame of every page says about the environment."""

    env: str
    is_local: bool
    where: str
    """Account, region and caller on AWS; the engine's address on this machine."""


class Environment:
    """The target of a console, found again when the engine was restarted. Several threads may use it."""

    def __init__(self, env: str, *, region: str | None = None, profile: str | None = None) -> None:
        self.env = env
        self.is_local = env == LOCAL
        self.restarts = 0
        """How often the engine was found to be another one; what was deployed to the earlier one is gone."""
        self._region, self._profile = region, profile
        self._lock = threading.Lock()
        self._target: Target | None = None
        self._identity: Identity | None = None
        self._instance = ""
        self._known_until = 0.0
        self._deployed_at = 0.0

    def target(self) -> Target:
        """Return the target, for which what is deployed is read anew from time to time, beside the pages.

        It is read again soon if it was read in the middle of a deployment, and at once if nobody has looked for a
        while. Raises UnreachableError if the engine does not run.
        """
        with self._lock:
            target = self._found()
            known, now = target.known_addresses, time.monotonic()
            age = now - self._deployed_at
            if known is None or age >= (DEPLOYED_SECONDS if known.is_whole else KNOWN_SECONDS):
                self._deployed_at = now
                if known is not None and age >= OLD_SECONDS:
                    _renew(target)
                elif known is not None:
                    threading.Thread(target=_renew, args=(target,), name="addresses", daemon=True).start()
            return target

    def _found(self) -> Target:
        if not self.is_local:
            self._target = self._target or find_target(self.env, region=self._region, profile=self._profile)
            return self._target
        if self._target is not None and time.monotonic() < self._known_until:
            return self._target
        try:
            running = Engine().running(patience_seconds=0)  # pages wait for one another here, and try again
        except EngineNotRunningError as error:
            raise UnreachableError(str(error)) from error
        if self._target is None or running.instance != self._instance:
            self.restarts += bool(self._instance)
            self._instance = running.instance
            self._target = local_target(running.connection, stand_in=running.stand_in)
        self._known_until = time.monotonic() + KNOWN_SECONDS
        return self._target

    def added(self) -> tuple[str, ...]:
        """Return the services that were added to the code and deployed since this console began.

        Its code was loaded then, so it needs a restart to show them. Asks nobody: what is deployed is known as far as
        it was read. A service without a folder, one that was removed or is of another checkout, would stay unknown.
        """
        addresses = self._target.known_addresses if self._target else None
        unknown = (one for one in (addresses.services if addresses else ()) if one not in PARTS)
        return tuple(one for one in unknown if (SERVICES / one).is_dir())

    @property
    def login(self) -> str:
        """The command that renews an operator's credentials."""
        return "aws sso login" + (f" --profile {self._profile}" if self._profile else "")

    def forget(self) -> None:
        """Find the target anew at the next request: something was deployed, or somebody logged in, since."""
        with self._lock:
            self._target, self._known_until = None, 0.0

    def chip(self) -> Chip:
        """Describe the environment without asking it, except AWS once, for the account."""
        if self.is_local:
            engine = self._target.endpoint if self._target else None
            return Chip(env=self.env, is_local=True, where=(engine or "").removeprefix("http://"))
        if self._identity is None:
            self._identity = self.target().describe()
        one = self._identity
        where = f"{one.account} · {one.region} · {one.caller.rpartition('/')[2]}"
        return Chip(env=self.env, is_local=False, where=where)


def _renew(target: Target) -> None:
    with suppress(OperationError):  # whoever needs the addresses next says what is wrong
        target.renew_addresses()
