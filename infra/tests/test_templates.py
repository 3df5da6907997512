"""Properties of single stacks, beyond the rules that hold for all of them."""

import json
import re
from pathlib import Path

import pytest

from infra import trust
from infra.clocks import DLQ_RETENTION_DAYS, LEAST_RECORD_DAYS, MAX_RECEIVES, PAUSE_DAYS
from infra.contract_schemas import published, registered, request_model
from infra.doctor.reading import read
from infra.doctor.table import examine
from infra.environments import ENVIRONMENTS
from infra.functions import ALL_FUNCTIONS, FUNCTIONS
from infra.names import Names
from infra.options import load
from infra.rules import resources, statements
from infra.tests.support import APPLICATION
from services.chatbot.answers import KEPT_SECONDS
from shared.contracts.stages import LEAST_TASK_SECONDS, RECEIVES_BEFORE_LOST, SERVICES, STAGES
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested
from shared.settings import REVISION

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


ROOT = Path(__file__).resolve().parents[2]
ON_THE_BUS = [stage for stage in STAGES if stage.via == "bus"]
REQUESTS = {kind.detail_type() for kind in readable(PipelineRequested)}


@pytest.fixture
def dev(synthesised):
    return synthesised("dev")


def allowed(template, action):
    """Return the only statement of a template that allows an action."""
    (allowing,) = [statement for statement in statements(template) if action in statement["Action"]]
    return allowing


def detail_types(statement):
    test = statement["Condition"]["ForAllValues:StringEquals"]
    assert test["events:source"] == "ai.pipeline"
    types = test["events:detail-type"]
    return {types} if isinstance(types, str) else set(types)


def policy(template, name):
    """Return the statements of a managed policy."""
    (document,) = [
        policy["PolicyDocument"]
        for policy in resources(template, "AWS::IAM::ManagedPolicy").values()
        if policy["ManagedPolicyName"]["Fn::Join"] == ["", [f"{name}-", {"Ref": "AWS::Region"}]]
    ]
    return document["Statement"]


def paths(statement):
    """Return stage, method and path of each of the API's methods that a statement names."""
    arns = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return {arn["Fn::Join"][1][-1] for arn in arns}


def patterns(template):
    rules = resources(template, "AWS::Events::Rule").values()
    return [rule["EventPattern"] for rule in rules if "EventPattern" in rule]


def variables(template, function):
    for properties in resources(template, "AWS::Lambda::Function").values():
        if properties["FunctionName"] == function:
            return properties["Environment"]["Variables"]
    raise AssertionError(f"no function {function}")


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.service)
def test_a_stage_hears_its_own_requests_alone(dev, stage):
    """A stage that is requested via the bus has one rule for all versions of its request; others have none."""
    versions = [kind.detail_type() for kind in readable(stage.request)]
    own = {"source": ["ai.pipeline"], "detail-type": versions}
    on_the_bus = [rule for rule in patterns(dev[f"ai-pipeline-dev-{stage.service}"]) if "detail" not in rule]
    assert on_the_bus == ([own] if stage.via == "bus" else [])


def test_the_trigger_hears_every_version_of_a_request(dev):
    """The trigger's rule matches every version of the request for a run."""
    (rule,) = patterns(dev["ai-pipeline-dev-trigger"])
    assert set(rule["detail-type"]) == REQUESTS == {"pipeline.requested.v1", "pipeline.requested.v2"}


def test_a_new_version_is_read_before_it_is_delivered_and_delivered_before_it_is_published(dev):
    """CloudFormation updates the trigger's starter first, then its rule, then the API."""
    deployed = dev["ai-pipeline-dev-trigger"]["Resources"]

    def named(kind, prefix):
        (name,) = (name for name in deployed if deployed[name]["Type"] == kind and name.startswith(prefix))
        return name

    starter = named("AWS::Lambda::Function", "Starter")
    api = named("AWS::Lambda::Function", "Api")
    rule = named("AWS::Events::Rule", "WorkQueue")
    assert starter in deployed[rule]["DependsOn"]
    assert rule in deployed[api]["DependsOn"]


