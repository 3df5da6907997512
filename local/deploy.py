"""Deploys the real CDK app with the real CDK CLI: to the engine, or to an AWS account.

For the engine, what is unchanged is not done again: `cdk.out` is reused while its sources are the same, and
an engine that has them already is left alone.
"""

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.toolchain import bundled_node
from local.connection import ACCOUNT, REAL_AWS, REGION
from local.engine import Running, Say
from local.errors import DeployError
from local.paths import CDK, ROOT, STATE

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
    context = {"env": "local", "engine": running.endpoint_url}
    if running.model:
        context["model_id"] = running.model
    return context


class LocalDeployment:
    """The app on one running engine. `state` is the engine's own folder."""

    def __init__(self, running: Running, state: Path = STATE) -> None:
        self._running = running
        self._state = state
        self._context = context_of(running)
        self._wanted = fingerprint(self._context)
        self._assembly = state / "cdk.out"
        self._mark = state / "deployed.json"

    def is_current(self) -> bool:
        """Whether this engine runs these very sources, in all stacks."""
        return self._marked() == {"instance": self._running.instance, "fingerprint": self._wanted}

    def deploy(self, service: str | None, say: Say) -> bool:
        """Deploys all stacks, or one service's alone. False if there was nothing to do."""
        if service is None and self.is_current():
            return False
        known = self._marked().get("instance") == self._running.instance
        if service and not known:
            raise DeployError("Nothing is deployed to this engine yet. Deploy everything first: make run")
        with ThreadPoolExecutor(max_workers=1) as beside:
            bootstrapped = None if known else beside.submit(self._bootstrap)
            self._synth(say)
            if bootstrapped:
                bootstrapped.result()
        say(f"deploying {service or 'all stacks'} with the CDK CLI")
        selection = [f"ai-pipeline-local-{service}", "--exclusively"] if service else ["--all"]
        arguments = ["deploy", *selection, "--app", str(self._assembly), "--concurrency", "4", "--ci"]
        arguments += ["--require-approval", "never", "--output", str(self._assembly)]
        self._run(arguments, say=say)
        if service is None:
            self._mark.write_text(
                json.dumps({"instance": self._running.instance, "fingerprint": self._wanted})
            )
        else:  # the other stacks may be behind the sources: only a full deployment makes the engine current
            self._mark.write_text(json.dumps({"instance": self._running.instance, "fingerprint": None}))
        return True

    def _marked(self) -> dict[str, str | None]:
        with contextlib.suppress(OSError, ValueError):
            return dict(json.loads(self._mark.read_text()))
        return {}

    def _synth(self, say: Say) -> None:
        stamp = self._assembly / "fingerprint"
        with contextlib.suppress(OSError):
            if stamp.read_text() == self._wanted:
                return
        say("synthesising the CDK app and bundling its functions")
        stamp.unlink(missing_ok=True)
        context = {**self._context, "nag": "off"}
        pairs = [part for name, value in context.items() for part in ("-c", f"{name}={value}")]
        self._run(["synth", "--quiet", "--output", str(self._assembly), *pairs], say=None)
        stamp.write_text(self._wanted)

    def _bootstrap(self) -> None:
        """In the state folder, where no cdk.json makes the CLI synthesise the app for it."""
        self._run(["bootstrap", f"aws://{ACCOUNT}/{REGION}", "--ci"], say=None, folder=self._state)

    def _run(self, arguments: list[str], *, say: Say | None, folder: Path = ROOT) -> None:
        variables = {name: value for name, value in os.environ.items() if name not in REAL_AWS}
        variables |= self._running.connection().variables()
        variables |= {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        run_cdk(arguments, variables=variables, log=self._state / "deploy.log", say=say, folder=folder)


def deploy_local(running: Running, *, service: str | None = None, state: Path = STATE, say: Say) -> bool:
    """False if the engine had it all already. Raises DeployError."""
    return LocalDeployment(running, state).deploy(service, say)


def deployed(running: Running, *, state: Path = STATE) -> bool:
    return LocalDeployment(running, state).is_current()


def deploy_aws(
    env: str,
    *,
    service: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    say: Say,
) -> None:
    """The same app with the caller's own credentials. Says nothing of the account: ask before calling."""
    variables = dict(os.environ)
    variables |= {name: region for name in ("AWS_REGION", "AWS_DEFAULT_REGION") if region}
    selection = [f"ai-pipeline-{env}-{service}", "--exclusively"] if service else ["--all"]
    arguments = ["deploy", *selection, "-c", f"env={env}", "--require-approval", "never", "--ci"]
    arguments += ["--profile", profile] if profile else []
    STATE.mkdir(exist_ok=True)
    arguments += ["--output", str(STATE / f"cdk.out-{env}")]
    run_cdk(arguments, variables=variables, log=STATE / f"deploy-{env}.log", say=say)


_log_lock = threading.Lock()


def run_cdk(
    arguments: list[str],
    *,
    variables: Mapping[str, str],
    log: Path,
    say: Callable[[str], None] | None,
    folder: Path = ROOT,
) -> None:
    """Runs the pinned CDK CLI on the bundled Node: all output to `log`, finished stacks to `say`."""
    node = bundled_node()
    if node is None or not CDK.exists():
        raise DeployError("The CDK CLI is not installed. Run: make setup")
    environment = {
        **variables,
        "PATH": os.pathsep.join(
            [str(node.parent), str(Path(sys.executable).parent), variables.get("PATH", "")]
        ),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
        "NO_COLOR": "1",
    }
    command = [str(node), str(CDK), *arguments, "--no-notices", "--no-version-reporting"]
    lines: list[str] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            for line in child.stdout or ():
                lines.append(line.rstrip())
                if say and (done := _DONE.search(line)):
                    say(f"  {done['stack']}{' (no changes)' if 'no changes' in done['rest'] else ''}")
            code = child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
            with _log_lock, log.open("a") as file:
                file.write(f"$ cdk {' '.join(arguments)}\n" + "\n".join(lines) + "\n")
    if code:
        raise DeployError(f"cdk {arguments[0]} failed:\n{_relevant(lines)}\nAll of its output: {log}")


def _relevant(lines: Iterable[str], most: int = 12) -> str:
    """The lines of a failed run that say why: from the first that names an error, else the last ones."""
    kept = [line for line in lines if line.strip()]
    first = next(
        (i for i, line in enumerate(kept) if re.search(r"error|failed|❌", line, re.IGNORECASE)), None
    )
    chosen = kept[first : first + most] if first is not None else kept[-most:]
    return "\n".join(f"  {line}" for line in chosen)
