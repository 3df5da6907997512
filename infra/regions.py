"""The AWS regions that the project supports, and what some of them lack.

`infra/tests/test_regions.py` compares both with the registry of resource types that cfn-lint ships: a region is
supported if it lies in a supported partition and has every type of resource that is deployed. A resource that some
regions lack must be optional.
"""

from typing import Final

PARTITIONS: Final = ("aws", "aws-us-gov")
"""The partitions that the project supports: AWS's commercial regions, and GovCloud (US)."""

_PARTITIONS: Final = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}

SUPPORTED: Final = (
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1",
    "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
    "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1",
    "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1",
    "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
)  # fmt: skip

WITHOUT_SCHEMAS: Final = frozenset(
    {
        "ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
        "ca-west-1", "il-central-1", "mx-central-1",
    }
)  # fmt: skip
"""Supported regions without EventBridge's schema registry."""


def partition_of(region: str) -> str:
    """Return the partition, the second part of an ARN, in which a region lies."""
    return next((name for prefix, name in _PARTITIONS.items() if region.startswith(prefix)), "aws")