@pytest.mark.parametrize("stage", ON_THE_BUS, ids=lambda stage: stage.service)
def test_a_request_is_not_delivered_after_its_task_is_over(dev, stage):
    """EventBridge gives up on a stage's request when its task times out, because its token is settled then."""
    (rule,) = resources(dev[f"ai-pipeline-dev-{stage.service}"], "AWS::Events::Rule").values()
    (target,) = rule["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == LEAST_TASK_SECONDS


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


def test_the_logger_hears_of_failed_executions(dev):
    """The logger receives failed, timed-out and aborted executions of this state machine only."""
    (rule,) = patterns(dev["ai-pipeline-dev-logger"])
    assert rule["source"] == ["aws.states"]
    assert rule["detail-type"] == ["Step Functions Execution Status Change"]
    assert rule["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]
    assert json.dumps(rule["detail"]["stateMachineArn"]).endswith(':stateMachine:ai-pipeline-dev"]]}]')


def test_the_reconciler_looks_every_quarter_of_an_hour(dev):
    """A schedule invokes the reconciler, which may list this machine's executions and keep its progress."""
    template = dev["ai-pipeline-dev-logger"]
    (schedule,) = [
        rule
        for rule in resources(template, "AWS::Events::Rule").values()
        if rule.get("ScheduleExpression") == "rate(15 minutes)" and rule["State"] == "ENABLED"
    ]
    (target,) = schedule["Targets"]
    assert target["Arn"]["Fn::GetAtt"][0].startswith("Reconciler")
    listing = allowed(template, "states:ListExecutions")
    assert json.dumps(listing["Resource"]).endswith(':stateMachine:ai-pipeline-dev"]]}]')
    progress = allowed(template, "dynamodb:PutItem")
    assert json.dumps(progress["Resource"]).endswith(':table/ai-pipeline-dev-operations"]]}]')


@pytest.mark.parametrize(
    ("stack", "published"),
    [
        ("analyzer", {"contract.rejected.v1"}),
        ("chatbot", {"contract.rejected.v1"}),
        ("enhancer", {"contract.rejected.v1"}),
        ("logger", {"contract.rejected.v1", "pipeline.completed.v1", "pipeline.failed.v1"}),
        ("workflow", {kind.detail_type() for stage in ON_THE_BUS for kind in readable(stage.request)}),
    ],
)
def test_nobody_publishes_what_is_not_theirs(dev, stack, published):
    """Each role may publish only its own events, so that no service can forge a stage request."""
    allowing = [
        statement
        for statement in statements(dev[f"ai-pipeline-dev-{stack}"])
        if "events:PutEvents" in statement["Action"]
    ]
    assert [detail_types(statement) for statement in allowing][:1] == [published]
    assert [detail_types(statement) for statement in allowing][1:] == (
        [{"pipeline.failed.v1"}] if stack == "logger" else []  # the reconciler
    )


def test_the_trigger_publishes_requests_and_rejections_apart(dev):
    """The API may publish only requests, and the starter only rejections."""
    published_by_statement = [
        detail_types(statement)
        for statement in statements(dev["ai-pipeline-dev-trigger"])
        if "events:PutEvents" in statement["Action"]
    ]
    assert sorted(published_by_statement, key=str) == [{"contract.rejected.v1"}, REQUESTS]


def test_a_publisher_may_ask_and_forge_nothing(dev):
    """The policy for publishers allows publishing requests for runs, in every version, and no other event."""
    (statement,) = policy(dev["ai-pipeline-dev-platform"], "ai-pipeline-dev-publisher")
    assert statement["Action"] == "events:PutEvents"
    assert detail_types(statement) == REQUESTS


def test_a_body_is_checked_before_the_function_runs(dev):
    """API Gateway checks a POST's JSON body with the contract's model; other content types reach the function."""
    template = dev["ai-pipeline-dev-trigger"]
    (validator,) = resources(template, "AWS::ApiGateway::RequestValidator").values()
    ((model_id, model),) = resources(template, "AWS::ApiGateway::Model").items()
    assert validator["ValidateRequestBody"] is True
    assert (model["ContentType"], model["Schema"]) == ("application/json", request_model())
    methods = {
        method["HttpMethod"]: method for method in resources(template, "AWS::ApiGateway::Method").values()
    }
    assert methods["POST"]["RequestModels"] == {"application/json": {"Ref": model_id}}
    assert "RequestValidatorId" in methods["POST"]
    assert "RequestValidatorId" not in methods["GET"]
    (deployment,) = [
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::Deployment"
    ]
    assert model_id in deployment["DependsOn"]


def test_a_changed_model_is_deployed(synthesised, dev, monkeypatch):
    """A changed model makes a new deployment of the API, without which API Gateway would use the old model."""

    def deployments(templates):
        return set(resources(templates["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Deployment"))

    monkeypatch.setattr(
        "infra.constructs.pipeline_api.request_model", lambda: {**request_model(), "maxProperties": 7}
    )
    assert deployments(synthesised("dev", only="trigger", model="other")).isdisjoint(deployments(dev))


def test_the_events_of_the_bus_are_registered(dev, synthesised):
    """On AWS each version of each event on the bus has a schema in the registry; the engine has no registry."""
    template = dev["ai-pipeline-dev-platform"]
    (registry,) = resources(template, "AWS::EventSchemas::Registry").values()
    schemas = resources(template, "AWS::EventSchemas::Schema").values()
    assert registry["RegistryName"] == "ai-pipeline-dev"
    contents = {schema["SchemaName"]: json.loads(schema["Content"]) for schema in schemas}
    assert contents == {f"ai.pipeline@{kind.detail_type()}": registered(kind) for kind in published()}
    assert {schema["Type"] for schema in schemas} == {"JSONSchemaDraft4"}
    assert max(len(schema["Content"]) for schema in schemas) < 100_000
    assert "EventSchemas" not in json.dumps(synthesised("local")["ai-pipeline-local-platform"])


def test_a_caller_may_use_the_api_and_nothing_else(dev):
    """The policy for callers allows the API's methods on its stage, and nothing else."""
    (statement,) = policy(dev["ai-pipeline-dev-trigger"], "ai-pipeline-dev-api-caller")
    assert statement["Action"] == "execute-api:Invoke"
    assert paths(statement) == {
        "/v1/POST/pipeline", "/v1/GET/pipeline/*", "/v1/DELETE/pipeline/*", "/v1/GET/pipelines",
    }  # fmt: skip


def test_only_operators_may_read_any_run(dev):
    """The route that shows any run is allowed by the API's policy for operators, which allows nothing else."""
    template = dev["ai-pipeline-dev-trigger"]
    (statement,) = policy(template, "ai-pipeline-dev-api-operator")
    assert statement["Action"] == "execute-api:Invoke"
    assert paths(statement) == {"/v1/GET/operator/pipeline/*"}
    (method,) = [
        method
        for method in resources(template, "AWS::ApiGateway::Method").values()
        if method["HttpMethod"] == "GET"
        and "operatorpipelinepipelineid" in json.dumps(method["ResourceId"]).lower()
    ]
    assert method["AuthorizationType"] == "AWS_IAM"


def test_operators_read_everything_and_change_nothing(dev):
    """The operators' policy reads all of its environment, without a secret, and has no right to write or invoke."""
    granted = policy(dev["ai-pipeline-dev-platform"], "ai-pipeline-dev-operator")
    text = json.dumps(granted)
    assert len(text) < 6_144  # IAM's limit
    assert "-state" not in text
    assert "-answers" not in text
    reading = (
        "BatchGet",
        "Describe",
        "Filter",
        "Get",
        "List",
        "Query",
        "Receive",
        "Scan",
        "ChangeMessageVisib",
    )
    for statement in granted:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert all(action.partition(":")[2].startswith(reading) for action in actions)
        if "sqs:ReceiveMessage" in actions:
            assert json.dumps(statement["Resource"]).endswith('-*-dlq"]]}')


def test_the_api_keeps_its_state_apart_from_records(dev):
    """The API may read and write the items of a table that holds no records, and whose counts expire."""
    (statement,) = [
        statement
        for statement in statements(dev["ai-pipeline-dev-trigger"])
        if statement.get("Sid") == "KeepItsState"
    ]
    assert set(statement["Action"]) == {f"dynamodb:{name}Item" for name in ("Get", "Put", "Update")}
    assert json.dumps(statement["Resource"]).endswith(':table/ai-pipeline-dev-state"]]}]')
    settings = variables(dev["ai-pipeline-dev-trigger"], "ai-pipeline-dev-api")
    assert (settings["STATE_TABLE"], settings["MAX_WAITING"]) == ("ai-pipeline-dev-state", "2")
    (table,) = [
        table
        for table in resources(dev["ai-pipeline-dev-platform"], "AWS::DynamoDB::GlobalTable").values()
        if table["TableName"] == "ai-pipeline-dev-state"
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize(("name", "rate"), [("dev", 40), ("prod", 200)])
def test_the_throttle_is_near_the_intended_rate(synthesised, name, rate):
    """The stage admits four calls for each intended run, and two seconds' worth at once."""
    (stage,) = resources(synthesised(name)[f"ai-pipeline-{name}-trigger"], "AWS::ApiGateway::Stage").values()
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (rate, 2 * rate)


def test_the_chatbot_may_ask_its_model_alone(dev):
    """The chatbot's right to invoke a model names the configured model."""
    (arn,) = allowed(dev["ai-pipeline-dev-chatbot"], "bedrock:InvokeModel")["Resource"]
    assert json.dumps(arn).endswith('::foundation-model/amazon.nova-lite-v1:0"]]}')


def test_an_inference_profile_needs_two_rights(synthesised):
    """A model id with a geographic prefix needs a right on the profile, and on its model in any region."""
    template = synthesised("dev", model_id="us.amazon.nova-2-lite-v1:0")["ai-pipeline-dev-chatbot"]
    arns = json.dumps(allowed(template, "bedrock:InvokeModel")["Resource"])
    assert ":inference-profile/us.amazon.nova-2-lite-v1:0" in arns
    assert ":bedrock:*::foundation-model/amazon.nova-2-lite-v1:0" in arns


def test_fallbacks_get_their_rights(synthesised):
    """Each fallback's ARNs are in the chatbot's right beside the first model's, and its function knows the list."""
    fallbacks = f"amazon.nova-pro-v1:0,{APPLICATION}"
    options = {
        "fallback_model_ids": fallbacks,
        "model_behind_fallbacks": f"{APPLICATION}=us.amazon.nova-2-lite-v1:0",
    }
    template = synthesised("dev", only="chatbot", **options)["ai-pipeline-dev-chatbot"]
    arns = json.dumps(allowed(template, "bedrock:InvokeModel")["Resource"])
    names = ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-2-lite-v1:0")
    assert [arns.count(f"foundation-model/{name}") for name in names] == [1, 1, 1]
    assert APPLICATION in arns
    assert variables(template, "ai-pipeline-dev-chatbot")["FALLBACK_MODEL_IDS"] == fallbacks


def test_an_existing_chatbot_is_asked_instead(synthesised):
    """With the ARN of an existing chatbot function, the chatbot may invoke that function and no model."""
    arn = "arn:aws:lambda:us-east-1:111122223333:function:chat"
    template = synthesised("dev", chatbot_function_arn=arn)["ai-pipeline-dev-chatbot"]
    assert allowed(template, "lambda:InvokeFunction")["Resource"] == [arn]
    assert "bedrock:" not in json.dumps(list(statements(template)))
    assert variables(template, "ai-pipeline-dev-chatbot")["CHATBOT_FUNCTION_ARN"] == arn


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


def test_the_address_of_the_api_is_ready_to_use(synthesised):
    """The API's address is that of its stage on AWS, and a loopback address on the engine."""
    for name, options, start, end in (
        ("dev", {}, "https://", "/v1"),
        (
            "local",
            {"engine": "http://127.0.0.1:4999/"},
            "http://127.0.0.1:4999/restapis/",
            "/v1/_user_request_",
        ),
    ):
        template = synthesised(name, **options)[f"ai-pipeline-{name}-trigger"]
        (url,) = [
            parameter["Value"]["Fn::Join"][1]
            for parameter in resources(template, "AWS::SSM::Parameter").values()
            if parameter["Name"].endswith("api/url")
        ]
        assert url[0] == start
        assert url[-1].endswith(end)


def test_no_archive_holds_a_task_token(dev):
    """The archive keeps requests and outcomes of runs, and no stage request, because that has a task token."""
    (archive,) = resources(dev["ai-pipeline-dev-platform"], "AWS::Events::Archive").values()
    requests = {stage.request.detail_type() for stage in STAGES}
    assert archive["EventPattern"]["source"] == ["ai.pipeline"]
    assert requests.isdisjoint(archive["EventPattern"]["detail-type"])
    assert set(archive["EventPattern"]["detail-type"]) >= REQUESTS


def test_production_keeps_its_data(synthesised):
    """Prod's tables are kept when their stacks are deleted, protected from deletion, encrypted, and restorable to any
    second.
    """
    templates = synthesised("prod")
    tables = {
        resource["Properties"]["TableName"]: resource
        for template in templates.values()
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::GlobalTable"
    }
    own = {f"ai-pipeline-prod-{name}" for name in ("operations", "answers", "state")}
    assert set(tables) == {"PipelineLogs", *own}
    for table in tables.values():
        (replica,) = table["Properties"]["Replicas"]
        assert table["DeletionPolicy"] == "RetainExceptOnCreate"
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["Properties"]["SSESpecification"]["SSEEnabled"] is True
        assert replica["DeletionProtectionEnabled"] is True
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_answers_are_the_chatbots_alone(synthesised):
    """Only the chatbot may use the stored answers, enhancer and logger the long texts beside them; answers, archived
    messages and state expire by themselves.
    """
    templates = synthesised("prod")
    statement = allowed(templates["ai-pipeline-prod-chatbot"], "dynamodb:PutItem")
    assert set(statement["Action"]) == {f"dynamodb:{name}Item" for name in ("Get", "Put", "Update", "Delete")}
    using = {
        name for name, template in templates.items() if "ai-pipeline-prod-answers" in json.dumps(template)
    }
    assert using == {f"ai-pipeline-prod-{name}" for name in ("chatbot", "enhancer", "logger")}
    for name, actions in (("enhancer", {"GetItem", "PutItem"}), ("logger", {"GetItem"})):
        (right,) = [
            right
            for right in statements(templates[f"ai-pipeline-prod-{name}"])
            if "table/ai-pipeline-prod-answers" in json.dumps(right["Resource"])
        ]
        named = right["Action"] if isinstance(right["Action"], list) else [right["Action"]]
        assert set(named) == {f"dynamodb:{action}" for action in actions}
        keys = right["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert keys in ("text#*", ["text#*"])
        assert right["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}
    expiring = {
        table["TableName"]: table["TimeToLiveSpecification"]["AttributeName"]
        for template in templates.values()
        for table in resources(template, "AWS::DynamoDB::GlobalTable").values()
        if "TimeToLiveSpecification" in table
    }
    assert expiring == {
        "ai-pipeline-prod-operations": "expires_at",
        "ai-pipeline-prod-answers": "expiration",
        "ai-pipeline-prod-state": "expires_at",
    }


def test_every_function_with_a_queue_may_count_starts(dev):
    """Each function with a queue may update items of the table of state, and for counting nothing else."""
    for part in SERVICES:
        template = dev[f"ai-pipeline-dev-{part}"]
        (right,) = [
            statement
            for policy in resources(template, "AWS::IAM::Policy").values()
            for statement in policy["PolicyDocument"]["Statement"]
            if statement.get("Sid") == "CountStarts"
        ]
        assert right["Action"] == "dynamodb:UpdateItem"
        assert "table/ai-pipeline-dev-state" in json.dumps(right["Resource"])
        keys = right["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
        assert keys == [f"starts#{part}#*"]
        assert right["Condition"]["Null"] == {"dynamodb:LeadingKeys": "false"}


def test_a_killer_can_be_found_before_sqs_gives_it_up():
    """A queue delivers a message often enough for the worker to find out that it kills its workers."""
    assert RECEIVES_BEFORE_LOST <= MAX_RECEIVES


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


def test_errors_of_the_gateway_read_like_the_apis_own(dev):
    """API Gateway's own errors have the API's format, and browsers of the allowed origin can read them."""
    for response in resources(dev["ai-pipeline-dev-trigger"], "AWS::ApiGateway::GatewayResponse").values():
        template = response["ResponseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"Forbidden"')
        error = json.loads(filled)["error"]
        bad_body = response["ResponseType"] == "BAD_REQUEST_BODY"
        assert error["code"] == ("invalid_request" if bad_body else "$context.error.responseType")
        assert error["message"]
        assert response["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"


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


def records_table(templates):
    (table,) = [
        properties
        for properties in resources(
            templates["ai-pipeline-dev-platform"], "AWS::DynamoDB::GlobalTable"
        ).values()
        if properties["TableName"] == "PipelineLogs-dev"
    ]
    return table


def test_records_are_kept_for_ever_by_default(dev):
    """Without the option, the table of records deletes nothing, and no function sets a time for deletion."""
    assert "TimeToLiveSpecification" not in records_table(dev)
    assert "KEEP_RECORDS_SECONDS" not in json.dumps(dev)


@pytest.mark.parametrize("name", ["dev", "local"])
def test_records_can_be_deleted_after_a_time(synthesised, name):
    """With `keep_records_days`, a run's end sets that time, and each earlier write one that no open run exceeds."""
    templates = synthesised(name, keep_records_days="90", budget_usd_per_day="5")
    day = 86_400
    kept = {
        properties["FunctionName"].removeprefix(f"ai-pipeline-{name}-"): int(
            properties["Environment"]["Variables"]["KEEP_RECORDS_SECONDS"]
        )
        for template in templates.values()
        for properties in resources(template, "AWS::Lambda::Function").values()
        if "KEEP_RECORDS_SECONDS" in properties["Environment"]["Variables"]
    }
    (machine,) = resources(
        templates[f"ai-pipeline-{name}-workflow"], "AWS::StepFunctions::StateMachine"
    ).values()
    text = json.dumps(machine["DefinitionString"]).replace("\\", "")
    longest = max(int(seconds) for seconds in re.findall(r'"TimeoutSeconds": (\d+)', text))
    assert kept == {
        "api": (90 + 14 + 14) * day,
        "starter": 90 * day + longest,
        "logger": 90 * day,
        "reconciler": 90 * day,
    }
    (table,) = [
        properties
        for properties in resources(
            templates[f"ai-pipeline-{name}-platform"], "AWS::DynamoDB::GlobalTable"
        ).values()
        if properties["TableName"].startswith("PipelineLogs")
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    environment = load(name, {"keep_records_days": "90", "budget_usd_per_day": "5"})
    (outcome,) = [
        outcome for outcome in examine(read(templates, environment)) if outcome.check == "records-kept"
    ]
    assert outcome.findings == ()
    assert len(outcome.passed) == 4


def test_a_record_outlives_what_may_refer_to_it():
    """The shortest time for records exceeds those of parked messages, stored answers and the archive of events."""
    assert LEAST_RECORD_DAYS >= PAUSE_DAYS + DLQ_RETENTION_DAYS
    assert LEAST_RECORD_DAYS * 86_400 >= KEPT_SECONDS
    assert all((environment.archive_days or 0) <= LEAST_RECORD_DAYS for environment in ENVIRONMENTS.values())


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
