"""Deploys the real CDK app with the real CDK CLI: to the engine, or to an AWS account.

For the engine, what is unchanged is not done again: `cdk.out` is reused while its sources are the same, and
an engine that has them already is left alone.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from infra.toolchain import bundled_node
from local.connection import ACCOUNT, REGION
from local.engine import Engine, Running, deployed_parts
from local.errors import AwsAccessError, BusyError, DeployError, SetupMissingError, UnknownServiceError
from local.paths import CDK, ROOT, STATE
from local.progress import Progress, Step, silent
from shared.contracts.stages import SERVICES

PARTS = ("platform", *SERVICES, "workflow")

SOURCES = ("infra", "shared", "services")
SOURCE_FILES = ("requirements.txt", "cdk.json", "package-lock.json")
NOT_DEPLOYED = ("tests", "evaluation", "__pycache__")

_DONE = re.compile(r"✅\s+(?P<stack>\S+)(?P<rest>.*)")


def sources() -> Iterator[Path]:
    """Every file a deployment depends on."""
    for folder in SOURCES:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".json", ".typed"} and not set(path.parts) & set(NOT_DEPLOYED):
                yield path
    yield from (ROOT / name for name in SOURCE_FILES)


def fingerprint(context: Mapping[str, str]) -> str:
    """Changes exactly when what would be deployed may change."""
    digest = hashlib.sha256(json.dumps([sys.version_info[:2], sorted(context.items())]).encode())
    for path in sources():
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def context_of(running: Running) -> dict[str, str]:
    """The app's context for an engine: its address and, with a model server, the model's name there."""
    context = {"env": "local", "engine": running.connection.endpoint_url}
    if running.model:
        context["model_id"] = running.model.name
    return context


def stack(env: str, part: str) -> str:
    return f"ai-pipeline-{env}-{part}"


def _selection(env: str, service: str | None) -> list[str]:
    if service is None:
        return ["--all"]
    if service not in PARTS:
        raise UnknownServiceError(f"There is no service {service!r}. Known: {', '.join(PARTS)}.")
    return [stack(env, service), "--exclusively"]


class _Deployment:
    """The app on one running engine, whose folder holds the assembly and the note of what was deployed."""

    def __init__(self, running: Running, state: Path, progress: Progress) -> None:
        self._running = running
        self._progress = progress
        self._context = context_of(running)
        self._wanted = fingerprint(self._context)
        self._assembly = state / "cdk.out"
        self._state = state
        self._note = state / "deployed.json"

    def is_current(self) -> bool:
        """Whether this engine has these very sources, in all stacks."""
        with contextlib.suppress(OSError, ValueError):
            noted = json.loads(self._note.read_text())
            return (noted["instance"], noted["fingerprint"]) == (self._running.instance, self._wanted)
        return False

    def deploy(self, service: str | None) -> tuple[str, ...]:
        selection = _selection("local", service)
        if service is None and self.is_current():
            return ()
        known = deployed_parts(self._state, self._running.instance)
        if service and not known:
            raise DeployError("Nothing is deployed to this engine yet. Deploy everything first: make run")
        with ThreadPoolExecutor(max_workers=1) as beside:
            bootstrapped = None if known else beside.submit(self._bootstrap)
            self._synth()
            if bootstrapped:
                bootstrapped.result()
        arguments = ["deploy", *selection, "--app", str(self._assembly), "--concurrency", "4"]
        done = self._run(
            [*arguments, "--require-approval", "never"], "deploy", "deploying with the CDK CLI", tell=True
        )
        # One service alone leaves the others as they were: only a full deployment makes the engine current.
        noted = {
            "instance": self._running.instance,
            "fingerprint": None if service else self._wanted,
            "parts": sorted({*known, *done}, key=PARTS.index),
        }
        self._note.write_text(json.dumps(noted))
        return done

    def _synth(self) -> None:
        stamp = self._assembly / "fingerprint"
        with contextlib.suppress(OSError):
            if stamp.read_text() == self._wanted:
                return
        stamp.unlink(missing_ok=True)
        context = {**self._context, "nag": "off"}
        pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
        text = "synthesising the CDK app and bundling its functions"
        self._run(["synth", "--quiet", "--output", str(self._assembly), *pairs], "synth", text)
        stamp.write_text(self._wanted)

    def _bootstrap(self) -> None:
        """In the state folder, where no cdk.json makes the CLI synthesise the app for it."""
        arguments = ["bootstrap", f"aws://{ACCOUNT}/{REGION}"]
        self._run(arguments, "bootstrap", "bootstrapping the engine for the CDK", folder=self._state)

    def _run(
        self, arguments: list[str], name: str, text: str, *, folder: Path = ROOT, tell: bool = False
    ) -> tuple[str, ...]:
        began = monotonic()
        self._progress(Step(name, "started", text))
        done = run_cdk(
            arguments,
            variables=self._running.connection.environment(os.environ),
            log=self._state / "deploy.log",
            progress=self._progress if tell else silent,
            folder=folder,
        )
        self._progress(Step(name, "finished", text, monotonic() - began))
        return done


def up(engine: Engine, progress: Progress = silent) -> Running:
    """Starts the engine and deploys all stacks to it; does nothing that is done already.

    Raises what Engine.start and deploy raise.
    """
    engine.start(progress)
    deploy(engine, progress=progress)
    return engine.running()


def deploy(engine: Engine, service: str | None = None, progress: Progress = silent) -> tuple[str, ...]:
    """Deploys all stacks, or one service's alone, to the running engine. Returns the parts that were deployed.

    Nothing is deployed (an empty tuple) if this very engine has these sources already. `service` is a part's
    name: a service, or `platform`, `workflow`. Raises EngineNotRunningError, UnknownServiceError, DeployError,
    BusyError.
    """
    running = engine.running()
    with _deploying(engine.state):
        return _Deployment(running, engine.state, progress).deploy(service)


def is_current(engine: Engine) -> bool:
    """Whether the running engine has these very sources, in all stacks."""
    return _Deployment(engine.running(), engine.state, silent).is_current()


@dataclass(frozen=True, kw_only=True)
class AwsTarget:
    """Where `deploy_to_aws` is about to go; show it and ask before calling."""

    env: str
    account: str
    region: str
    stacks: tuple[str, ...]
    """Names of the stacks, e.g. `ai-pipeline-dev-analyzer`; all of them if no service was named."""
    service: str | None = None


def aws_target(env: str, service: str | None = None) -> AwsTarget:
    """The account and region the user's own AWS credentials lead to. Raises AwsAccessError, UnknownServiceError."""
    import boto3  # noqa: PLC0415 -- a third of a second that no other command of this module pays
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    _selection(env, service)
    session = boto3.Session()
    if not session.region_name:
        raise AwsAccessError("No AWS region is set. Set one: AWS_REGION=us-east-1")
    try:
        account = session.client("sts").get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise AwsAccessError(f"These AWS credentials can't be used: {error}") from error
    parts = (service,) if service else PARTS
    return AwsTarget(
        env=env,
        account=str(account),
        region=session.region_name,
        stacks=tuple(stack(env, part) for part in parts),
        service=service,
    )


