"""Helpers that several tests of alarms share."""

import re

ALARM = "AWS::CloudWatch::Alarm"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


NOVA = "amazon.nova-lite-v1:0"
BEDROCK = "arn:aws:bedrock:us-east-1:111122223333"
APPLICATION = f"{BEDROCK}:application-inference-profile/abc123def456"
"""Models as an option may name them."""
