"""One campaign: publish, break, wait, replay, check."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.callbacks import Script, callback_proxies
from chaos.conductor import Conductor, redeploy
from chaos.deployment import FUNCTION_NAMES, Deployment
from chaos.evidence import evidence
from chaos.faults import Injection, Ledger
from chaos.invariants import Found, Violation, violations
from chaos.model import PlannedModel, delivered
from chaos.observer import Observer
from chaos.plan import Plan, plan
from chaos.publisher import Publisher
from chaos.replay import parked, replay_everything
from local.deploy import up
from local.model_server import ModelServer, model_server
from local.paths import STATE
from local.testing import own_engine
from operations.dlq.messages import Parked
from operations.progress import Progress, silent
from services.chatbot.settings import Settings
from shared.errors import ContractViolation

FOLDER = STATE / "chaos"
LOOK_SECONDS = 1.0

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Timeouts are those of functions. Messages of a dead worker come back after `visibility_seconds`, or a little
    longer than the function may run.

    The chatbot's leaves room for a busy machine: an answer that came in time must not be taken for a late one.
    """

    seed: int = 1
    pipelines: int = 2000
    per_second: float = 20.0
    timeout_seconds: int = 10
    chatbot_timeout_seconds: int = 16
    visibility_seconds: int = 20
    without_right_seconds: float = 3.0
    quiet_within_seconds: float = 900.0

    def timeout_of(self, function: str) -> int:
        return self.chatbot_timeout_seconds if function == "chatbot" else self.timeout_seconds

    def visibility_of(self, service: str) -> int:
        return max(self.visibility_seconds, self.timeout_of(service) + 2)

    @property
    def context(self) -> dict[str, str]:
        """The app's settings."""
        return {f"timeout_{name}": str(self.timeout_of(name)) for name in FUNCTION_NAMES}

    @property
    def too_slow_seconds(self) -> float:
        """Longer than the chatbot waits for the model."""
        return Settings(timeout_seconds=self.chatbot_timeout_seconds).read_seconds + 2.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """In seconds: until all was published, until all was at rest, until what was parked was replayed, in all."""

    published: float
    at_rest: float
    replayed: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a campaign came to. `calls` is how often the model was asked, by pipeline."""

    options: Options
    times: Times
    calls: Mapping[int, int]
    parked: Mapping[str, int]
    """How many messages were parked, by queue and error, before the replay."""
    replayed: Mapping[str, int]
    found: Found
    injections: list[Injection]
    violations: list[Violation]
    evidence: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        return not self.violations


def run(
    options: Options, *, folder: Path = FOLDER, tell: Tell = lambda _: None, progress: Progress = silent
) -> Outcome:
    """Raises what starting and deploying raise. Whatever happens, the campaign's engine is stopped."""
    began = time.monotonic()
    planned = plan(options.seed, options.pipelines)
    ledger = Ledger()
    model = PlannedModel(planned, ledger, too_slow_seconds=options.too_slow_seconds)
    with model_server(model) as server, own_engine(folder, model=server.model) as engine:
        deployment = Deployment(engine, up(engine, progress, context=options.context))
        return _Campaign(
            options=options,
            planned=planned,
            ledger=ledger,
            model=model,
            server=server,
            deployment=deployment,
            tell=tell,
        ).run(began)


