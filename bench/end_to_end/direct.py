"""The direct design, deployed beside the pipeline on a local engine: the same stages, invoked by Step Functions.

A rule starts the execution for each published event, without a queue and without a starter; the states invoke the
functions with `lambda:invoke`. The functions have the pipeline's memory, timeouts and settings. The pipeline's limits
are their reserved concurrency.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from chaos.deployment import Deployment
from infra.bundling import bundles
from infra.definition import definition
from infra.environments import RUNTIME, host
from infra.functions import STAGE_FUNCTIONS
from infra.options import load
from local.testing import PREFIX
from shared.contracts.stages import BY_CHOICE, STAGES, Results

SOURCE, DETAIL_TYPE, MACHINE = "bench.direct", "direct.requested.v1", "direct"
REFERENCE_RETRY = {"IntervalSeconds": 2, "BackoffRate": 2.0, "MaxAttempts": 3}
"""The retries of the reference architecture."""
PATIENT_RETRY = {"IntervalSeconds": 2, "BackoffRate": 1.0, "MaxAttempts": 100_000}
"""Retries until the function is not throttled any more."""

EXECUTION_INPUT = """{
 "metadata": {"pipeline_id": <id>, "correlation_id": <id>, "causation_id": <id>, "accepted_at": <time>,
  "traceparent": null},
 "request": {"user_message": <message>, "history": []},
 "results": RESULTS,
 "errors": {}
}""".replace("RESULTS", json.dumps(msgspec.to_builtins(Results())))


def direct_definition(retry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pipeline's workflow, changed to invoke each stage's function and wait for its result."""
    queues = {stage.service: "unused" for stage in STAGES}
    pipeline = definition(bus_name="unused", queue_urls=queues, table_name="unused")
    states = {
        stage.state: _invoked(stage.service, pipeline["States"][stage.state], retry) for stage in STAGES
    }
    choices = {choice: pipeline["States"][choice] for choice in BY_CHOICE}
    return {"StartAt": pipeline["StartAt"], "States": states | choices}


def _invoked(service: str, state: Mapping[str, Any], retry: Mapping[str, Any]) -> dict[str, Any]:
    request = state["Parameters"]
    detail = request["Entries"][0]["Detail"] if "Entries" in request else request["MessageBody"]["detail"]
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {
            "FunctionName": function_name(service),
            "Payload": {"metadata": detail["metadata"], "data": detail["data"]},
        },
        "ResultSelector": {"data.$": "$.Payload.data", "meter.$": "$.Payload.meter"},
        "ResultPath": state["ResultPath"],
        "Retry": [{"ErrorEquals": ["States.ALL"], **retry}],
        **({"Next": state["Next"]} if "Next" in state else {"End": True}),
    }


def function_name(service: str) -> str:
    return f"direct-{service}"


class DirectDesign:
    """The deployed direct design. It is created with API calls: for a benchmark it needs no stack."""

    def __init__(self, deployment: Deployment, limits: Mapping[str, int], retry: Mapping[str, Any]) -> None:
        """Create role, functions, state machine and rule. `limits` are concurrent invocations by service."""
        self._deployment = deployment
        role = self._role()
        self._functions(role, limits)
        machine = deployment.client("stepfunctions").create_state_machine(
            name=MACHINE, roleArn=role, definition=json.dumps(direct_definition(retry))
        )
        self.machine_arn: str = machine["stateMachineArn"]
        self._rule(role)

    def _role(self) -> str:
        iam = self._deployment.client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole"}
        services = ["lambda.amazonaws.com", "states.amazonaws.com", "events.amazonaws.com"]
        trusted = {"Version": "2012-10-17", "Statement": [{**trust, "Principal": {"Service": services}}]}
        role = iam.create_role(RoleName="direct", AssumeRolePolicyDocument=json.dumps(trusted))
        allow_all = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow_all]})
        iam.put_role_policy(RoleName="direct", PolicyName="all", PolicyDocument=policy)
        return str(role["Role"]["Arn"])

    def _functions(self, role: str, limits: Mapping[str, int]) -> None:
        functions, local = self._deployment.client("lambda"), load("local")
        specs = {stage.service: STAGE_FUNCTIONS[stage.service] for stage in STAGES}
        for service, bundle in bundles(host(), specs.values()).items():
            name, sizing = function_name(service), local.sizing_of(service)
            configuration = functions.get_function_configuration(FunctionName=f"{PREFIX}-{service}")
            variables = dict(configuration["Environment"]["Variables"])
            variables.pop("ANSWERS_TABLE", None)
            functions.create_function(
                FunctionName=name,
                Runtime=RUNTIME,
                Role=role,
                Handler="direct_handler.handler",
                Code={"ZipFile": _zipped(bundle)},
                MemorySize=sizing.memory_mb,
                Timeout=sizing.timeout_seconds,
                Environment={"Variables": {**variables, "DIRECT_SERVICE": service}},
            )
            functions.get_waiter("function_active_v2").wait(FunctionName=name)
            functions.put_function_concurrency(
                FunctionName=name, ReservedConcurrentExecutions=limits[service]
            )

    def _rule(self, role: str) -> None:
        events, bus = self._deployment.client("events"), self._deployment.target.addresses.bus_name
        pattern = json.dumps({"source": [SOURCE], "detail-type": [DETAIL_TYPE]})
        events.put_rule(Name="direct", EventBusName=bus, EventPattern=pattern)
        paths = {"id": "$.id", "time": "$.time", "message": "$.detail.data.user_message"}
        transformer = {"InputPathsMap": paths, "InputTemplate": EXECUTION_INPUT}
        target = {"Id": "1", "Arn": self.machine_arn, "RoleArn": role, "InputTransformer": transformer}
        events.put_targets(Rule="direct", EventBusName=bus, Targets=[target])


def _zipped(bundle: Path) -> bytes:
    """Return the stage's bundle with the direct handler, as a zip file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(path for path in bundle.rglob("*") if path.is_file()):
            archive.write(file, file.relative_to(bundle))
        archive.write(Path(__file__).with_name("direct_handler.py"), "direct_handler.py")
    return packed.getvalue()