def deploy_to_aws(target: AwsTarget, progress: Progress = silent) -> tuple[str, ...]:
    """Deploys to AWS. Refuses if the credentials now lead to another account. Returns the deployed parts.

    Raises AwsAccessError, DeployError.
    """
    now = aws_target(target.env, target.service)
    if (now.account, now.region) != (target.account, target.region):
        raise AwsAccessError(
            f"The credentials now lead to account {now.account} in {now.region}, not to {target.account} "
            f"in {target.region}. Nothing was deployed."
        )
    STATE.mkdir(exist_ok=True)
    arguments = ["deploy", *_selection(target.env, target.service), "-c", f"env={target.env}"]
    arguments += ["--require-approval", "never", "--output", str(STATE / f"cdk.out-{target.env}")]
    variables = {**os.environ, "AWS_REGION": target.region, "AWS_DEFAULT_REGION": target.region}
    with _deploying(STATE):
        return run_cdk(
            arguments, variables=variables, log=STATE / f"deploy-{target.env}.log", progress=progress
        )


@contextlib.contextmanager
def _deploying(state: Path) -> Iterator[None]:
    """One deployment at a time from one folder: two would write the same assembly."""
    state.mkdir(parents=True, exist_ok=True)
    with (state / "deploy.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "Another deployment from this folder is under way. Wait for it, then try again."
            ) from error
        yield


_log_lock = threading.Lock()


def run_cdk(
    arguments: list[str],
    *,
    variables: Mapping[str, str],
    log: Path,
    progress: Progress = silent,
    folder: Path = ROOT,
) -> tuple[str, ...]:
    """Runs the pinned CDK CLI on the bundled Node, all its output to `log`. Returns the parts it finished."""
    node = bundled_node()
    if node is None or not CDK.exists():
        raise SetupMissingError("The CDK CLI is not installed. Run: make setup")
    environment = {
        **variables,
        "PATH": os.pathsep.join(
            [str(node.parent), str(Path(sys.executable).parent), variables.get("PATH", "")]
        ),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "NO_COLOR": "1",
    }
    command = [str(node), str(CDK), *arguments, "--ci", "--no-notices", "--no-version-reporting"]
    lines: list[str] = []
    parts: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            for line in child.stdout or ():
                lines.append(line.rstrip())
                if done := _DONE.search(line):
                    part = done["stack"].rpartition("-")[2]
                    unchanged = "no changes" in done["rest"]
                    parts.append(part)
                    progress(Step(part, "unchanged" if unchanged else "finished", done["stack"]))
            code = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
            with _log_lock, log.open("a") as file:
                file.write(f"$ cdk {' '.join(arguments)}\n" + "\n".join(lines) + "\n")
    if code:
        raise DeployError(f"cdk {arguments[0]} failed:\n{_relevant(lines)}\nAll of its output: {log}")
    return tuple(part for part in parts if part in PARTS)


def _relevant(lines: Iterable[str], most: int = 12) -> str:
    """The lines of a failed run that say why: from the first that names an error, else the last ones."""
    kept = [line for line in lines if line.strip()]
    first = next(
        (i for i, line in enumerate(kept) if re.search(r"error|failed|❌", line, re.IGNORECASE)), None
    )
    chosen = kept[first : first + most] if first is not None else kept[-most:]
    return "\n".join(f"  {line}" for line in chosen)
