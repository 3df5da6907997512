"""The smoke test's steps about rights, and its subscriber: what they say when something is denied or half done."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from infra.functions import FUNCTIONS
from operations.asking.publish import Draft, publish
from operations.errors import RefusedError
from operations.smoke import listener
from operations.smoke.forging import forging
from operations.smoke.listener import PROBE, Listener
from operations.smoke.model import MODELS, denied_model
from operations.smoke.publishing import put_events
from operations.smoke.trial import InterruptedTrialError, Trial
from operations.smoke.verdicts import Check
from operations.target import Target
from operations.tests.smoke_world import API_RUN, NAME, Client, hears, refusal, replace
from operations.tests.world import client, finish
from shared.contracts.stages import SERVICES
from shared.records import Records

BUS_RUN = f"{NAME}-bus"
DONE = {"detail-type": "pipeline.completed.v1", "data": {"pipeline_id": BUS_RUN}}


@pytest.fixture
def records(account):
    return Records(client("dynamodb"), account.addresses.table_name)


@pytest.fixture(autouse=True)
def no_forging(monkeypatch):
    """Leave the simulations out of `put-events`; they have tests of their own."""
    monkeypatch.setattr("operations.smoke.publishing.forging", lambda _trial: ())


def by_subject(checks: Any) -> dict[str, Check]:
    return {check.subject: check for check in checks}


def answered(records: Records) -> None:
    for name in (API_RUN, BUS_RUN):
        finish(records, name, cost={"nano_usd": 1})


def park(target: Target, service: str, event_id: str) -> None:
    """Put an invalid event into a service's DLQ, as the service does."""
    client("sqs").send_message(
        QueueUrl=target.addresses.dlq_url(service),
        MessageBody=json.dumps({"id": event_id, "detail-type": "x", "source": "ai.pipeline", "detail": {}}),
    )


def depth(target: Target, service: str) -> int:
    url = target.addresses.dlq_url(service)
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(
        int(count)
        for count in client("sqs")
        .get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        .values()
    )


