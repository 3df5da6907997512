"""Which events the templates let pass: rules, the rights to publish, the registry, the archive."""

import json

import pytest

from infra.contract_schemas import published, registered
from infra.rules import resources, statements
from infra.tests.support import allowed, policy
from shared.contracts.stages import LEAST_TASK_SECONDS, STAGES
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]

ON_THE_BUS = [stage for stage in STAGES if stage.via == "bus"]
REQUESTS = {kind.detail_type() for kind in readable(PipelineRequested)}


def detail_types(statement):
    test = statement["Condition"]["ForAllValues:StringEquals"]
    assert test["events:source"] == "ai.pipeline"
    types = test["events:detail-type"]
    return {types} if isinstance(types, str) else set(types)


def patterns(template):
    rules = resources(template, "AWS::Events::Rule").values()
    return [rule["EventPattern"] for rule in rules if "EventPattern" in rule]


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


def test_no_archive_holds_a_task_token(dev):
    """The archive keeps requests and outcomes of runs, and no stage request, because that has a task token."""
    (archive,) = resources(dev["ai-pipeline-dev-platform"], "AWS::Events::Archive").values()
    requests = {stage.request.detail_type() for stage in STAGES}
    assert archive["EventPattern"]["source"] == ["ai.pipeline"]
    assert requests.isdisjoint(archive["EventPattern"]["detail-type"])
    assert set(archive["EventPattern"]["detail-type"]) >= REQUESTS
