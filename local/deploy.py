"""Deploys the CDK app to the local engine, with the real CDK CLI.

Unchanged work is skipped: the synthesised app is reused while its sources are the same, and nothing is
deployed to an engine that already has these sources.
"""

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from infra.names import Names
from infra.parts import MONITORING, OPTIONAL, PARTS
from local import cdk
from local.bootstrap import bootstrap
from local.engine import Engine, Running
from local.errors import DeployError, UnknownServiceError
from local.fingerprint import fingerprint
from local.paths import ROOT
from local.small_model.place import OPTIONS
from local.small_model.starting import await_ready
from local.targets import local_target
from operations.deployment.removed import context_of_removed
from operations.progress import Progress, Step, silent, step

LOCK_SECONDS = 300.0


# --- the local engine ------------------------------------------------------------------------------------


NO_CONTEXT: Mapping[str, str] = {}


def up(engine: Engine, progress: Progress = silent, *, context: Mapping[str, str] = NO_CONTEXT) -> Running:
    """Start the engine and deploy all stacks to it, skipping what is already done.

    `context` holds additional CDK context for the app: settings by name, e.g. `{"memory_analyzer": "256"}`. The small
    model is loaded during the deployment; if that fails, the engine is started again with canned answers. Raises the
    errors of Engine.start and deploy.
    """
    running = engine.start(progress)
    deploy(engine, progress=progress, context=context)
    if running.model and running.model.small:
        trouble = await_ready(running.model, engine.state.model_log, progress)
        if trouble:
            running = engine.start(progress, without_small=trouble)
            deploy(engine, progress=progress, context=context)
    return running


def deploy(
    engine: Engine,
    service: str | None = None,
    progress: Progress = silent,
    *,
    context: Mapping[str, str] = NO_CONTEXT,
    root: Path = ROOT,
) -> tuple[str, ...]:
    """Deploy all stacks, or only one service's, to the running engine. Return the parts that were deployed.

    Nothing is deployed (an empty tuple) if this engine already has these sources with this `context`.
    `service` is a part's name: a service, or `platform`, `workflow`, `monitoring`. `root` is the checkout whose
    sources are deployed.

    Raises EngineNotRunningError, UnknownServiceError, DeployError, SetupMissingError, BusyError.
    """
    require_known(service)
    running = engine.running()
    with engine.state.lock("deploy", progress, patience_seconds=LOCK_SECONDS):
        return _LocalDeployment(engine, running, progress, context, root).deploy(service)


def is_current(engine: Engine) -> bool:
    """Tell whether all stacks on the running engine, but OPTIONAL ones, are current. Raises EngineNotRunningError."""
    return _LocalDeployment(engine, engine.running(), silent, NO_CONTEXT, ROOT).is_current(None)


UNKNOWN = ""
"""The fingerprint of a part whose deployment has begun and not ended."""


