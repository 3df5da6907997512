"""Every spelling of a model gets the rights that a call needs, or a refusal that says what to write."""

import re

import pytest

from infra.models import FAMILY, GEOGRAPHIES, ModelError, Place, check, default_model, rights
from infra.option_kinds import OptionError
from infra.options import load, load_deployed
from infra.pricing import asked
from infra.regions import partition_of
from infra.tests.support import APPLICATION, BEDROCK, NOVA

ACCOUNT = "111122223333"
CLAUDE = "anthropic.claude-haiku-4-5-20251001-v1:0"


def place(region: str = "us-east-1") -> Place:
    return Place(partition=partition_of(region), region=region, account=ACCOUNT)


def model(region: str, name: str = NOVA, partition: str = "aws") -> str:
    return f"arn:{partition}:bedrock:{region}::foundation-model/{name}"


@pytest.mark.parametrize(
    ("model_id", "behind", "arns"),
    [
        (NOVA, (), [model("us-east-1")]),
        (f"us.{NOVA}", (), [f"{BEDROCK}:inference-profile/us.{NOVA}", model("*")]),
        (
            f"{BEDROCK}:inference-profile/us.{NOVA}",
            (),
            [f"{BEDROCK}:inference-profile/us.{NOVA}", model("*")],
        ),
        (
            f"global.{CLAUDE}",
            (),
            [f"{BEDROCK}:inference-profile/global.{CLAUDE}", model("us-east-1", CLAUDE), model("", CLAUDE)],
        ),
        (model("us-east-1"), (), [model("us-east-1")]),
        (APPLICATION, (NOVA,), [APPLICATION, model("us-east-1")]),
        (APPLICATION, (f"us.{NOVA}",), [APPLICATION, model("*")]),
        (APPLICATION, (f"global.{CLAUDE}",), [APPLICATION, model("us-east-1", CLAUDE), model("", CLAUDE)]),
        (
            f"{BEDROCK}:default-prompt-router/amazon.nova:1",
            (NOVA, f"us.{CLAUDE}"),
            [
                f"{BEDROCK}:default-prompt-router/amazon.nova:1",
                model("us-east-1"),
                f"{BEDROCK}:inference-profile/us.{CLAUDE}",
                model("*", CLAUDE),
            ],
        ),
        *(
            (arn, (), [arn])
            for arn in (
                f"{BEDROCK}:provisioned-model/abc123def456",
                f"{BEDROCK}:imported-model/abc123def456",
                f"{BEDROCK}:custom-model-deployment/abc123def456",
            )
        ),
        (f"zz.{NOVA}", (), [f"{BEDROCK}:inference-profile/zz.{NOVA}", model("*")]),
    ],
)
def test_each_spelling_gets_its_rights(model_id, behind, arns):
    """A call may use exactly the resource it names and the foundation models behind it, where these answer."""
    check(model_id, "us-east-1", behind)
    assert rights(model_id, place(), behind) == arns


