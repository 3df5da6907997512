"""The managed policies for callers and operators, with the engine's IAM enforced."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.credentials import Credentials

from local import targets
from tests.e2e.conftest import Deployment
from tests.e2e.support import Shell, complete, failed_runs, parked, shell

__all__ = ["shell"]  # a fixture

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def granted(pipeline: Deployment, *names: str) -> list[dict[str, Any]]:
    """Return the statements of deployed managed policies."""
    iam = pipeline.client("iam")
    statements: list[dict[str, Any]] = []
    for page in iam.get_paginator("list_policies").paginate(Scope="Local"):
        for policy in page["Policies"]:
            if policy["PolicyName"] in names:
                version = iam.get_policy_version(
                    PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
                )
                statements += version["PolicyVersion"]["Document"]["Statement"]
    assert statements
    return statements


def use(pipeline: Deployment, who: Credentials, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a shell whose commands are signed by `who`."""
    connection = replace(pipeline.connection, access_key_id=who.access_key, secret_access_key=who.secret_key)
    target = targets.local_target(connection)
    monkeypatch.setattr(targets, "find_target", lambda *_args, **_options: target)
    return Shell()


def test_iam_decides_who_is_an_operator(pipeline: Deployment, user):
    """The callers' policy does not allow the operators' route, and the operators' policy allows nothing else."""
    caller = user(*granted(pipeline, "ai-pipeline-local-api-caller-us-east-1"))
    operator = user(*granted(pipeline, "ai-pipeline-local-api-operator-us-east-1"))
    accepted = pipeline.call("POST", "/pipeline", {"user_message": "mine"}, signed_by=caller)
    assert accepted.status == 202
    item = f"pipeline/{accepted.body['pipeline_id']}"
    assert pipeline.call("GET", f"/{item}", signed_by=caller).status == 200
    assert pipeline.call("GET", f"/operator/{item}", signed_by=caller).status == 403
    shown = pipeline.call("GET", f"/operator/{item}", signed_by=operator)
    assert (shown.status, shown.body["user_message"]) == (200, "mine")
    assert pipeline.call("GET", f"/{item}", signed_by=operator).status == 403
    assert pipeline.call("DELETE", f"/{item}", signed_by=operator).status == 403
    assert pipeline.call("GET", "/pipelines", signed_by=operator).status == 403
    assert complete(pipeline.finished(accepted.body["pipeline_id"]))


READING: list[tuple[str, ...]] = [("show",), ("show", "--cost"), ("logs",), ("explain",)]
"""The commands that read one run."""
READING_ALL: list[tuple[str, ...]] = [
    ("cost",),
    ("watch", "--once"),
    ("dlq", "list"),
    ("dlq", "export", "--archived"),
    ("redrive", "--since", "1h", "--dry-run"),
    ("doctor", "--live"),
]
ACTING: list[tuple[str, ...]] = [
    ("submit", "Hello"),
    ("submit", "--via", "bus", "Hello"),
    ("dlq", "archive", "--reason", "no", "--yes"),
    ("dlq", "replay", "--yes"),
]


def test_an_operator_uses_every_reading_command(pipeline: Deployment, user, shell: Shell, monkeypatch):
    """The operators' policy suffices for every command that only reads, and for none that changes something."""
    (failed,) = failed_runs(pipeline, 1)
    try:
        operator = use(
            pipeline, user(*granted(pipeline, "ai-pipeline-local-operator-us-east-1")), monkeypatch
        )
        assert failed in operator("list").stdout
        for words in (*((*words, failed) for words in READING), *READING_ALL):
            operator(*words)
        for words in (*ACTING, ("cancel", failed)):
            assert "not" in operator(*words, code=1).output
        assert parked(operator) == 1
    finally:
        use(pipeline, pipeline.credentials, monkeypatch)("dlq", "archive", "--reason", "a test's", "--yes")
