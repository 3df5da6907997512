"""One campaign: publish, break, wait, replay, check."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.deploy import up
from local.paths import STATE
from local.progress import Progress, silent
from local.testing import own_engine
from tests.chaos.callbacks import Script, callback_proxies
from tests.chaos.conductor import Conductor, redeploy
from tests.chaos.deployment import FUNCTIONS, Deployment
from tests.chaos.faults import Injection, Ledger
from tests.chaos.invariants import Found, Violation, violations
from tests.chaos.model import PlannedModel, delivered
from tests.chaos.observer import Observer
from tests.chaos.plan import Plan, plan
from tests.chaos.publisher import Publisher
from tests.e2e.model_server import ModelServer, model_server

FOLDER = STATE / "chaos"
FINAL = ("SUCCEEDED", "FAILED")
LOOK_SECONDS = 1.0

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """`visibility_seconds`: how long a dead worker's messages wait; longer than any function may run."""

    seed: int = 1
    pipelines: int = 2000
    per_second: float = 20.0
    timeout_seconds: int = 6
    visibility_seconds: int = 20
    without_right_seconds: float = 3.0
    quiet_within_seconds: float = 900.0

    @property
    def context(self) -> dict[str, str]:
        """The app's settings: a shorter timeout than the local environment's, so that less is waited for."""
        return {f"timeout_{name}": str(self.timeout_seconds) for name in FUNCTIONS}

    @property
    def too_slow_seconds(self) -> float:
        """Longer than the chatbot waits, which is about half of its timeout."""
        return self.timeout_seconds - 1.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a campaign came to. `calls` is how often the model was asked, by pipeline."""

    options: Options
    seconds: float
    publishing_seconds: float
    accepted: Mapping[int, str]
    given_up: Mapping[int, str]
    calls: Mapping[int, int]
    found: Found
    injections: list[Injection]
    violations: list[Violation]
    evidence: list[dict[str, Any]] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.violations


class NotQuietError(Exception):
    """Something still moves after a bounded time; the text says what."""


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
        deployment.visible_after(self._options.visibility_seconds)
        self._observer.subscribe()
        with callback_proxies(deployment, self._scripts, self._ledger) as self._ports:
            deployment.call_step_functions_at(self._ports)
            watching = _Threads(self._observer.run)
            try:
                published_seconds = self._break_it()
                self._wait_until_quiet("waiting until every pipeline is over")
                self._observer.repeat()
                self._wait_until_quiet("waiting after late requests")
            finally:
                watching.stop()
                watching.join()
        return self._outcome(began, published_seconds)

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

    def _outcome(self, began: float, published_seconds: float) -> Outcome:
        found = Found(
            accepted=dict(self._publisher.accepted),
            delivered=delivered(self._server),
            records=self._deployment.records(),
            executions=self._deployment.executions(),
            queues=self._deployment.waiting(),
            unasked=list(self._model.unknown),
        )
        return Outcome(
            options=self._options,
            seconds=round(time.monotonic() - began, 1),
            publishing_seconds=round(published_seconds, 1),
            accepted=found.accepted,
            given_up=dict(self._publisher.given_up),
            calls=self._model.calls(),
            found=found,
            injections=self._ledger.injections(),
            violations=violations(found),
        )

    # --- waiting ---

    def _wait_until_quiet(self, doing: str) -> None:
        """Until nothing moves, seen twice in a row. Raises NotQuietError."""
        until = time.monotonic() + self._options.quiet_within_seconds
        seen = 0
        while seen < 2:
            moving = self._moving()
            seen = 0 if moving else seen + 1
            self._told(doing, moving)
            if time.monotonic() > until:
                raise NotQuietError(f"After {self._options.quiet_within_seconds:.0f} s: {', '.join(moving)}")
            time.sleep(LOOK_SECONDS)

    def _moving(self) -> list[str]:
        """What is not at rest, in words; the cheapest looked at first."""
        waiting = self._deployment.waiting(self._deployment.service_queues())
        moving = [f"{sum(counts)} in {name}" for name, counts in waiting.items() if any(counts)]
        if moving:
            return moving
        if running := self._deployment.executions("RUNNING"):
            return [f"{len(running)} executions"]
        records = self._deployment.records()
        over = sum(record.get("status") in FINAL for record in records.values())
        return [f"{len(records) - over} records"] if over < len(records) else []

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