@pytest.fixture
def sent(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the ids of the invalid events by service; each service parks its own at once."""
    ids = {service: f"id-of-{service}" for service in SERVICES}

    def send(_trial: Trial, service: str) -> str:
        park(trial.target, service, ids[service])
        return ids[service]

    monkeypatch.setattr("operations.smoke.publishing._send_invalid", send)
    return ids


def rejection(event_id: str) -> dict[str, Any]:
    return {"detail-type": "contract.rejected.v1", "data": {"rejected_event_id": event_id}}


# --- put-events ----------------------------------------------------------------------------------------------


def test_every_role_that_publishes_passes_and_nothing_stays_parked(
    trial: Trial, records: Records, sent: Mapping[str, str]
):
    """Each role passes by an act of its own, and the messages that were parked for it are deleted."""
    answered(records)
    park(trial.target, "analyzer", "of-somebody-else")
    hears(trial, DONE, *map(rejection, sent.values()))
    checks = by_subject(put_events(trial))
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert {check.evidence for check in checks.values()} == {"act"}
    assert len(checks) == 3 + len(SERVICES)
    assert {service: depth(trial.target, service) for service in SERVICES} == {
        service: int(service == "analyzer") for service in SERVICES
    }


def test_a_service_that_may_not_announce_its_rejection_fails_alone(
    trial: Trial, records: Records, sent: Mapping[str, str]
):
    """A service that parks an invalid event and does not announce it fails; its message is deleted all the same."""
    answered(records)
    hears(trial, DONE, *(rejection(event_id) for service, event_id in sent.items() if service != "enhancer"))
    checks = by_subject(put_events(trial))
    failed = [check for check in checks.values() if check.outcome == "failed"]
    assert [check.subject for check in failed] == ["enhancer publishes contract.rejected"]
    assert "parked an invalid event" in failed[0].text
    assert "doctor --live" in str(failed[0].fix)
    assert depth(trial.target, "enhancer") == 0


def test_a_service_that_does_nothing_is_told_apart(trial: Trial, records: Records, monkeypatch):
    """A service that neither parks nor rejects fails with another sentence: its function does not work."""
    answered(records)
    monkeypatch.setattr("operations.smoke.publishing._send_invalid", lambda _trial, service: f"id-{service}")
    hears(trial, DONE)
    check = by_subject(put_events(trial))["chatbot publishes contract.rejected"]
    assert (check.outcome, "neither parked nor rejected" in check.text) == ("failed", True)


def test_a_workflow_that_may_not_publish_fails_with_the_error_of_each_stage(
    trial: Trial, records: Records, sent: Mapping[str, str]
):
    """Stages that were not reached fail the workflow's check, with what Step Functions said about each."""
    error = {"Error": "EventBridge.AccessDeniedException", "Cause": "not authorized"}
    finish(records, API_RUN)
    finish(
        records, BUS_RUN, status="FAILED", stage="chat", error=error["Error"], errors={"analysis": error}, stages={}
    )  # fmt: skip
    hears(trial, *map(rejection, sent.values()))
    checks = by_subject(put_events(trial))
    workflow = checks["workflow publishes stage requests"]
    assert workflow.outcome == "failed"
    assert workflow.text.count("EventBridge.AccessDeniedException") == 2
    assert checks["logger publishes pipeline.completed"].outcome == "not possible"
    assert checks["trigger publishes contract.rejected"].outcome == "passed"


def test_a_completed_run_that_is_not_announced_fails_the_logger(
    trial: Trial, records: Records, sent: Mapping[str, str]
):
    """A run that succeeded without an announcement fails the check of the logger's role."""
    answered(records)
    hears(trial, *map(rejection, sent.values()))
    assert by_subject(put_events(trial))["logger publishes pipeline.completed"].outcome == "failed"


def test_a_caller_who_may_not_subscribe_proves_the_rest(trial: Trial, records: Records):
    """Without the right to subscribe, nothing can be heard: these checks are not possible, the others are made."""
    answered(records)
    real = client("events")
    replace(
        trial.target,
        "events",
        Client(
            list_rules=real.list_rules,
            put_rule=refusal("PutRule", "AccessDeniedException"),
            put_events=real.put_events,
        ),
    )
    checks = by_subject(put_events(trial))
    assert {name for name, check in checks.items() if check.outcome == "passed"} == {
        "api publishes pipeline.requested",
        "workflow publishes stage requests",
    }
    assert {check.outcome for check in checks.values()} == {"passed", "not possible"}
    assert "do not allow PutRule" in checks["analyzer publishes contract.rejected"].text


def test_an_invalid_event_that_is_refused_fails_its_service_alone(trial: Trial, records: Records):
    """An invalid event that EventBridge answers with FailedEntryCount proves nothing; others are judged."""
    answered(records)
    hears(trial, DONE)
    real = client("events")

    def put(Entries: Sequence[Mapping[str, Any]]) -> Any:
        if Entries[0]["DetailType"].startswith("chat."):
            return {
                "FailedEntryCount": 1,
                "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}],
            }
        return real.put_events(Entries=Entries)

    replace(trial.target, "events", Client(put_events=put))
    checks = by_subject(put_events(trial))
    assert "InternalFailure: no" in checks["chatbot publishes contract.rejected"].text
    assert "neither parked nor rejected" in checks["analyzer publishes contract.rejected"].text


def test_an_interruption_deletes_what_was_parked(trial: Trial, records: Records, sent: Mapping[str, str]):
    """When the user stops the step while it waits, the messages that it caused are deleted before it ends."""
    answered(records)
    hears(trial, DONE)
    patient = Trial(trial.target, patience=60, stop=trial.stop, name=NAME)
    ears = hears_and_stops(patient, DONE)
    with pytest.raises(InterruptedTrialError):
        list(put_events(patient))
    assert ears.asked
    assert {depth(trial.target, service) for service in SERVICES} == {0}


def hears_and_stops(trial: Trial, *events: Mapping[str, Any]) -> Any:
    """Let the user press Ctrl-C while the trial waits for a rejection."""
    hears(trial, *events)
    ears = trial.listener
    heard: Callable[..., Any] = ears.heard

    class Interrupting:
        asked = False

        def heard(self, detail_type: str, **data: str) -> Any:
            if detail_type == "contract.rejected.v1":
                self.asked = trial.stop.requested = True
            return heard(detail_type, **data)

    interrupting = Interrupting()
    trial.__dict__["listener"] = interrupting
    return interrupting


# --- the subscriber ------------------------------------------------------------------------------------------


def rules(target: Target) -> set[str]:
    return {
        rule["Name"] for rule in client("events").list_rules(EventBusName=target.addresses.bus_name)["Rules"]
    }


def queues() -> set[str]:
    return {url.rpartition("/")[2] for url in client("sqs").list_queues(QueueNamePrefix="ai-pipeline-dev-smoke")
            .get("QueueUrls", [])}  # fmt: skip


def test_the_subscriber_hears_its_own_runs_and_leaves_nothing(account: Target):
    """A subscriber hears events about the smoke test's runs alone, and removes its rule and queue."""
    subscriber = Listener(account, NAME)
    subscriber.open(lambda probe, **_bounds: probe())
    for name in ("smoke-1", "of-others"):
        detail = {"metadata": {"pipeline_id": name}, "data": {"execution_time_ms": 5}}
        publish(account, Draft(detail_type="pipeline.completed.v1", detail=detail))
    assert subscriber.heard("pipeline.completed.v1", pipeline_id="smoke-1")
    assert subscriber.heard("pipeline.completed.v1", pipeline_id="smoke-1"), "an event is kept"
    assert not subscriber.heard("pipeline.completed.v1", pipeline_id="of-others")
    assert rules(account) == queues() == {"ai-pipeline-dev-" + NAME}
    subscriber.close()
    assert rules(account) == queues() == set()


def test_events_of_another_shape_are_no_obstacle(account: Target):
    """An event that breaks its contract, published by anybody, does not keep the subscriber from hearing others."""
    subscriber = Listener(account, NAME)
    subscriber.open(lambda probe, **_bounds: probe())
    for data in ("text", None, {"execution_time_ms": 5}):
        detail = {"metadata": {"pipeline_id": "smoke-1"}, "data": data}
        publish(account, Draft(detail_type="pipeline.completed.v1", detail=detail))
    assert subscriber.heard("pipeline.completed.v1", pipeline_id="smoke-1", execution_time_ms=5)
    subscriber.close()


def test_a_rule_whose_target_is_refused_is_no_subscriber(trial: Trial):
    """PutTargets that answers with FailedEntryCount fails, and what was made is removed."""
    real = client("events")
    replace(
        trial.target,
        "events",
        Client(
            list_rules=real.list_rules,
            put_rule=real.put_rule,
            put_targets={
                "FailedEntryCount": 1,
                "FailedEntries": [{"ErrorCode": "ConcurrentModification", "ErrorMessage": "busy"}],
            },
            remove_targets=real.remove_targets,
            delete_rule=real.delete_rule,
        ),
    )
    with pytest.raises(RefusedError, match="ConcurrentModification: busy"):
        _ = trial.listener
    trial.close()
    assert rules(trial.target) == queues() == set()


def test_a_subscriber_that_no_event_reaches_is_said(trial: Trial):
    """If no probe arrives in time, the error says so instead of blaming the services."""
    real = client("events")
    replace(
        trial.target,
        "events",
        Client(
            list_rules=real.list_rules,
            put_rule=real.put_rule,
            put_targets={"FailedEntryCount": 0},
            put_events=lambda Entries: {
                "FailedEntryCount": 0,
                "Entries": [{"EventId": "1"} for _ in Entries],
            },
            remove_targets=real.remove_targets,
            delete_rule=real.delete_rule,
        ),
    )
    with pytest.raises(RefusedError, match="No event reached the subscriber"):
        _ = trial.listener
    assert PROBE in str(trial.target.client("events").of("put_events"))
    trial.close()


def test_what_a_killed_smoke_test_left_is_removed_an_hour_later(account: Target):
    """Subscribers older than an hour are removed; a younger one may be at work, and other rules are not touched."""
    bus = account.addresses.bus_name
    young = datetime.now(UTC).strftime(listener.STAMP) + "cc"
    names = [
        "ai-pipeline-dev-smoke-200101000000aa",
        f"ai-pipeline-dev-smoke-{young}",
        "ai-pipeline-dev-smoke-own",
    ]
    for name in names:
        client("sqs").create_queue(QueueName=name)
        client("events").put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["x"]}')
    subscriber = Listener(account, NAME)
    subscriber.open(lambda probe, **_bounds: probe())
    subscriber.close()
    assert rules(account) == queues() == set(names[1:])


