"""The IAM statement that allows publishing named events on the pipeline's bus."""

from aws_cdk import aws_iam as iam

from shared.contracts.envelope import SOURCE, Event


def publishing(bus_arn: str, *event_types: type[Event]) -> iam.PolicyStatement:
    """Return a statement that allows only these events, so that no publisher can forge others (stage requests)."""
    return iam.PolicyStatement(
        sid="PublishEvents",
        actions=["events:PutEvents"],
        resources=[bus_arn],
        conditions={
            "StringEquals": {
                "events:source": SOURCE,
                "events:detail-type": [event.detail_type() for event in event_types],
            }
        },
    )
