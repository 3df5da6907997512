"""What is deployed of each function: since when, and the revision of its code."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from botocore.exceptions import ClientError
from msgspec import Struct

from infra.functions import FunctionSpec, deployed_functions
from infra.names import Names
from operations.approvals import Approvals
from operations.aws_errors import translated
from operations.target import AT_ONCE, Target
from shared.contracts.limits import REVISION_CHARS
from shared.contracts.stages import EVERY
from shared.settings import REVISION

HASH_CHARS = 12


class Deployed(Struct, frozen=True, kw_only=True):
    """A function of a service as Lambda describes it. `changed_at` is the last change of its code or its settings.

    `revision` is what a run tells of the code that a stage ran. `code` is the beginning of the hash of the package,
    which nobody but Lambda tells: it changes also if somebody replaces the code by hand. All are None if the function
    is not deployed.
    """

    name: str
    service: str
    changed_at: datetime | None = None
    revision: str | None = None
    code: str | None = None
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    architecture: str | None = None


def read_functions(target: Target) -> list[Deployed]:
    """Return the functions that the environment has, or should have, by their short names."""
    names = Names(target.env)
    budgeted = "budget/table" in target.addresses.values
    specs = deployed_functions(budgeted=budgeted, approving=Approvals(target).is_on)
    target.client("lambda")  # made here: the threads share it
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda spec: _read(target, spec, names.function(spec.name)), specs))


def revisions(functions: Iterable[Deployed]) -> Mapping[str, str]:
    """Return the revision of the code that is deployed of each stage, by the stage's key, where it is known."""
    told = {one.name: one.revision for one in functions if one.revision}
    return {stage.key: told[stage.service] for stage in EVERY if stage.service in told}


def _read(target: Target, spec: FunctionSpec, function: str) -> Deployed:
    with translated(f"read the settings of {function}"):
        try:
            answer = target.client("lambda").get_function_configuration(FunctionName=function)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return Deployed(name=spec.name, service=spec.service)
            raise
    changed_at = answer.get("LastModified")
    variables = answer.get("Environment", {}).get("Variables", {})
    return Deployed(
        name=spec.name,
        service=spec.service,
        changed_at=datetime.fromisoformat(changed_at) if changed_at else None,
        revision=str(variables.get(REVISION) or "")[:REVISION_CHARS] or None,
        code=str(answer.get("CodeSha256") or "")[:HASH_CHARS] or None,
        memory_mb=answer.get("MemorySize"),
        timeout_seconds=answer.get("Timeout"),
        architecture=(answer.get("Architectures") or [None])[0],
    )
