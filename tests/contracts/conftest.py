"""The fixture `stand`, for tests of what the real handlers write."""

import boto3
import pytest
from moto import mock_aws

from shared.tests.fakes import create_approvals_table, create_records_table
from tests.contracts.handlers import MACHINE, Stand, forget


@pytest.fixture
def stand(monkeypatch):
    """Return a function that makes a service's Stand, with its environment and tables."""

    def make(service: str, module: str, fallbacks: str = "") -> Stand:
        for name, value in {
            "POWERTOOLS_SERVICE_NAME": service,
            "PIPELINE_ENV": "test",
            "TABLE_NAME": "records",
            "ANSWERS_TABLE": "answers",
            "DLQ_URL": "https://queue/dlq",
            "BUS_NAME": "bus",
            "STATE_MACHINE_ARN": MACHINE,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
            "BUDGET_TABLE": "budget",
            "OPERATIONS_TABLE": "operations",
            "STATE_TABLE": "state",
            "MAPPING_ID": "the-starters",
            "USD_PER_DAY": "5",
            "APPROVALS_TABLE": "approvals",
            "APPROVAL_SECONDS": "3600",
            "FALLBACK_MODEL_IDS": fallbacks,
        }.items():
            monkeypatch.setenv(name, value)
        made = Stand(module)
        monkeypatch.setattr("shared.aws.session", lambda: made)
        forget()
        return made

    with mock_aws():
        create_records_table(boto3.client("dynamodb"), "records", by_day=True)
        create_approvals_table(boto3.client("dynamodb"))
        for table, *keys in (
            ("answers", "id"),
            ("budget", "item"),
            ("state", "id"),
            ("operations", "pipeline_id", "entry"),
        ):
            boto3.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind}
                    for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        yield make
    forget()
