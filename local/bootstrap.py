"""Prepares an engine for the CDK CLI, as `cdk bootstrap` does, in half a second instead of seven."""

import time
from typing import Any

from local.connection import Connection
from local.errors import DeployError
from local.paths import CDK

BOOTSTRAP_SECONDS = 60.0


def bootstrap(connection: Connection) -> None:
    """Deploy the CLI's own bootstrap template as a stack, without a Node process that polls. Raises DeployError."""
    template = CDK / "lib" / "api" / "bootstrap" / "bootstrap-template.yaml"
    parameters = {
        "CloudFormationExecutionPolicies": "arn:aws:iam::aws:policy/AdministratorAccess",
        "FileAssetsBucketKmsKeyId": "AWS_MANAGED_KEY",
    }
    # Imported late: a run with nothing to deploy does not pay for it.
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from local.targets import local_target  # noqa: PLC0415

    client = local_target(connection).client("cloudformation")
    try:
        if _stack_status(client, "CDKToolkit") is None:
            client.create_stack(
                StackName="CDKToolkit",
                TemplateBody=template.read_text(),
                Capabilities=["CAPABILITY_NAMED_IAM"],
                Parameters=[
                    {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
                ],
            )
        until = time.monotonic() + BOOTSTRAP_SECONDS
        while (status := _stack_status(client, "CDKToolkit") or "").endswith("IN_PROGRESS"):
            if time.monotonic() > until:
                break
            time.sleep(0.1)
    except (BotoCoreError, ClientError) as error:
        raise DeployError(
            f"The local engine could not be prepared for deployments: {error}. Restart it and deploy again: "
            "make stop run"
        ) from error
    if not status.endswith("COMPLETE") or "ROLLBACK" in status:
        raise DeployError(
            f"The local engine could not be prepared for deployments: its stack CDKToolkit is "
            f"{status or 'missing'}. Restart it and deploy again: make stop run"
        )


def _stack_status(client: Any, name: str) -> str | None:
    try:
        return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except client.exceptions.ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
