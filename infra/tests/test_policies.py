"""What the doctor finds in the policies that roles have: denials, boundaries, and changes by hand."""

import json
from dataclasses import replace

import pytest

from infra.doctor.checks import queues
from infra.doctor.findings import Passed, Problem, Skipped
from infra.doctor.live import drift, live_deliveries, live_queue
from infra.doctor.model import Delivery, Grant, Policy, Queue, Role, Rule, Statement, System, Target
from infra.doctor.policies import changed, denied, overlap
from infra.doctor.reading_rights import statements
from infra.environments import ENVIRONMENTS

HOLDER = "ai-pipeline-dev-chatbot/Role1"
MODEL = "arn:aws:bedrock:region::foundation-model/amazon.nova-lite-v1:0"
TABLE = "arn:aws:dynamodb:region:account:table/answers"
OWN = Policy(
    name="Own",
    statements=(
        Statement(effect="Allow", actions=("bedrock:InvokeModel",), resources=(MODEL,)),
        Statement(
            effect="Allow", actions=("logs:PutLogEvents",), resources=("ai-pipeline-dev-chatbot/Logs",)
        ),
    ),
)
LIVE_OWN = replace(
    OWN,
    statements=(
        replace(OWN.statements[1], resources=("arn:aws:logs:eu-west-1:123:log-group:/aws/lambda/x:*",)),
        replace(OWN.statements[0], resources=(MODEL.replace("region", "eu-west-1"),)),
    ),
)


def grant(action, resource):
    return Grant(holder=HOLDER, stack="s", sid="", actions=(action,), resources=(resource,))


def system(*policies, boundary=None, own=LIVE_OWN):
    """Return a deployed role with its own policy and these."""
    written = System(
        environment=ENVIRONMENTS["dev"],
        queues={},
        functions={},
        sources=(),
        rules={},
        machines={},
        grants=(grant("bedrock:InvokeModel", MODEL), grant("dynamodb:GetItem", TABLE)),
        deliveries=(),
        roles={HOLDER: Role(holder=HOLDER, policies=(OWN,))},
    )
    live = Role(
        holder=HOLDER, name="chatbot-1", policies=(*([own] if own else []), *policies), boundary=boundary
    )
    return replace(written, roles={HOLDER: live}, written=written)


def policy(arn="", **statement):
    document = {"Statement": {"Effect": "Deny", "Action": "bedrock:*", "Resource": "*", **statement}}
    return Policy(
        name="by-hand",
        arn=arn,
        statements=statements({"Statement": {k: v for k, v in document["Statement"].items() if v}}),
    )


def problems(results):
    return [one for one in results if isinstance(one, Problem)]


@pytest.mark.parametrize(
    ("statement", "is_found"),
    [
        ({}, True),
        ({"Action": ["s3:*", "Bedrock:Invoke*"]}, True),
        ({"Action": "*", "Resource": "arn:aws:bedrock:eu-west-1::foundation-model/*"}, True),
        ({"Action": "", "NotAction": "logs:*"}, True),
        ({"Action": "", "NotAction": ["bedrock:*", "dynamodb:Get*"]}, False),
        ({"Resource": "", "NotResource": "arn:aws:s3:::a/*"}, True),
        ({"Action": "*", "Resource": "", "NotResource": ["arn:aws:bedrock:*", "arn:aws:dynamodb:*"]}, False),
        ({"Action": "bedrock:ListFoundationModels"}, False),
        ({"Resource": "arn:aws:bedrock:*::foundation-model/other"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}, False),
        ({"Effect": "Allow"}, False),
    ],
)
def test_a_deny_takes_a_right_away(statement, is_found):
    """An explicit Deny of a right that the role is granted is found in any form, but for one under a condition."""
    found = problems(denied(system(policy(**statement))))
    assert bool(found) is is_found
    if is_found:
        (one,) = found
        assert (one.where, one.severity) == ("chatbot-1", "error")
        assert "bedrock:InvokeModel" in one.what or "dynamodb:GetItem" in one.what


def test_each_kind_of_policy_has_its_command():
    """A finding names the command that takes the policy from its role: inline, attached, or a boundary."""
    arn = "arn:aws:iam::aws:policy/AWSDenyAll"
    for found, command in (
        (system(policy()), "delete-role-policy --role-name chatbot-1 --policy-name by-hand"),
        (system(policy(arn)), f"detach-role-policy --role-name chatbot-1 --policy-arn {arn}"),
    ):
        for check in (denied, changed):
            (one,) = problems(check(found))
            assert one.fix.endswith(f"aws iam {command}")
    bounded = system(boundary=policy("arn:b", Effect="Allow"))
    (lacking,) = problems(denied(bounded))
    assert lacking.what == "Its permissions boundary by-hand does not allow dynamodb:GetItem."
    (extra,) = problems(changed(bounded))
    for one in (lacking, extra):
        assert one.fix.endswith("aws iam delete-role-permissions-boundary --role-name chatbot-1")


def test_a_role_as_written_has_no_drift():
    """A policy is the same in any order, with any region and account, and for an ARN that no template knows."""
    assert [type(one) for one in changed(system())] == [Passed]
    assert [type(one) for one in denied(system())] == [Passed]