class _LocalDeployment:
    """The app on a running engine: each deployed part's fingerprint, from `deployed.json`, and the wanted one."""

    def __init__(
        self, engine: Engine, running: Running, progress: Progress, context: Mapping[str, str], root: Path
    ) -> None:
        self._engine = engine
        self._running = running
        self._progress = progress
        self._state = engine.state
        self._parts = self._state.deployed_parts(running.instance)
        removed = context_of_removed(local_target(running.connection), context) if self._parts else {}
        self._context = {**context, **context_of(running), **removed}
        self._wanted = fingerprint(self._context, root)
        self._cdk = cdk.Run(
            environment=running.connection.environment(os.environ), log=self._state.deploy_log, folder=root
        )

    def deploy(self, service: str | None) -> tuple[str, ...]:
        if self.is_current(service):
            self._progress(Step(service or "deploy", "unchanged", "the engine has these sources already"))
            return ()
        if service and not self._parts:
            raise DeployError(
                f"{service} can't be deployed alone: nothing is deployed to this engine yet. Deploy everything "
                "first: make run"
            )
        self._state.deploy_log.unlink(missing_ok=True)
        assembly = self._synthesise(service)
        try:
            if not self._parts:
                with step(self._progress, "bootstrap", "preparing the engine for deployments"):
                    bootstrap(self._running.connection)
            # A deployment that fails half-way leaves what no fingerprint describes.
            self._note(self._parts.keys() & {service} if service else list(self._parts), UNKNOWN)
            done = self._deploy_stacks(service, assembly)
        except DeployError as error:
            if self._engine.status().running != self._running:
                raise DeployError(
                    f"The local engine ended during the deployment. Its log {self._running.log_file} says why. Start "
                    "and deploy again: make run"
                ) from error
            raise
        if not service:  # what the app no longer has is no longer compared
            self._parts = {part: value for part, value in self._parts.items() if part in {*done, MONITORING}}
        self._note(done, self._wanted)
        return done

    def _note(self, parts: Iterable[str], fingerprint: str) -> None:
        self._parts |= dict.fromkeys(parts, fingerprint)
        self._state.write(self._state.deployed, {"instance": self._running.instance, "parts": self._parts})

    def is_current(self, service: str | None) -> bool:
        """Tell whether `service`, or every part of the last full deployment, has the wanted fingerprint."""
        full = {part: value for part, value in self._parts.items() if part not in OPTIONAL}
        relevant = {service: self._parts.get(service)} if service else full
        return bool(relevant) and set(relevant.values()) == {self._wanted}

    def _synthesise(self, service: str | None) -> Path:
        """Return the folder of the synthesised app.

        For a `service`, a current app is reused; otherwise only its stack is made, even if other services' code is
        broken.
        """
        everything, alone = self._state.assembly, self._state.assembly_of_service
        if self._holds(everything, self._wanted) and service not in OPTIONAL:
            return everything
        folder, key = (alone, f"{self._wanted} {service}") if service else (everything, self._wanted)
        if not self._holds(folder, key):
            _key_file(folder).unlink(missing_ok=True)
            context = {
                **self._context,
                "nag": "off",
                **({"only": service} if service else {}),
            }
            pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
            with step(self._progress, "synth", "synthesising the CDK app and bundling its functions"):
                # `make check` runs cdk-nag and the CLI's own validation, which take most of a synth.
                self._cdk(["synth", "--quiet", "--no-validation", "--output", str(folder), *pairs])
            _key_file(folder).write_text(key)
        return folder

    @staticmethod
    def _holds(assembly: Path, key: str) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return (assembly / "manifest.json").exists() and _key_file(assembly).read_text() == key
        return False

    def _deploy_stacks(self, service: str | None, assembly: Path) -> tuple[str, ...]:
        names = cdk.stack_names(assembly)
        chosen = [stack_name("local", service)] if service else list(names)
        if not set(chosen) <= set(names):
            raise UnknownServiceError(
                f"The CDK app has no stack {chosen[0]}. Choose the service of one it has: {', '.join(names)}."
            )
        selection = [*chosen, "--exclusively"] if service else ["--all"]
        with step(
            self._progress, "deploy", f"deploying {service or f'{len(chosen)} stacks'} with the CDK CLI"
        ):
            self._cdk(
                [
                    "deploy",
                    *selection,
                    "--app",
                    str(assembly),
                    "--concurrency",
                    "4",
                    "--require-approval",
                    "never",
                ],
                by_part("local", self._progress),
            )
        return tuple(part_of("local", name) for name in chosen)


def _key_file(assembly: Path) -> Path:
    """Return the file beside an assembly that holds the fingerprint of its sources."""
    return assembly.with_name(f"{assembly.name}.key")


def context_of(running: Running) -> dict[str, str]:
    """Return the app's CDK context for an engine: its address and, with a model server, the model's name.

    The small model has options of its own.
    """
    context = {"env": "local", "engine": running.connection.endpoint_url}
    if running.model:
        context["model_id"] = running.model.name
        if running.model.small:
            context.update(OPTIONS)
    return context


# --- names -----------------------------------------------------------------------------------------------


def stack_name(env: str, part: str) -> str:
    return Names(env).stack(part)


def part_of(env: str, stack: str) -> str:
    return stack.removeprefix(stack_name(env, ""))


def by_part(env: str, progress: Progress) -> Progress:
    """Return a progress callback that takes events named after stacks and passes them on named after parts."""
    return lambda event: progress(replace(event, name=part_of(env, event.name)))


def require_known(service: str | None) -> None:
    if service is not None and service not in PARTS:
        raise UnknownServiceError(f"There is no service {service!r}. Choose one of: {', '.join(PARTS)}.")
