"""An EventBridge schema registry with the bus's events, for AWS's console and for code bindings."""

import json

from aws_cdk import aws_eventschemas as eventschemas
from constructs import Construct

from infra.contract_schemas import published, registered
from shared.contracts.envelope import SOURCE

_DESCRIPTION_CHARS = 256


class SchemaRegistry(Construct):
    """A registry with one schema for each version of each event. A changed schema gets a new version there."""

    def __init__(self, scope: Construct, *, name: str) -> None:
        super().__init__(scope, "Schemas")
        registry = eventschemas.CfnRegistry(
            self,
            "Registry",
            registry_name=name,
            description="The events of the AI pipeline. The schemas are generated from the code.",
        )
        for kind in published():
            eventschemas.CfnSchema(
                self,
                kind.detail_type(),
                registry_name=registry.attr_registry_name,
                schema_name=f"{SOURCE}@{kind.detail_type()}",
                type="JSONSchemaDraft4",
                description=" ".join((kind.__doc__ or "").split())[:_DESCRIPTION_CHARS],
                content=json.dumps(registered(kind), separators=(",", ":")),
            )
