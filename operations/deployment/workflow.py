"""The deployed workflow: the states that a run passes which begins now."""

import json
from collections.abc import Collection

from operations.aws_errors import translated
from operations.target import Target


def deployed_states(target: Target) -> Collection[str]:
    """Return the names of the deployed workflow's states. Raises NotDeployedError if there is none."""
    machine = target.addresses.state_machine_arn
    with translated("read the deployed workflow"):
        description = target.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
    states: dict[str, object] = json.loads(description["definition"])["States"]
    return states.keys()
