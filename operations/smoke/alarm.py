"""The step `alarm-mail`: one alarm is set to ALARM for a moment, and CloudWatch must get it to the topic."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.names import Names
from operations.aws_errors import translated
from operations.errors import DeniedError
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed

SENT_SECONDS = 90.0
"""How long CloudWatch may take to note in the alarm's history that it has notified the topic."""
SUCCEEDED = "Successfully executed action"
PENDING = "PendingConfirmation"

Alarm = Mapping[str, Any]


def alarm_mail(trial: Trial) -> Iterator[Check]:
    if not trial.target.is_aws:
        yield not_possible("alarm", "The local engine sends no mail.")
        return
    try:
        alarm = _choose(trial)
        if alarm is None:
            yield not_possible(
                "alarm",
                "There is no alarm that could be set: monitoring is not deployed, or every alarm rings already or "
                "has its actions disabled.",
                fix=f"Deploy it: `pipeline --env {trial.target.env} deploy --service monitoring`.",
            )
            return
        yield from _ring(trial, alarm)
        yield _subscribers(trial, str(alarm["AlarmActions"][0]))
    except DeniedError as error:
        yield not_possible("alarm", f"The caller may not set or read alarms. {error}")


def _choose(trial: Trial) -> Alarm | None:
    """Return an alarm that does not ring and whose actions are enabled."""
    with translated("list the alarms"):
        pages = trial.target.client("cloudwatch").get_paginator("describe_alarms")
        alarms = [
            alarm
            for page in pages.paginate(AlarmNamePrefix=f"{Names(trial.target.env).prefix}-")
            for alarm in page["MetricAlarms"]
            if alarm["ActionsEnabled"] and alarm["AlarmActions"] and alarm["StateValue"] != "ALARM"
        ]
    return min(alarms, key=lambda alarm: str(alarm["AlarmName"]), default=None)


def _ring(trial: Trial, alarm: Alarm) -> Iterator[Check]:
    """Set the alarm, wait for CloudWatch's note on its action, and set it back, whatever happens."""
    cloudwatch, name, before = trial.target.client("cloudwatch"), alarm["AlarmName"], alarm["StateValue"]
    known = _notes(trial, name)
    with translated(f"set the alarm {name}"):
        cloudwatch.set_alarm_state(
            AlarmName=name,
            StateValue="ALARM",
            StateReason=f"{trial.name}: the smoke test sets this alarm for a moment. Nothing is wrong.",
        )
    try:
        notes = trial.wait(lambda: _notes(trial, name) - known, seconds=SENT_SECONDS)
    finally:
        with translated(f"set the alarm {name} back"):
            cloudwatch.set_alarm_state(
                AlarmName=name, StateValue=before, StateReason=f"{trial.name}: the smoke test has ended."
            )
    if not notes:
        yield failed(
            "notified",
            f"CloudWatch did not note within {SENT_SECONDS:.0f} s that the alarm {name} notified its topic.",
            fix="See the alarm's history in the CloudWatch console, and whether its actions are enabled.",
        )
    elif all(note.startswith(SUCCEEDED) for _, note in notes):
        yield passed(
            "notified",
            f"The alarm {name} was set to ALARM and back to {before}; CloudWatch delivered it to the topic.",
        )
    else:
        yield failed(
            "notified",
            f"CloudWatch could not notify the topic of the alarm {name}: {min(notes)[1]}",
            fix="The topic's policy and its key's policy must allow cloudwatch.amazonaws.com "
            "(infra/constructs/alarm_topic.py). Deploy monitoring again.",
        )


def _notes(trial: Trial, name: str) -> frozenset[tuple[str, str]]:
    """Return the times and texts of what CloudWatch noted lately about the alarm's actions."""
    with translated("read the alarm's history"):
        items: Sequence[Mapping[str, Any]] = trial.target.client("cloudwatch").describe_alarm_history(
            AlarmName=name, HistoryItemType="Action"
        )["AlarmHistoryItems"]
    return frozenset((str(item["Timestamp"]), str(item["HistorySummary"])) for item in items)


def _subscribers(trial: Trial, topic: str) -> Check:
    subject = "mail"
    with translated("read the topic's subscribers"):
        pages = (
            trial.target.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        )
        subscriptions = [subscription for page in pages for subscription in page["Subscriptions"]]
    pending = [_shown(item) for item in subscriptions if item["SubscriptionArn"] == PENDING]
    confirmed = [_shown(item) for item in subscriptions if item["SubscriptionArn"] != PENDING]
    if confirmed:
        also = f" Not confirmed: {', '.join(pending)}." if pending else ""
        return passed(
            subject,
            f"SNS sends it to {', '.join(confirmed)}.{also} Look there now: only you can see whether it arrived "
            f"(search for {trial.name}).",
        )
    if pending:
        return failed(
            subject,
            f"No subscription of {topic} is confirmed: {', '.join(pending)}.",
            fix="Open the link in the mail `AWS Notification - Subscription Confirmation`, then run the step again.",
        )
    return not_possible(
        subject,
        f"Nobody is subscribed to {topic}, so alarms reach nobody.",
        fix="Give an address as the environment's option `alarm_email` and deploy monitoring, or subscribe in the "
        "SNS console.",
    )


def _shown(subscription: Mapping[str, Any]) -> str:
    return f"{subscription['Protocol']} {subscription['Endpoint']}"
