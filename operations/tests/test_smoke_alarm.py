"""The smoke test's alarm: it rings for a moment and is always set back; what CloudWatch says about it is believed."""

from typing import Any

import pytest

from operations.smoke.alarm import alarm_mail
from operations.smoke.trial import InterruptedTrialError, Trial
from operations.tests.smoke_world import NAME, Client, by_subject, refusal, replace

TOPIC = "arn:aws:sns:us-east-1:1:ai-pipeline-dev-alarms"
SENT = "Successfully executed action " + TOPIC
KMS = f'Failed to execute action {TOPIC}. Received error: "Error occurred while accessing the key"'
CONFIRMED = {"Protocol": "email", "Endpoint": "ops@example.com", "SubscriptionArn": f"{TOPIC}:1"}
PENDING = {"Protocol": "email", "Endpoint": "new@example.com", "SubscriptionArn": "PendingConfirmation"}


def an_alarm(name: str = "ai-pipeline-dev-cost", **fields: Any) -> dict[str, Any]:
    state = {"ActionsEnabled": True, "AlarmActions": [TOPIC], "StateValue": "OK"}
    return {"AlarmName": name, **state, **fields}


class History:
    """An alarm's history: what CloudWatch noted before, and `note` once the alarm was set."""

    def __init__(self, note: str | None) -> None:
        self.items = [{"Timestamp": "10:00", "HistorySummary": SENT}]
        self._note = note

    def set(self, **_state: Any) -> dict[str, Any]:
        if self._note:
            self.items.insert(0, {"Timestamp": "12:00", "HistorySummary": self._note})
        return {}

    def describe(self, **_arguments: Any) -> dict[str, Any]:
        return {"AlarmHistoryItems": list(self.items)}


def cloud(
    trial: Trial, *alarms: dict[str, Any], note: str | None = SENT, subscriptions: Any = (CONFIRMED,)
) -> Client:
    """Replace CloudWatch and SNS by ones with these alarms, this note in the history, and these subscriptions."""
    history = History(note)
    fake: Client = replace(
        trial.target,
        "cloudwatch",
        Client(
            describe_alarms={"MetricAlarms": list(alarms)},
            set_alarm_state=history.set,
            describe_alarm_history=history.describe,
        ),
    )
    replace(trial.target, "sns", Client(list_subscriptions_by_topic={"Subscriptions": list(subscriptions)}))
    return fake


def states(fake: Client) -> list[str]:
    return [call["StateValue"] for call in fake.of("set_alarm_state")]


def test_an_alarm_that_reaches_its_topic_passes_and_is_set_back(trial: Trial):
    """An alarm that CloudWatch delivered passes; it is set back, and the user is told whose mailbox to look into."""
    fake = cloud(trial, an_alarm(StateValue="INSUFFICIENT_DATA"), subscriptions=(CONFIRMED, PENDING))
    checks = by_subject(alarm_mail(trial))
    assert {check.outcome for check in checks.values()} == {"passed"}
    assert states(fake) == ["ALARM", "INSUFFICIENT_DATA"]
    assert "email ops@example.com" in checks["mail"].text
    assert "Not confirmed: email new@example.com" in checks["mail"].text
    assert NAME in checks["mail"].text
    assert NAME in fake.of("set_alarm_state")[0]["StateReason"]


def test_an_alarm_that_rings_or_is_mute_is_left_alone(trial: Trial):
    """An alarm that rings, has its actions disabled, or has none is not touched."""
    fake = cloud(
        trial,
        an_alarm("a-rings", StateValue="ALARM"),
        an_alarm("b-is-mute", ActionsEnabled=False),
        an_alarm("c-has-no-action", AlarmActions=[]),
        an_alarm("e-quiet"),
        an_alarm("d-quiet"),
    )
    assert by_subject(alarm_mail(trial))["notified"].outcome == "passed"
    assert {call["AlarmName"] for call in fake.of("set_alarm_state")} == {"d-quiet"}


def test_without_an_alarm_nothing_is_proven(trial: Trial):
    """Without an alarm that can be set, the step is not possible and says how to deploy monitoring."""
    fake = cloud(trial)
    (check,) = alarm_mail(trial)
    assert (check.outcome, states(fake)) == ("not possible", [])
    assert "--service monitoring" in str(check.fix)


@pytest.mark.parametrize(
    ("note", "words"),
    [(KMS, "accessing the key"), (None, "did not note")],
    ids=["denied by the key", "no note"],
)
def test_an_alarm_that_does_not_reach_its_topic_fails_and_is_set_back(trial: Trial, note, words):
    """An action that CloudWatch could not execute, or never notes, fails the step; the alarm is set back."""
    fake = cloud(trial, an_alarm(), note=note)
    check = by_subject(alarm_mail(trial))["notified"]
    assert (check.outcome, words in check.text) == ("failed", True)
    assert states(fake) == ["ALARM", "OK"]


def after_it_is_set(fake: Client, answer: Any) -> None:
    """Let the history answer otherwise as soon as the alarm was set."""
    describe = fake._operations["describe_alarm_history"]

    def ask(**arguments: Any) -> Any:
        return answer() if fake.of("set_alarm_state") else describe(**arguments)

    fake._operations["describe_alarm_history"] = ask


def test_an_interrupted_step_sets_its_alarm_back(trial: Trial):
    """Ctrl-C while waiting for CloudWatch sets the alarm back before the step ends."""
    fake = cloud(trial, an_alarm(), note=None)

    def interrupt() -> dict[str, Any]:
        trial.stop.requested = True
        return {"AlarmHistoryItems": []}

    after_it_is_set(fake, interrupt)
    trial.wait = lambda probe, **_bounds: Trial.wait(trial, probe, seconds=60)  # type: ignore[method-assign]
    with pytest.raises(InterruptedTrialError):
        list(alarm_mail(trial))
    assert states(fake) == ["ALARM", "OK"]


def test_an_error_in_the_middle_sets_the_alarm_back(trial: Trial):
    """If the history can't be read any more, the alarm is set back, and the step says which right is missing."""
    fake = cloud(trial, an_alarm())

    def deny() -> None:
        raise refusal("DescribeAlarmHistory", "AccessDenied")

    after_it_is_set(fake, deny)
    (check,) = alarm_mail(trial)
    assert (check.outcome, "DescribeAlarmHistory" in check.text) == ("not possible", True)
    assert states(fake) == ["ALARM", "OK"]


@pytest.mark.parametrize(
    ("subscriptions", "outcome", "words"),
    [((PENDING,), "failed", "No subscription"), ((), "not possible", "Nobody is subscribed")],
    ids=["not confirmed", "nobody"],
)
def test_a_mail_that_reaches_nobody_is_said(trial: Trial, subscriptions, outcome, words):
    """A subscription that is not confirmed fails with the mail to look for; no subscription at all proves nothing."""
    cloud(trial, an_alarm(), subscriptions=subscriptions)
    check = by_subject(alarm_mail(trial))["mail"]
    assert (check.outcome, words in check.text, bool(check.fix)) == (outcome, True, True)
