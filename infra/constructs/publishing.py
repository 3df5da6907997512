"""The IAM statement that allows publishing named events on the pipeline's bus."""

from aws_cdk import aws_iam as iam

from shared.contracts.envelope import SOURCE, Event


def publishing(bus_arn: str, *event_types: type[Event]) -> iam.PolicyStatement:
    """Return a statement that allows only these events, so that no publisher can forge others (stage requests).

    AWS documents both keys as lists, and its examples also treat them as single values. `ForAllValues` is right for
    either: each value of the request must be among those of the policy. It is also true without any value, which
    `Null` rules out.
    """
    allowed = {
        "events:source": SOURCE,
        "events:detail-type": [event.detail_type() for event in event_types],
    }
    return iam.PolicyStatement(
        sid="PublishEvents",
        actions=["events:PutEvents"],
        resources=[bus_arn],
        conditions={
            "ForAllValues:StringEquals": allowed,
            "Null": dict.fromkeys(allowed, "false"),
        },
    )
