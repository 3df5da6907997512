"""Helpers that several tests of alarms share."""

import re

ALARM = "AWS::CloudWatch::Alarm"


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub forms them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
