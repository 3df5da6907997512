"""What a deployment changes is found by comparing templates, in words that name properties, options and losses."""

import copy

import pytest

from operations.deployment.changes import find_changes
from operations.deployment.stacks import read_stacks
from operations.tests.stacks_world import FakeStack

PLATFORM, CHATBOT = "ai-pipeline-dev-platform", "ai-pipeline-dev-chatbot"


def template(**resources):
    return {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}}, **resources}
    }


def table(policy="Delete", name="PipelineLogs-dev", **properties):
    return {
        "Type": "AWS::DynamoDB::GlobalTable",
        "Properties": {"TableName": name, **properties},
        "DeletionPolicy": policy,
        "UpdateReplacePolicy": "Delete" if policy == "Delete" else "Retain",
    }


@pytest.fixture
def compare(dev_account, cloudformation):
    """Compare a deployed template of the platform with a new one."""

    def comparison(before, after, *, protected=(), **stack):
        if before is not None:
            cloudformation.stacks[PLATFORM] = FakeStack(template=before, **stack)
        return find_changes(dev_account, {"platform": after}, read_stacks(dev_account), protected=protected)

    return comparison


def changed(changes):
    (stack,) = changes.stacks
    return [(change.kind, change.name, change.properties) for change in stack.resources]


def test_the_same_template_is_no_change(compare):
    """An equal template is unchanged, whatever the metadata of its resources says."""
    after = template()
    after["Resources"]["Topic"] = {**after["Resources"]["Topic"], "Metadata": {"aws:cdk:path": "elsewhere"}}
    changes = compare(template(), after)
    assert changes.nothing
    assert [stack.status for stack in changes.stacks] == ["unchanged"]


def test_a_stack_that_is_not_there_is_new(compare):
    """A missing stack is new, and all its resources are added."""
    changes = compare(None, template())
    assert (changes.stacks[0].status, changed(changes)) == ("new", [("added", "Topic", ())])


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"])
def test_a_stack_without_resources_is_new(compare, status):
    """What is left of a failed creation counts as new, whatever its template says."""
    assert compare(template(), template(), status=status).stacks[0].status == "new"


def test_resources_are_added_changed_and_removed(compare):
    """Each changed resource is named with its kind of change and the properties that differ."""
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q", "DelaySeconds": 1}}
    before = template(Queue=queue, Old={"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/old"}})
    after = template(
        Queue=copy.deepcopy(queue), New={"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/new"}}
    )
    after["Resources"]["Queue"]["Properties"] |= {"DelaySeconds": 2, "KmsMasterKeyId": "k"}
    after["Resources"]["Topic"]["DependsOn"] = ["Queue"]
    assert changed(compare(before, after)) == [
        ("removed", "/old", ()),
        ("changed", "q", ("DelaySeconds", "KmsMasterKeyId")),
        ("changed", "Topic", ("DependsOn",)),
        ("added", "/new", ()),
    ]


def test_a_replacement_is_told(compare):
    """A change of a property that CloudFormation can only set at creation is a replacement, with what is lost."""
    changes = compare(template(T=table()), template(T=table(name="Other")))
    assert changed(changes) == [("replaced", "PipelineLogs-dev", ("TableName",))]
    assert [change.loss for change in changes.losses] == ["its items are lost"]


def test_a_change_in_place_loses_nothing(compare):
    """A change of another property of a table is no replacement."""
    changes = compare(template(T=table()), template(T=table(BillingMode="PAY_PER_REQUEST")))
    assert changed(changes) == [("changed", "PipelineLogs-dev", ("BillingMode",))]
    assert changes.losses == ()


@pytest.mark.parametrize(
    ("policy", "loss"),
    [
        ("Delete", "its items are lost"),
        ("RetainExceptOnCreate", "it is kept, but no longer part of the deployment"),
    ],
)
def test_a_removed_table_is_a_loss(compare, policy, loss):
    """A removed table is named with what becomes of its items, according to the deployed policy."""
    (change,) = compare(template(T=table(policy)), template()).losses
    assert (change.kind, change.name, change.loss) == ("removed", "PipelineLogs-dev", loss)


def test_the_budgets_table_is_no_loss(compare):
    """Taking a budget away removes its table, which holds nothing that the records do not."""
    assert compare(template(T=table(name="ai-pipeline-dev-budget")), template()).losses == ()


def test_characters_that_cloudformation_does_not_keep_are_no_change(compare):
    """CloudFormation gives templates back with question marks outside ASCII; that is no difference."""
    before, after = template(), template()
    before["Resources"]["Topic"]["Properties"]["DisplayName"] = "a ? b ? c"
    after["Resources"]["Topic"]["Properties"]["DisplayName"] = "a – b 😀 c"
    assert compare(before, after).nothing


def test_a_template_of_text_is_read(compare, dev_account, cloudformation):
    """A template that CloudFormation gives back as text is compared like any other."""
    changes = compare('{"Resources": {}}', template())
    assert changed(changes) == [("added", "Topic", ())]


def options(**values):
    return {"AiPipelineOptions": values}


def test_options_that_change_are_told_in_words(compare):
    """An option whose recorded value differs is reported once, with both values."""
    before = {**template(), "Metadata": options(schema_registry="true", max_tokens="100")}
    after = {**template(), "Metadata": options(schema_registry="false", max_tokens="100")}
    (change,) = compare(before, after).options
    assert (change.name, change.before, change.after) == ("schema_registry", "true", "false")


def test_an_option_of_other_characters_is_compared_as_it_is(compare):
    """Two texts that differ only in characters outside ASCII are a change, and equal ones are none."""
    before = {**template(), "Metadata": options(system_prompt=r"Gr\u00fc\u00dfe")}
    after = {**template(), "Metadata": options(system_prompt=r"Gr\u00f6\u00dfe")}
    assert compare(before, before).nothing
    changes = compare(before, after)
    assert [(change.before, change.after) for change in changes.options] == [("Grüße", "Größe")]
    assert not changes.nothing


def test_a_version_without_recorded_options_is_not_guessed(compare):
    """If the deployed version recorded no options, none is reported as changed; a new one has no value before."""
    after = {**template(), "Metadata": options(schema_registry="false")}
    assert compare(template(), after).options == ()
    (change,) = compare({**template(), "Metadata": options(other="1")}, after).options
    assert (change.name, change.before) == ("schema_registry", None)


def test_protection_that_is_still_missing_is_a_change(compare):
    """A stack that was deployed, but not protected yet, is not unchanged."""
    changes = compare(template(), template(), protected=("platform",))
    assert changes.stacks[0].others == ("termination protection: off → on",)
    assert not changes.nothing


def test_a_stack_that_the_app_no_longer_has_is_named(dev_account, cloudformation):
    """A deployed stack without a template is left and named, unless only one service is deployed."""
    cloudformation.stacks |= {PLATFORM: FakeStack(template()), CHATBOT: FakeStack(template())}
    stacks, new = read_stacks(dev_account), {"platform": template()}
    assert find_changes(dev_account, new, stacks, protected=()).left == (CHATBOT,)
    assert find_changes(dev_account, new, stacks, protected=(), alone=True).left == ()


def test_a_stage_that_is_switched_off_is_not_to_be_deleted_by_hand(dev_account, cloudformation):
    """The stack of a switched off stage, which runs may need, is told apart from those that just stay."""
    cloudformation.stacks["ai-pipeline-dev-approval"] = FakeStack(template=template())
    changes = find_changes(dev_account, {}, read_stacks(dev_account), protected=())
    assert (changes.left, changes.leaving) == ((), ("ai-pipeline-dev-approval",))
