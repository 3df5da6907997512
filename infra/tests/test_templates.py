"""What holds for all stacks: the order of their deployment, their functions and settings, logs and traces."""

from pathlib import Path

import pytest

from infra import trust
from infra.environments import ENVIRONMENTS
from infra.functions import ALL_FUNCTIONS, FUNCTIONS
from infra.names import Names
from infra.options import load
from infra.rules import resources, statements
from infra.tests.support import variables
from shared.contracts.stages import STAGES
from shared.settings import REVISION

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("part", ["trigger", "workflow", *(stage.service for stage in STAGES)])
def test_one_service_is_deployed_on_its_own(dev, synthesised, part):
    """A stack that is made alone equals the stack that is made with all others."""
    name = f"ai-pipeline-dev-{part}"
    assert synthesised("dev", only=part) == {name: dev[name]}


def test_stacks_deployed_together_go_against_the_stream(tmp_path):
    """Consumers are deployed before publishers: stages before the workflow, the workflow before the trigger."""
    from aws_cdk import App, Stack  # noqa: PLC0415 -- starts Node

    from infra.app import build, feature_flags  # noqa: PLC0415

    app = App(outdir=str(tmp_path / "out"), context=feature_flags())
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "handler.py").write_text("")
    build(app, load("dev"), {function.name: bundle for function in FUNCTIONS})
    before = {
        stack.node.id.removeprefix("ai-pipeline-dev-"): {
            other.node.id.removeprefix("ai-pipeline-dev-") for other in stack.dependencies
        }
        for stack in app.node.children
        if isinstance(stack, Stack)
    }
    stages = {stage.service for stage in STAGES}
    assert before["platform"] == set()
    assert all(before[stage] == {"platform"} for stage in stages)
    assert before["workflow"] == {"platform", *stages}
    assert before["trigger"] == {"platform", "workflow"}
    assert before["monitoring"] == {
        "trigger"
    }  # an alarm on what is not there yet rings if no data means trouble


@pytest.mark.parametrize("name", ["dev", "local"])
def test_the_public_addresses_are_parameters(synthesised, name):
    """Every public address is an SSM parameter under the environment's path."""
    parameters = {
        parameter["Name"]
        for template in synthesised(name).values()
        for parameter in resources(template, "AWS::SSM::Parameter").values()
    }
    services = ["trigger", *(stage.service for stage in STAGES)]
    paths = ["api/url", "bus/name", "table/name", "state-machine/arn"]
    paths += [f"services/{service}/{end}" for service in services for end in ("queue-url", "dlq-url")]
    assert parameters >= {f"/ai-pipeline/{name}/{path}" for path in paths}


@pytest.mark.parametrize(("name", "traced"), [("dev", True), ("local", False)])
def test_xray_follows_where_there_is_one(synthesised, name, traced):
    """On AWS functions, workflow and API are traced, with the rights for it and without a bundled library; on the
    engine, which has no X-Ray, nothing is traced.
    """
    templates = synthesised(name)
    for template in templates.values():
        functions = resources(template, "AWS::Lambda::Function").values()
        modes = {function.get("TracingConfig", {}).get("Mode") for function in functions}
        assert modes <= ({"Active"} if traced else {None, "PassThrough"})
        rights = [allowed for allowed in statements(template) if "xray:PutTraceSegments" in allowed["Action"]]
        machines = resources(template, "AWS::StepFunctions::StateMachine").values()
        assert len(rights) == traced * (len(functions) + len(machines))
        for machine in machines:
            assert machine.get("TracingConfiguration", {}).get("Enabled", False) is traced
        for stage in resources(template, "AWS::ApiGateway::Stage").values():
            assert stage.get("TracingEnabled", False) is traced
    assert "xray" not in (ROOT / "requirements.txt").read_text()


def test_logs_hold_no_message(dev):
    """The logs of the state machine and the API contain no inputs, outputs or bodies."""
    (machine,) = resources(dev["ai-pipeline-dev-workflow"], "AWS::StepFunctions::StateMachine").values()
    (stage,) = resources(dev["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Stage").values()
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
    assert machine["LoggingConfiguration"]["IncludeExecutionData"] is False
    assert all(settings["DataTraceEnabled"] is False for settings in stage["MethodSettings"])


@pytest.mark.parametrize("name", ["dev", "local"])
def test_functions_are_sized_by_their_environment(synthesised, name):
    """Memory, timeout, architecture, concurrency and batch size are those of the environment."""
    environment, names = ENVIRONMENTS[name], Names(name)
    for stage in STAGES:
        template = synthesised(name)[names.stack(stage.service)]
        (function,) = [
            function
            for function in resources(template, "AWS::Lambda::Function").values()
            if function["FunctionName"] == names.function(stage.service)
        ]
        (mapping,) = resources(template, "AWS::Lambda::EventSourceMapping").values()
        sizing = environment.sizing_of(stage.service)
        assert (function["MemorySize"], function["Timeout"]) == (sizing.memory_mb, sizing.timeout_seconds)
        assert function["Architectures"] == [environment.target.architecture]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] == sizing.max_concurrency
        assert mapping["BatchSize"] == sizing.batch_size


def test_functions_on_aws_trust_amazons_roots_only(synthesised):
    """Each function names the roots in its bundle to botocore on AWS, but not on the engine, which has no TLS."""
    for name, expected in (("dev", trust.ON_LAMBDA), ("local", None)):
        functions = [
            function
            for template in synthesised(name).values()
            for function in resources(template, "AWS::Lambda::Function").values()
        ]
        named = {function["Environment"]["Variables"].get("AWS_CA_BUNDLE") for function in functions}
        assert named == {expected}


def test_settings_a_function_reads_are_there(dev):
    """Every variable that a service's settings require is set by its stack."""
    trigger = dev["ai-pipeline-dev-trigger"]
    assert {"TABLE_NAME", "BUS_NAME", "ALLOWED_ORIGIN"} <= variables(trigger, "ai-pipeline-dev-api").keys()
    starter = variables(trigger, "ai-pipeline-dev-starter")
    queue_settings = {"BUS_NAME", "DLQ_URL", "STATE_TABLE"}
    assert {"TABLE_NAME", "STATE_MACHINE_ARN"} | queue_settings <= starter.keys()
    for stage in STAGES:
        template = dev[f"ai-pipeline-dev-{stage.service}"]
        assert queue_settings | {REVISION} <= variables(template, f"ai-pipeline-dev-{stage.service}").keys()
    assert "TABLE_NAME" in variables(dev["ai-pipeline-dev-logger"], "ai-pipeline-dev-logger")
    reconciler = variables(dev["ai-pipeline-dev-logger"], "ai-pipeline-dev-reconciler")
    assert {"TABLE_NAME", "BUS_NAME", "STATE_MACHINE_ARN", "OPERATIONS_TABLE"} <= reconciler.keys()


@pytest.mark.parametrize(("option", "level"), [({}, "WARN"), ({"invocation_reports": "true"}, "INFO")])
def test_lambda_logs_calls_that_fail_and_on_request_all(synthesised, option, level):
    """Lambda's own lines are logged for failed calls only, unless the option asks for all; our lines are always."""
    templates = synthesised("dev", budget_usd_per_day="5", approval="true", **option)
    configured = [
        function["LoggingConfig"]
        for template in templates.values()
        for function in resources(template, "AWS::Lambda::Function").values()
    ]
    assert len(configured) == len(ALL_FUNCTIONS)
    for logging in configured:
        assert (logging["LogFormat"], logging["SystemLogLevel"]) == ("JSON", level)
        assert logging.get("ApplicationLogLevel", "INFO") == "INFO"
