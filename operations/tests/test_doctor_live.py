"""What the doctor reads from a deployment, and how it reports missing parts."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.doctor.findings import Problem
from infra.doctor.live import drift
from infra.doctor.model import Function, System
from infra.environments import ENVIRONMENTS
from operations.addresses import Addresses
from operations.errors import DeniedError, NotDeployedError
from operations.health import doctor
from operations.health.doctor import REQUIRED, deployed
from operations.health.roles import read_roles
from operations.tests.world import client
from shared.tests.fakes import client_error

ROOT = Path(__file__).resolve().parents[2]
QUEUE = {"Type": "AWS::SQS::Queue"}
NOTHING = System(
    environment=ENVIRONMENTS["local"],
    queues={},
    functions={},
    sources=(),
    rules={},
    machines={},
    grants=(),
    deliveries=(),
)


def stack(part: str) -> None:
    """Create a stack with one queue, both named after the part."""
    name = f"ai-pipeline-local-{part}"
    template = {"Resources": {"Queue": {**QUEUE, "Properties": {"QueueName": name, "VisibilityTimeout": 60}}}}
    client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))


@pytest.fixture
def stacks(aws):
    for part in REQUIRED:
        stack(part)


def url(part: str) -> str:
    return str(client("sqs").get_queue_url(QueueName=f"ai-pipeline-local-{part}")["QueueUrl"])


def test_attributes_are_those_of_the_queue_not_of_the_template(nowhere, stacks):
    """The checks see a queue's deployed visibility timeout, and the template's value separately."""
    client("sqs").set_queue_attributes(QueueUrl=url("logger"), Attributes={"VisibilityTimeout": "5"})
    system = deployed(nowhere)
    assert system.queues["ai-pipeline-local-logger"].visibility_seconds == 5
    assert system.written is not None
    assert system.written.queues["ai-pipeline-local-logger"].visibility_seconds == 60
    assert system.queues["ai-pipeline-local-chatbot"].visibility_seconds == 60


def test_a_queue_that_somebody_deleted_is_a_finding_not_an_end(nowhere, stacks):
    """A deleted queue is reported as a finding, and the other queues are still checked."""
    client("sqs").delete_queue(QueueUrl=url("enhancer"))
    system = deployed(nowhere)
    gone = [said.where for said in drift(system) if isinstance(said, Problem) and said.severity == "error"]
    assert gone == ["queue ai-pipeline-local-enhancer"]
    assert len(system.queues) == len(REQUIRED) - 1


@pytest.mark.parametrize(("services", "known"), [((), False), (("approval",), True)])
def test_a_deleted_stack_of_a_stage_that_was_switched_off_is_not_missed(nowhere, stacks, services, known):
    """The engine still has the template of a deleted stack; it counts if the service's addresses are there."""
    stack("approval")
    values = {f"services/{name}/queue-url": url(name) for name in services}
    nowhere.__dict__["endpoint"] = "http://127.0.0.1:9"
    nowhere.__dict__["addresses"] = Addresses(env="local", values=values, deployed_at=datetime.now(UTC))
    assert ("ai-pipeline-local-approval" in deployed(nowhere).queues) is known


def test_a_missing_stack_is_named_with_what_to_do(nowhere, aws):
    """If a required stack is missing, the error names it and the command that deploys it."""
    stack("platform")
    with pytest.raises(
        NotDeployedError, match=r"no such stack: .*ai-pipeline-local-workflow\. Run `pipeline up"
    ):
        deployed(nowhere)


def test_on_aws_the_accounts_own_concurrency_is_read(nowhere, stacks, monkeypatch):
    """The doctor reads how many concurrent executions an account on AWS has; the engine has no such quota."""
    settings = {"AccountLimit": {"ConcurrentExecutions": 12, "UnreservedConcurrentExecutions": 10}}
    monkeypatch.setattr(client("lambda"), "get_account_settings", lambda: settings)
    assert deployed(nowhere).concurrency is None
    monkeypatch.setattr(doctor, "environment", lambda *_: replace(ENVIRONMENTS["local"], engine=None))
    assert deployed(nowhere).concurrency == 10


def test_without_the_right_to_read_the_concurrency_the_right_is_named(nowhere, stacks, monkeypatch):
    """If the caller may not read the account's settings, the error names the right that is missing."""

    def refuse() -> None:
        raise client_error("AccessDeniedException", "GetAccountSettings", 403)

    monkeypatch.setattr(client("lambda"), "get_account_settings", refuse)
    monkeypatch.setattr(doctor, "environment", lambda *_: replace(ENVIRONMENTS["local"], engine=None))
    with pytest.raises(DeniedError, match="GetAccountSettings"):
        deployed(nowhere)


def test_looking_at_a_deployment_starts_no_node():
    """The doctor's modules do not import the CDK, so that checking a deployment starts no Node process."""
    code = "import sys, operations.health.doctor, infra.doctor.table; print('aws_cdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_policies_of_a_deployed_role_are_read(nowhere, aws):
    """Inline and attached policies and the boundary of a role are read; a role that is gone is left out."""
    iam = client("iam")
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Deny", "Action": "bedrock:*", "Resource": "*"}],
        }
    )
    managed = iam.create_policy(PolicyName="managed", PolicyDocument=document)["Policy"]["Arn"]
    iam.create_role(RoleName="chatbot-1", AssumeRolePolicyDocument="{}", PermissionsBoundary=managed)
    iam.put_role_policy(RoleName="chatbot-1", PolicyName="by-hand", PolicyDocument=document)
    iam.attach_role_policy(RoleName="chatbot-1", PolicyArn=managed)
    functions = {
        name: Function(name=name, stack="s", handler="h", role=f"s/{name}", role_name=name)
        for name in ("chatbot-1", "gone")
    }
    unnamed = {"other": Function(name="other", stack="s", handler="h", role="s/other")}
    (role,) = read_roles(nowhere, replace(NOTHING, functions={**functions, **unnamed})).values()
    assert (role.holder, role.name) == ("s/chatbot-1", "chatbot-1")
    assert [(policy.name, policy.arn) for policy in role.policies] == [("by-hand", ""), ("managed", managed)]
    assert role.boundary is not None
    for policy in (*role.policies, role.boundary):
        assert [(one.effect, one.actions) for one in policy.statements] == [("Deny", ("bedrock:*",))]


def test_without_the_right_to_read_roles_the_rest_is_checked(nowhere, stacks, monkeypatch):
    """If the caller may not read roles, the other parts are read, and the reason is kept for the checks to say."""

    def refuse(*_: object) -> None:
        raise DeniedError("You may not call iam:GetRole.")

    monkeypatch.setattr(doctor, "read_roles", refuse)
    system = deployed(nowhere)
    assert (system.roles, system.roles_unread) == (None, "You may not call iam:GetRole.")
    assert len(system.queues) == len(REQUIRED)