def test_what_can_not_be_removed_is_named_and_the_rest_removed(account: Target):
    """If the queue can't be deleted, the rule is removed and the error names what remains."""
    subscriber = Listener(account, NAME)
    subscriber.open(lambda probe, **_bounds: probe())
    replace(account, "sqs", Client(delete_queue=refusal("DeleteQueue", "AccessDenied")))
    with pytest.raises(RefusedError, match=f"ai-pipeline-dev-{NAME}"):
        subscriber.close()
    assert rules(account) == set()


# --- simulations ---------------------------------------------------------------------------------------------


def contexts(arguments: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the detail-type and the type of the condition keys that the simulator was asked about."""
    for entry in arguments.get("ContextEntries", ()):
        if entry["ContextKeyName"] == "events:detail-type":
            return entry["ContextKeyValues"][0], entry["ContextKeyType"]
    return None


def simulator(allows: Callable[[tuple[str, str] | None], bool]) -> Client:
    """Return IAM with a policy for publishers, whose simulator decides by `allows`."""

    def decide(**arguments: Any) -> dict[str, Any]:
        decision = "allowed" if allows(contexts(arguments)) else "implicitDeny"
        return {"EvaluationResults": [{"EvalDecision": decision}]}

    return Client(
        get_policy={"Policy": {"DefaultVersionId": "v3"}},
        get_policy_version={"PolicyVersion": {"Document": {"Statement": [{"Action": "events:PutEvents"}]}}},
        simulate_custom_policy=decide,
        simulate_principal_policy=decide,
    )


@pytest.fixture
def iam(trial: Trial) -> Callable[[Client], dict[str, Check]]:
    """Return a function that makes the simulations with this IAM."""
    policies = [
        {"ResourceType": "AWS::IAM::ManagedPolicy", "PhysicalResourceId": "arn:aws:iam::1:policy/publisher"},
        {"ResourceType": "AWS::DynamoDB::Table", "PhysicalResourceId": "PipelineLogs-dev"},
    ]
    replace(
        trial.target,
        "cloudformation",
        Client(describe_stack_resources={"StackResources": policies}),
    )
    replace(
        trial.target,
        "lambda",
        Client(
            get_function_configuration=lambda FunctionName: {"Role": f"arn:aws:iam::1:role/{FunctionName}"}
        ),
    )

    def judge(fake: Client) -> dict[str, Check]:
        replace(trial.target, "iam", fake)
        return by_subject(forging(trial))

    return judge


REQUEST = "pipeline.requested.v2"


def test_policies_that_hold_either_way_pass_as_simulated(iam):
    """Policies that allow requests alone, with single values and with lists, pass, and are said to be simulated."""
    fake = simulator(lambda asked: asked is not None and asked[0] == REQUEST)
    checks = iam(fake)
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert {check.evidence for check in checks.values()} == {"simulation"}
    asked = {call["PolicySourceArn"].rpartition("/")[2] for call in fake.of("simulate_principal_policy")}
    assert asked == {*(f"ai-pipeline-dev-{function.name}" for function in FUNCTIONS), "workflow"}


@pytest.mark.parametrize(
    ("allows", "words"),
    [
        (lambda asked: asked == (REQUEST, "string"), "implicitDeny if the condition keys have lists"),
        (
            lambda asked: asked == (REQUEST, "stringList"),
            "implicitDeny if the condition keys have single values",
        ),
        (lambda asked: asked is None or asked[0] == REQUEST, "without source and detail-type is allowed"),
        (lambda _asked: True, "chat.requested"),
    ],
    ids=["no lists", "lists only", "absent keys", "anything"],
)
def test_a_policy_that_holds_one_way_only_fails(iam, allows, words):
    """A policy that fails for lists, for single values, or for absent keys, or allows anything, is a failed check."""
    check = iam(simulator(allows))["policy for publishers"]
    assert check.outcome == "failed"
    assert words in check.text
    assert "infra/constructs/publishing.py" in str(check.fix)


def test_a_role_that_could_forge_is_named(iam):
    """Each role that the simulator would let publish a foreign event is named."""
    check = iam(simulator(lambda asked: asked is not None and asked[0].startswith("chat.")))[
        "no forged events"
    ]
    assert check.outcome == "failed"
    assert "analyzer (" in check.text
    assert "workflow (" not in check.text


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("AccessDenied", "not possible"), ("Throttling", "failed")],
    ids=["denied", "throttled"],
)
def test_a_simulator_that_does_not_answer(iam, code, outcome):
    """A caller who may not simulate proves nothing and breaks nothing; a throttled call is a failed check."""
    fake = simulator(lambda _asked: False)
    error = refusal("Simulate", code)
    fake._operations |= {"simulate_custom_policy": error, "simulate_principal_policy": error}
    assert {check.outcome for check in iam(fake).values()} == {outcome}


# --- denied-model --------------------------------------------------------------------------------------------


def configured(trial: Trial, model: str, allows: Callable[[str], bool] | Exception) -> Client:
    variables = {"MODEL_ID": model}
    role = {"Role": "arn:aws:iam::1:role/chatbot", "Environment": {"Variables": variables}}
    replace(trial.target, "lambda", Client(get_function_configuration=role))

    def decide(ResourceArns: Sequence[str], **_more: Any) -> dict[str, Any]:
        assert not isinstance(allows, Exception)
        decision = "allowed" if allows(ResourceArns[0]) else "implicitDeny"
        return {"EvaluationResults": [{"EvalDecision": decision}]}

    simulate = allows if isinstance(allows, Exception) else decide
    fake: Client = replace(trial.target, "iam", Client(simulate_principal_policy=simulate))
    return fake


def test_other_models_are_denied(trial: Trial):
    """The step passes if IAM denies models other than the configured one, which is not asked about."""
    fake = configured(trial, f"us.{MODELS[1]}", lambda _arn: False)
    (check,) = denied_model(trial)
    assert (check.outcome, check.evidence) == ("passed", "simulation")
    asked = [call["ResourceArns"][0].rpartition("/")[2] for call in fake.of("simulate_principal_policy")]
    assert asked == [MODELS[0], *MODELS[2:]]


def test_a_role_that_may_call_any_model_fails(trial: Trial):
    """A role that may call other models fails the step and names them."""
    configured(trial, "a-model", lambda arn: "nova" in arn)
    (check,) = denied_model(trial)
    assert (check.outcome, MODELS[2] in check.text, MODELS[1] in check.text) == ("failed", True, False)


def test_models_can_not_be_judged_without_the_simulator(trial: Trial):
    """A caller who may not simulate gets `not possible`, with the missing right."""
    configured(trial, "a-model", refusal("SimulatePrincipalPolicy", "AccessDenied"))
    (check,) = denied_model(trial)
    assert (check.outcome, "SimulatePrincipalPolicy" in check.text) == ("not possible", True)