class _Campaign:
    def __init__(
        self,
        *,
        options: Options,
        planned: Plan,
        ledger: Ledger,
        model: PlannedModel,
        server: ModelServer,
        deployment: Deployment,
        tell: Tell,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._model = model
        self._server = server
        self._deployment = deployment
        self._tell = tell
        self._publisher = Publisher(deployment.target, planned, ledger, per_second=options.per_second)
        self._observer = Observer(deployment, planned, ledger)
        ledger.number_of = self._observer.number_of
        self._scripts = {name: Script(chosen) for name, chosen in planned.callbacks.items()}
        self._ports: Mapping[str, int] = {}
        self._conductor = Conductor(
            deployment,
            ledger,
            seed=options.seed,
            pipelines=options.pipelines,
            progress=lambda: self._publisher.done / options.pipelines,
            without_right_seconds=options.without_right_seconds,
            redeploy=self._redeploy,
        )

    def run(self, began: float) -> Outcome:
        deployment = self._deployment
        for service in deployment.service_queues():
            deployment.visible_after(service, self._options.visibility_of(service))
        self._observer.subscribe()
        started = time.monotonic()
        with callback_proxies(deployment, self._scripts, self._ledger) as self._ports:
            deployment.call_step_functions_at(self._ports)
            watching = _Threads(self._observer.run)
            try:
                published = self._break_it()
                self._wait_until_quiet("waiting until every pipeline is over")
                at_rest = time.monotonic() - started
                self._observer.repeat()
                self._wait_until_quiet("waiting after late requests")
            finally:
                watching.stop()
                watching.join()
            for script in self._scripts.values():
                script.over = True
            letters = parked(deployment.target)
            self._tell(f"replaying {len(letters)} parked messages")
            replayed = replay_everything(deployment.target, self._wait_until_quiet)
        now = time.monotonic()
        times = Times(
            published=published, at_rest=at_rest, replayed=now - started - at_rest, total=now - began
        )
        return self._outcome(times, letters, replayed)

    def _break_it(self) -> float:
        """Publishes everything, with all faults. Returns how many seconds it took."""
        began = time.monotonic()
        working = _Threads(self._publisher.run, self._conductor.run)
        try:
            while working.alive():
                time.sleep(LOOK_SECONDS)
                self._told("publishing")
        except BaseException:
            working.stop()
            raise
        finally:
            working.join()
        if self._conductor.failures:
            raise self._conductor.failures[0]
        return time.monotonic() - began

    def _redeploy(self) -> None:
        redeploy(self._deployment, self._options.context)
        self._deployment.call_step_functions_at({"analyzer": self._ports["analyzer"]})

    def _outcome(self, times: Times, letters: list[Parked], replayed: Mapping[str, int]) -> Outcome:
        found = Found(
            accepted=dict(self._publisher.accepted),
            given_up=dict(self._publisher.given_up),
            delivered=delivered(self._server),
            records=self._deployment.records(),
            executions=self._deployment.executions(),
            queues=self._deployment.waiting(),
            unasked=list(self._model.unknown),
            unreadable=list(self._conductor.unreadable),
            rejected=[letter.body for letter in letters if letter.error_type == ContractViolation.NAME],
        )
        broken, injections = violations(found), self._ledger.injections()
        return Outcome(
            options=self._options,
            times=times,
            calls=self._model.calls(),
            parked=Counter(f"{letter.service} {letter.kind}: {letter.error_type}" for letter in letters),
            replayed=replayed,
            found=found,
            injections=injections,
            violations=broken,
            evidence=evidence(self._deployment, found, broken, injections),
        )

    # --- waiting ---

    def _wait_until_quiet(self, doing: str) -> None:
        """Until nothing moves, seen twice in a row, or for a bounded time: what moves then breaks an invariant.

        A record need not be final: what tells of its end may be parked.
        """
        until = time.monotonic() + self._options.quiet_within_seconds
        seen = 0
        while seen < 2:
            moving = self._moving()
            seen = 0 if moving else seen + 1
            self._told(doing, moving)
            if time.monotonic() > until:
                return
            time.sleep(LOOK_SECONDS)

    def _moving(self) -> list[str]:
        """What is not at rest, in words; the cheapest looked at first."""
        waiting = self._deployment.waiting(self._deployment.service_queues())
        moving = [f"{sum(counts)} in {name}" for name, counts in waiting.items() if any(counts)]
        if moving:
            return moving
        running = self._deployment.executions("RUNNING")
        return [f"{len(running)} executions"] if running else []

    def _told(self, doing: str, moving: list[str] | None = None) -> None:
        accepted, faults = len(self._publisher.accepted), self._ledger.count()
        answered = len(self._server.answered)
        left = f"; left: {', '.join(moving)}" if moving else ""
        self._tell(f"{doing}: {accepted} accepted, {answered} answered, {faults} faults{left}")


class _Threads:
    """Functions that run beside each other until they end, or are told to stop. Raises what one of them raised."""

    def __init__(self, *functions: Callable[[threading.Event], None]) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(len(functions))
        self._running = [self._pool.submit(function, self._stop) for function in functions]

    def alive(self) -> bool:
        return not all(running.done() for running in self._running)

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._pool.shutdown()
        for running in self._running:
            running.result()
