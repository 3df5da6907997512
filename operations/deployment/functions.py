"""What is deployed of each function: since when, and the hash of its code."""

from datetime import datetime

from botocore.exceptions import ClientError
from msgspec import Struct

from infra.functions import FunctionSpec, deployed_functions
from infra.names import Names
from operations.aws_errors import translated
from operations.target import Target

HASH_CHARS = 12


class Deployed(Struct, frozen=True, kw_only=True):
    """A function of a service as Lambda describes it. `changed_at` is the last change of its code or its settings.

    `code` is the beginning of the hash of its code: equal code has an equal hash. All are None if it is not deployed.
    """

    name: str
    service: str
    changed_at: datetime | None = None
    code: str | None = None
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    architecture: str | None = None


def read_functions(target: Target) -> list[Deployed]:
    """Return the functions that the environment has, or should have, by their short names."""
    names = Names(target.env)
    budgeted = "budget/table" in target.addresses.values
    specs = deployed_functions(budgeted=budgeted)
    return [_read(target, spec, names.function(spec.name)) for spec in specs]


def _read(target: Target, spec: FunctionSpec, function: str) -> Deployed:
    with translated(f"read the settings of {function}"):
        try:
            answer = target.client("lambda").get_function_configuration(FunctionName=function)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return Deployed(name=spec.name, service=spec.service)
            raise
    changed_at = answer.get("LastModified")
    return Deployed(
        name=spec.name,
        service=spec.service,
        changed_at=datetime.fromisoformat(changed_at) if changed_at else None,
        code=str(answer.get("CodeSha256") or "")[:HASH_CHARS] or None,
        memory_mb=answer.get("MemorySize"),
        timeout_seconds=answer.get("Timeout"),
        architecture=(answer.get("Architectures") or [None])[0],
    )