@pytest.mark.parametrize(
    ("model_id", "region", "text"),
    [
        (f"eu.{NOVA}", "us-east-1", "may begin with global. or us."),
        (f"us.{NOVA}", "eu-west-1", "may begin with global. or eu."),
        (f"au.{NOVA}", "ap-northeast-1", "apac. or jp."),
        (f"us.{NOVA}", "us-gov-west-1", "may begin with us-gov."),
        (f"global.{NOVA}", "us-gov-west-1", "may begin with us-gov."),
        (f"us-gov.{NOVA}", "us-east-1", "global. or us."),
        (f"{BEDROCK}:inference-profile/eu.{NOVA}", "us-east-1", "can't be called from us-east-1"),
        (f"{BEDROCK}:inference-profile/us.{NOVA}", "us-west-2", "Write an ARN of that region"),
        (model("us-east-1", partition="aws-us-gov"), "us-east-1", "aws-us-gov"),
        (APPLICATION, "us-east-1", "Name the model in model_behind"),
        (f"{BEDROCK}:prompt-router/abc", "us-east-1", "Name the model in model_behind"),
        (f"{BEDROCK}:custom-model/abc", "us-east-1", "custom-model-deployment or provisioned-model"),
        (f"{BEDROCK}:prompt/ABC:1", "us-east-1", "write the id of its model"),
        (f"arn:aws:sagemaker:us-east-1:{ACCOUNT}:endpoint/mine", "us-east-1", "chatbot_function_arn"),
        (f"{BEDROCK}:marketplace/model-endpoint/all-access", "us-east-1", "Write the ARN of one of"),
        (f"arn:aws:lambda:us-east-1:{ACCOUNT}:function/mine", "us-east-1", "Write the ARN of one of"),
        (f"{BEDROCK}:inference-profile/abc", "us-east-1", "application-inference-profile"),
        (f"arn:aws:bedrock:us-east-1::inference-profile/us.{NOVA}", "us-east-1", "a wrong account"),
        (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:foundation-model/{NOVA}", "us-east-1", "a wrong account"),
        ("arn:aws:bedrock:us-east-1:12:provisioned-model/abc123def456", "us-east-1", "a wrong account"),
        ("arn:aws:bedrock", "us-east-1", "no ARN of a model"),
        ("nova-lite", "us-east-1", "no model id"),
        ("amazon.nova lite", "us-east-1", "no model id"),
    ],
)
def test_what_can_not_be_asked_is_refused(model_id, region, text):
    """What the region or the chatbot can't ask is refused with the option's name and what to write instead."""
    with pytest.raises(OptionError, match=re.escape(text)) as refusal:
        load("dev", {"model_id": model_id}, region=region)
    assert "model_id" in str(refusal.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"model_behind": NOVA}, "Leave out model_behind"),
        ({"model_id": APPLICATION, "model_behind": f"eu.{NOVA}"}, "can't be called from us-east-1"),
        ({"model_id": APPLICATION, "model_behind": APPLICATION}, "write the ids of models"),
        ({"model_id": APPLICATION, "model_behind": f"{NOVA},"}, "separated by commas"),
        ({"model_id_complex": f"eu.{NOVA}"}, "model_id_complex"),
        ({"model_id_complex": APPLICATION, "model_behind": NOVA}, "Leave out model_behind"),
        ({"model_id_complex": APPLICATION}, "Name the model in model_behind_complex"),
    ],
)
def test_the_models_behind_an_arn_are_checked(options, text):
    """The models behind an ARN must be given where they are needed, and only there."""
    with pytest.raises(OptionError, match=re.escape(text)):
        load("dev", options)


PRO = "amazon.nova-pro-v1:0"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fallback_model_ids": f"{PRO},"}, "a comma without a model id"),
        ({"fallback_model_ids": NOVA}, f"names {NOVA}, which is model_id itself"),
        ({"fallback_model_ids": f"{PRO}, {PRO}"}, f"names {PRO} more than once"),
        ({"fallback_model_ids": "a.b,a.c,a.d,a.e,a.f"}, "names 5 models. Name at most 4."),
        (
            {
                "fallback_model_ids": PRO,
                "chatbot_function_arn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:x",
            },
            "an existing chatbot function has no fallbacks",
        ),
        ({"model_behind_fallbacks": f"{APPLICATION}={NOVA}"}, "which fallback_model_ids does not name"),
        ({"price_fallbacks_usd_per_million": f"{PRO}=1/2"}, "which fallback_model_ids does not name"),
    ],
)
@pytest.mark.parametrize("env", ["dev", "local"])
def test_fallbacks_that_could_not_be_asked_are_refused(env, options, text):
    """A fallback that is the first model, or named twice, or beside an existing function, is refused everywhere."""
    with pytest.raises(OptionError, match=re.escape(text)):
        load(env, options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"fallback_model_ids": f"{PRO},eu.{NOVA}"}, "fallback_model_ids is invalid"),
        ({"fallback_model_ids": APPLICATION}, "Name the model in model_behind_fallbacks"),
        (
            {"fallback_model_ids": PRO, "model_behind_fallbacks": f"{PRO}={NOVA}"},
            "Leave out model_behind_fallbacks",
        ),
        ({"fallback_model_ids": APPLICATION, "model_behind_fallbacks": NOVA}, "ARN=model id"),
        ({"fallback_model_ids": APPLICATION, "model_behind_fallbacks": f"{APPLICATION}="}, "ARN=model id"),
    ],
)
def test_each_fallback_is_checked_like_the_first_model(options, text):
    """A fallback that the region can't ask, or whose model nobody named, is refused with its option's name."""
    with pytest.raises(OptionError, match=re.escape(text)):
        load("dev", options)


