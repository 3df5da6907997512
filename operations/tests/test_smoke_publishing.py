"""The step `put-events`: what it says when something is denied or half done, and that nothing stays parked."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from operations.smoke.publishing import put_events
from operations.smoke.trial import InterruptedTrialError, Trial
from operations.target import Target
from operations.tests.smoke_world import API_RUN, BUS_RUN, NAME, Client, by_subject, hears, refusal, replace
from operations.tests.world import client, finish
from shared.contracts.stages import SERVICES
from shared.records import Records

DONE = {"detail-type": "pipeline.completed.v1", "data": {"pipeline_id": BUS_RUN}}


@pytest.fixture
def records(account):
    return Records(client("dynamodb"), account.addresses.table_name)


@pytest.fixture(autouse=True)
def no_forging(monkeypatch):
    """Leave the simulations out of `put-events`; they have tests of their own."""
    monkeypatch.setattr("operations.smoke.publishing.forging", lambda _trial: ())


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
    denied = refusal("PutRule", "AccessDeniedException")
    replace(trial.target, "events", Client(client("events"), put_rule=denied))
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
