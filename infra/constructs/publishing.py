"""The IAM statement that allows publishing named events on the pipeline's bus."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam

from shared.contracts.envelope import SOURCE, Event
from shared.contracts.upcasting import readable
from shared.contracts.v2 import PipelineRequested

REQUESTS = readable(PipelineRequested)
"""Every version of the request for a run."""


def publishing(bus_arn: str, *event_types: type[Event], others: Sequence[str] = ()) -> iam.PolicyStatement:
    """Return a statement that allows only these events, so that no publisher can forge others (stage requests).

    `others` are detail-types of which this checkout has no type.

    AWS documents both keys as lists, and its examples also treat them as single values. `ForAllValues` is right for
    either: each value of the request must be among those of the policy. It is also true without any value, which
    `Null` rules out.
    """
    allowed = {
        "events:source": SOURCE,
        "events:detail-type": [*(event.detail_type() for event in event_types), *others],
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