def test_a_file_may_list_the_fallbacks(folder):
    """The fallbacks are a list or one text in a file; an ARN has the models behind it, several if it is repeated."""
    (folder / "dev.toml").write_text(
        f'fallback_model_ids = ["{APPLICATION}", "{PRO}"]\n'
        f'model_behind_fallbacks = ["{APPLICATION}=us.{NOVA}", "{APPLICATION}={PRO}"]\n'
    )
    environment = load_deployed("dev")
    assert environment.chatbot.fallbacks == (APPLICATION, PRO)
    assert environment.model_behind_fallbacks == {APPLICATION: (f"us.{NOVA}", PRO)}
    assert [asked_model for _, asked_model, _ in asked(environment)] == [NOVA, APPLICATION, PRO]


def test_a_fallback_may_be_the_model_for_complex_messages():
    """The model for complex messages may be a fallback of the other one, and is checked and priced once."""
    environment = load("dev", {"model_id_complex": PRO, "fallback_model_ids": PRO})
    assert [asked_model for _, asked_model, _ in asked(environment)] == [NOVA, PRO]


@pytest.mark.parametrize(
    ("region", "model_id"),
    [
        ("us-east-1", NOVA),
        ("us-gov-west-1", NOVA),
        ("us-west-2", f"us.{NOVA}"),
        ("ca-central-1", f"ca.{NOVA}"),
        ("eu-central-1", f"eu.{NOVA}"),
        ("eu-west-2", NOVA),
        ("ap-southeast-2", f"apac.{NOVA}"),
    ],
)
def test_the_default_model_is_spelt_as_its_region_needs(region, model_id):
    """Without an option, the default model answers by the id that works in the region."""
    assert load("dev", region=region).chatbot.model_id == model_id


@pytest.mark.parametrize("region", ["sa-east-1", "me-central-1", "us-gov-east-1", "xx-new-1"])
def test_without_a_default_model_the_option_is_demanded(region):
    """Where the default model does not answer, a deployment without `model_id` is refused."""
    with pytest.raises(OptionError, match=r"Set the option model_id .* or chatbot_function_arn"):
        load("dev", region=region)
    function = f"arn:aws:lambda:{region}:{ACCOUNT}:function:mine"
    assert (
        load("dev", {"chatbot_function_arn": function}, region=region).chatbot.chatbot_function_arn
        == function
    )


def test_default_ids_fit_their_regions():
    """Each default id can be called from the region that it is the default of."""
    regions = {region for region in REGIONS if default_model(region)}
    assert len(regions) > 20
    for region in regions:
        check(str(default_model(region)), region)


REGIONS = [
    f"{area}-{side}-{number}"
    for area in ("us", "us-gov", "ca", "eu", "il", "ap", "sa", "me", "af", "mx")
    for side in ("east", "west", "central", "north", "south", "northeast", "southeast")
    for number in range(1, 8)
]


def test_geographies_lie_in_their_partition():
    """No commercial profile can be called from GovCloud, and no profile of GovCloud from elsewhere."""
    for geography, beginnings in GEOGRAPHIES.items():
        partitions = {partition_of(region) for region in REGIONS if region.startswith(beginnings)}
        assert partitions == {"aws-us-gov" if geography == "us-gov" else "aws"}


def test_rights_name_the_partition():
    """In GovCloud the rights name GovCloud's partition."""
    assert rights(f"us-gov.{CLAUDE}", place("us-gov-west-1")) == [
        f"arn:aws-us-gov:bedrock:us-gov-west-1:{ACCOUNT}:inference-profile/us-gov.{CLAUDE}",
        model("*", CLAUDE, "aws-us-gov"),
    ]


def test_a_files_model_is_checked_in_the_region_of_its_deployment(folder):
    """A model in the file is refused only in the regions that it does not fit."""
    (folder / "dev.toml").write_text(f'model_id = "eu.{NOVA}"\n')
    assert load_deployed("dev", region="eu-west-1").chatbot.model_id == f"eu.{NOVA}"
    with pytest.raises(OptionError, match="us-east-1"):
        load_deployed("dev", region="us-east-1")


def test_the_engine_answers_any_model():
    """On the local engine a model has any name, and no default depends on a region."""
    assert load("local", {"model_id": "llama3.2"}).chatbot.model_id == "llama3.2"
    assert load("local", region="sa-east-1").chatbot.model_id == FAMILY


def test_a_model_error_names_no_option_twice():
    """A refusal of a model behind an ARN is a ModelError whatever its kind."""
    with pytest.raises(ModelError, match="no model id"):
        check(APPLICATION, "us-east-1", ("nova",))
