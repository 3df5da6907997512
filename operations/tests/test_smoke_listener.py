"""The smoke test's subscriber: it hears its own runs, fails in words, and leaves nothing behind."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from operations.asking.publish import Draft, publish
from operations.errors import RefusedError
from operations.smoke import listener
from operations.smoke.listener import PROBE, Listener
from operations.smoke.trial import Trial
from operations.target import Target
from operations.tests.smoke_world import NAME, Client, refusal, replace
from operations.tests.world import client


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
    refused = {"ErrorCode": "ConcurrentModification", "ErrorMessage": "busy"}
    answer = {"FailedEntryCount": 1, "FailedEntries": [refused]}
    replace(trial.target, "events", Client(client("events"), put_targets=answer))
    with pytest.raises(RefusedError, match="ConcurrentModification: busy"):
        _ = trial.listener
    trial.close()
    assert rules(trial.target) == queues() == set()


def test_a_subscriber_that_no_event_reaches_is_said(trial: Trial):
    """If no probe arrives in time, the error says so instead of blaming the services."""

    def put(Entries: Sequence[Mapping[str, Any]]) -> Any:
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"} for _ in Entries]}

    fake = Client(client("events"), put_targets={"FailedEntryCount": 0}, put_events=put)
    replace(trial.target, "events", fake)
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
