"""A campaign: publish messages, inject faults, wait, replay parked messages, check the invariants."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.callbacks import Script, callback_proxies
from chaos.conductor import FIRST, Conductor, redeploy
from chaos.deployment import FUNCTION_NAMES, Deployment
from chaos.evidence import evidence
from chaos.faults import Injection, Ledger
from chaos.invariants import FinalState, Violation, violations
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
POLL_SECONDS = 1.0

Announce = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a campaign. `timeout_seconds` and `chatbot_timeout_seconds` are the functions' timeouts.

    A dead worker's message is delivered again after `visibility_seconds`, or after its function's timeout plus two
    seconds if that is longer. The chatbot's timeout is long, so that on a busy machine an answer in time does not
    count as late.
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
        """The CDK context with the functions' timeouts."""
        return {f"timeout_{name}": str(self.timeout_of(name)) for name in FUNCTION_NAMES}

    @property
    def too_slow_seconds(self) -> float:
        """Delay of a model answer that the chatbot no longer waits for."""
        return Settings(timeout_seconds=self.chatbot_timeout_seconds).read_seconds + 2.0


@dataclass(frozen=True, kw_only=True)
class Times:
    """The duration of each phase in seconds.

    `published`: publishing. `at_rest`: from the first message until nothing moved. `replayed`: from then to the end
    of the replay, including the repeated requests before it.
    `total`: the whole campaign, with starting and deploying.
    """

    published: float
    at_rest: float
    replayed: float
    total: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of a campaign. `calls` is the number of model calls by run."""

    options: Options
    times: Times
    calls: Mapping[int, int]
    parked: Mapping[str, int]
    """Number of messages parked before the replay, by queue and error."""
    replayed: Mapping[str, int]
    state: FinalState
    injections: list[Injection]
    violations: list[Violation]
    evidence: list[dict[str, Any]]

    @property
    def holds(self) -> bool:
        return not self.violations


def run(
    options: Options,
    *,
    folder: Path = FOLDER,
    announce: Announce = lambda _: None,
    progress: Progress = silent,
) -> Outcome:
    """Run a campaign on an engine of its own, which is stopped at the end. Raises the errors of `local.deploy.up`."""
    started_at = time.monotonic()
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
            announce=announce,
        ).run(started_at)


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
        announce: Announce,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._model = model
        self._server = server
        self._deployment = deployment
        self._announce = announce
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

    def run(self, started_at: float) -> Outcome:
        deployment = self._deployment
        for service in deployment.service_queues():
            deployment.visible_after(service, self._options.visibility_of(service))
        self._observer.subscribe()
        started = time.monotonic()
        with callback_proxies(deployment, self._scripts, self._ledger) as self._ports:
            deployment.call_step_functions_at(self._ports)
            watching = _Threads(self._observer.run)
            try:
                published = self._publish_with_faults()
                self._wait_until_quiet("waiting until every run has ended")
                at_rest = time.monotonic() - started
                self._observer.repeat()
                self._wait_until_quiet("waiting after repeating late requests")
            finally:
                watching.stop()
                watching.join()
            for script in self._scripts.values():
                script.over = True
            parked_messages = parked(deployment.target)
            self._announce(f"replaying {len(parked_messages)} parked messages")
            replayed = replay_everything(deployment.target, self._wait_until_quiet)
        now = time.monotonic()
        times = Times(
            published=published, at_rest=at_rest, replayed=now - started - at_rest, total=now - started_at
        )
        return self._outcome(times, parked_messages, replayed)

    def _publish_with_faults(self) -> float:
        """Publish all messages and inject all faults. Return the duration in seconds."""
        started_at = time.monotonic()
        working = _Threads(self._publisher.run, self._conductor.run)
        try:
            while working.alive():
                time.sleep(POLL_SECONDS)
                self._announce_progress("publishing")
        except BaseException:
            working.stop()
            raise
        finally:
            working.join()
        if self._conductor.failures:
            raise self._conductor.failures[0]
        return time.monotonic() - started_at

    def _redeploy(self) -> None:
        redeploy(self._deployment, self._options.context)
        self._deployment.call_step_functions_at({FIRST: self._ports[FIRST]})

    def _outcome(self, times: Times, parked_messages: list[Parked], replayed: Mapping[str, int]) -> Outcome:
        state = FinalState(
            accepted=dict(self._publisher.accepted),
            given_up=dict(self._publisher.given_up),
            delivered=delivered(self._server),
            records=self._deployment.records(),
            executions=self._deployment.executions(),
            queues=self._deployment.waiting(),
            unasked=list(self._model.unknown),
            unreadable=list(self._conductor.unreadable),
            rejected=[
                message.body for message in parked_messages if message.error_type == ContractViolation.NAME
            ],
        )
        broken, injections = violations(state), self._ledger.injections()
        return Outcome(
            options=self._options,
            times=times,
            calls=self._model.calls(),
            parked=Counter(
                f"{message.service} {message.kind}: {message.error_type}" for message in parked_messages
            ),
            replayed=replayed,
            state=state,
            injections=injections,
            violations=broken,
            evidence=evidence(self._deployment, state, broken, injections),
        )

    # --- waiting ---

    def _wait_until_quiet(self, doing: str) -> None:
        """Wait until nothing moves on two polls in a row, or until the time limit.

        Whatever still moves at the end of the campaign breaks an invariant.

        A record need not be final by then: the event that reports its end may be parked.
        """
        until = time.monotonic() + self._options.quiet_within_seconds
        quiet_polls = 0
        while quiet_polls < 2:
            moving = self._moving()
            quiet_polls = 0 if moving else quiet_polls + 1
            self._announce_progress(doing, moving)
            if time.monotonic() > until:
                return
            time.sleep(POLL_SECONDS)

    def _moving(self) -> list[str]:
        """Return a text for each queue with messages or, if there is none, for the running executions."""
        waiting = self._deployment.waiting(self._deployment.service_queues())
        moving = [f"{sum(counts)} in {name}" for name, counts in waiting.items() if any(counts)]
        if moving:
            return moving
        running = self._deployment.executions("RUNNING")
        return [f"{len(running)} executions"] if running else []

    def _announce_progress(self, doing: str, moving: list[str] | None = None) -> None:
        accepted, faults = len(self._publisher.accepted), self._ledger.count()
        answered = len(self._server.answered)
        left = f"; left: {', '.join(moving)}" if moving else ""
        self._announce(f"{doing}: {accepted} accepted, {answered} answered, {faults} faults{left}")


class _Threads:
    """Runs functions in parallel until they end or are stopped. `join` raises the error of a function that failed."""

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