@pytest.mark.parametrize(
    "own",
    [
        replace(LIVE_OWN, statements=LIVE_OWN.statements[:1]),
        replace(LIVE_OWN, statements=(*LIVE_OWN.statements, Statement(effect="Deny", actions=("s3:*",)))),
        replace(
            LIVE_OWN, statements=(LIVE_OWN.statements[0], replace(LIVE_OWN.statements[1], resources=("*",)))
        ),
        replace(
            LIVE_OWN, statements=(LIVE_OWN.statements[0], replace(LIVE_OWN.statements[1], effect="Deny"))
        ),
    ],
)
def test_a_policy_that_was_changed_is_found(own):
    """A statement that was removed, added or changed by hand is drift."""
    (one,) = problems(changed(system(own=own)))
    assert (one.what, one.severity) == ("Its policy Own was changed after its deployment.", "warning")


def test_a_policy_that_is_gone_is_an_error():
    """A role without the policy of its template is an error of `drift`."""
    (one,) = problems(changed(system(own=None)))
    assert (one.severity, one.what) == ("error", "It lacks the inline policy Own, which is in its template.")


@pytest.mark.parametrize("boundary", [None, policy("arn:b", Effect="Allow")])
def test_a_boundary_that_is_gone_is_an_error(boundary):
    """A role without the boundary of its template, or with another one, is an error of `drift`."""
    found = system(boundary=boundary)
    demanded = Role(holder=HOLDER, policies=(OWN,), boundary=Policy(name="Limit", arn="arn:l"))
    found = replace(found, written=replace(found.written, roles={HOLDER: demanded}))
    (one,) = problems(changed(found))
    assert one.severity == "error"
    assert one.what == "It lacks the permissions boundary Limit, which is in its template."
    same = replace(found, roles={HOLDER: replace(found.roles[HOLDER], boundary=demanded.boundary)})
    assert problems(changed(same)) == []


def test_a_generated_name_is_known():
    """A policy to which CloudFormation gave a name is known by its stack and logical id."""
    found = system(replace(OWN, name="ai-pipeline-dev-chatbot-More1A-XYZ", arn="arn:aws:iam::1:policy/m"))
    more = replace(OWN, name="ai-pipeline-dev-chatbot/More1A", arn="ai-pipeline-dev-chatbot/More1A")
    written = replace(found.written, roles={HOLDER: Role(holder=HOLDER, policies=(OWN, more))})
    assert problems(changed(replace(found, written=written))) == []


def test_what_could_not_be_read_is_said():
    """Without the right to read roles, both checks say so instead of passing."""
    blind = replace(system(), roles=None, roles_unread="You may not iam:GetRole.")
    for check in (denied, changed):
        (skipped,) = check(blind)
        assert isinstance(skipped, Skipped)
        assert "You may not iam:GetRole." in skipped.text


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("*", "", True),
        ("a*c", "*b*", True),
        ("a*c", "a?c", True),
        ("ab", "a", False),
        ("a*b", "*c", False),
        ("?", "", False),
        ("*" * 40 + "x", "y" * 200, False),
    ],
)
def test_patterns_overlap(one, other, meets):
    """Two patterns overlap if some text matches both; long ones take no longer."""
    assert overlap(one, other) is overlap(other, one) is meets


RULE = "arn:aws:events:eu-west-1:123:rule/ai-pipeline-dev-bus/chatbot-requests"
ADMITS = {
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": ["sqs:SendMessage"],
    "Condition": {"ArnEquals": {"aws:SourceArn": RULE}},
}
TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
REFUSES = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sqs:ReceiveMessage"}
OPEN = {"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "SQS:*"}


def with_queue(*stated):
    """Return a system whose queue admits a rule by its template, and is deployed with these statements."""
    queue = Queue(name="chatbot", stack="s", dlq="chatbot-dlq", receives=5)
    rule = Rule(
        name="chatbot-requests",
        stack="s",
        bus="b",
        sources=(),
        detail_types=(),
        targets=(Target(queue="chatbot"),),
    )
    written = replace(
        system().written,
        queues={"chatbot": queue},
        rules={rule.name: rule},
        deliveries=(Delivery(queue="chatbot", stack="s", rule=rule.name),),
    )
    policy = {"Policy": json.dumps({"Statement": list(stated)})} if stated else {}
    dead = {"deadLetterTargetArn": "arn:aws:sqs:r:1:chatbot-dlq", "maxReceiveCount": 5}
    answer = {
        "VisibilityTimeout": "30",
        "MessageRetentionPeriod": "345600",
        "RedrivePolicy": json.dumps(dead),
        **policy,
    }
    return replace(
        written,
        queues={"chatbot": live_queue(queue, answer)},
        deliveries=live_deliveries(queue, answer),
        written=written,
    )


@pytest.mark.parametrize(
    ("stated", "faults", "drifts"),
    [
        ((ADMITS, TLS_ONLY), [], []),
        ((), ["chatbot-requests"], ["right of chatbot-requests to send to chatbot"]),
        ((ADMITS, REFUSES), ["chatbot"], ["queue chatbot"]),
        ((ADMITS, OPEN), ["chatbot"], ["right of everybody to send to chatbot"]),
    ],
)
def test_the_policy_that_a_queue_has_counts(stated, faults, drifts):
    """A queue whose policy was changed by hand is found: it refuses its rule, denies something, or is open."""
    found = with_queue(*stated)
    assert [one.where for one in problems(queues.deliveries(found))] == faults
    assert [one.where for one in problems(drift(found))] == drifts
