"""Which changes replace a resource, according to the CloudFormation schemas that cfn-lint ships."""

from collections.abc import Iterator, Mapping
from typing import Any

from infra.environments import DEFAULT_REGION


def replaces(resource_type: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether CloudFormation replaces a resource whose properties change so. False for an unknown type."""
    return any(
        list(_values(before, path)) != list(_values(after, path)) for path in _create_only(resource_type)
    )


def _create_only(resource_type: str) -> Iterator[list[str]]:
    # Imported late: loading takes seconds. cfn-lint ships no types.
    from cfnlint.schema import (  # type: ignore[import-untyped]  # noqa: PLC0415
        PROVIDER_SCHEMA_MANAGER,
        ResourceNotFoundError,
    )

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(DEFAULT_REGION, resource_type).schema
    except ResourceNotFoundError:
        return
    for name in ("createOnlyProperties", "conditionalCreateOnlyProperties"):
        for pointer in schema.get(name) or ():
            yield pointer.removeprefix("/properties/").split("/")


def _values(value: Any, path: list[str]) -> Iterator[Any]:
    """Yield what stands at `path`, in which `*` stands for each element of a list."""
    if not path:
        yield value
    elif path[0] == "*":
        for element in value if isinstance(value, list) else ():
            yield from _values(element, path[1:])
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _values(value[path[0]], path[1:])
