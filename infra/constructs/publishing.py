"""The one right to publish: named events, from the pipeline's source, on its bus."""

from aws_cdk import aws_iam as iam

from shared.contracts.envelope import SOURCE, Event


def publishing(bus_arn: str, *event_types: type[Event]) -> iam.PolicyStatement:
    """Allows these events alone, so that nobody can forge another's, least of all a stage request."""
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
