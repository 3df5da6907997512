"""The spellings of a model: what a model id names, in which regions it can be called, and the rights of a call.

A model id is the id of a foundation model, that of an inference profile (`us.`, `eu.`, `global.` and so on before the
model's id), or the ARN of a resource that answers in the place of a model. Facts about regions are from AWS's
documentation and its lists of models of October 2026.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from infra.regions import partition_of
from services.chatbot.settings import Settings

FAMILY: Final = Settings().model_id
"""The model that answers if no option names another one, by its bare id."""
_DEFAULT: Final[Mapping[str, str]] = {
    region: prefix
    for prefix, regions in (
        ("", "us-east-1 us-gov-west-1 eu-west-2"),
        ("us.", "us-east-2 us-west-1 us-west-2"),
        ("ca.", "ca-central-1 ca-west-1"),
        ("eu.", "eu-central-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-3 il-central-1"),
        ("apac.", "ap-east-2 ap-northeast-1 ap-northeast-2 ap-south-1"),
        (
            "apac.",
            "ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-7",
        ),
    )
    for region in regions.split()
}
GEOGRAPHIES: Final[Mapping[str, tuple[str, ...]]] = {
    "global": ("af-", "ap-", "ca-", "eu-", "il-", "me-", "mx-", "sa-", "us-east-", "us-west-"),
    "us": ("us-east-", "us-west-", "ca-"),
    "us-gov": ("us-gov-",),
    "eu": ("eu-", "il-"),
    "apac": ("ap-",),
    "au": ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"),
    "ca": ("ca-",),
    "in": ("ap-south-",),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
}
"""The prefixes of inference profiles, with the beginnings of the regions that can call them."""

_PROFILE: Final = re.compile(r"(?P<geography>global|apac|us-gov|[a-z]{2})\.(?P<model>[a-z0-9-]+\..+)")
_FOUNDATION_MODEL: Final = re.compile(r"[a-z0-9-]{2,}\.[A-Za-z0-9][A-Za-z0-9._:-]*")
_ARN: Final = re.compile(
    r"arn:(?P<partition>aws[a-z-]*):(?P<service>[a-z-]+):(?P<region>[a-z0-9-]*):(?P<account>[0-9]*):"
    r"(?P<kind>[a-z-]+)/(?P<name>[A-Za-z0-9._:/-]+)"
)
FRONTS: Final = ("application-inference-profile", "prompt-router", "default-prompt-router")
"""Resources that pass a call on to models which their ARN does not name."""
ASKED: Final = (
    "foundation-model",
    "inference-profile",
    *FRONTS,
    "provisioned-model",
    "imported-model",
    "custom-model-deployment",
)
"""Resources that can be asked by their ARN. The last three answer by themselves."""
INSTEAD: Final[Mapping[str, str]] = {
    "custom-model": "A custom model answers through a deployment or provisioned throughput: write the ARN of its "
    "custom-model-deployment or provisioned-model",
    "prompt": "A managed prompt brings its own messages, which the chatbot replaces: write the id of its model",
    "endpoint": "Models of Amazon Bedrock Marketplace run on SageMaker endpoints, which the chatbot's role does not "
    "cover: write another model, or set chatbot_function_arn to a function of yours that asks the endpoint",
}
"""What to write instead of an ARN of a resource that the chatbot can't ask."""


class ModelError(Exception):
    """A model id can't be used. The text says why and what to write instead, without the option's name."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a call is made from; each part may be a CDK token. `region` is part of a foundation model's ARN."""

    partition: str
    region: str
    account: str


def default_model(region: str) -> str | None:
    """Return the id by which `FAMILY` answers in `region`, or None if no id does."""
    prefix = _DEFAULT.get(region)
    return None if prefix is None else f"{prefix}{FAMILY}"


def parsed_arn(model_id: str) -> re.Match[str] | None:
    return _ARN.fullmatch(model_id)


def profile_of(model_id: str) -> tuple[str, str] | None:
    """Return the geography and the model of an inference profile's id; None for another id."""
    match = _PROFILE.fullmatch(model_id)
    return (match["geography"], match["model"]) if match else None


def answering(model_id: str, behind: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the ids of the foundation models that answer; none for a resource that answers by itself."""
    arn = parsed_arn(model_id)
    own = arn is None or arn["kind"] in ("foundation-model", "inference-profile")
    names = (arn["name"] if arn else model_id,) if own else behind
    return tuple(profile[1] if (profile := profile_of(name)) else name for name in names)


def needs_behind(model_id: str) -> bool:
    """Whether the models that answer must be named, because the ARN does not."""
    arn = parsed_arn(model_id)
    return bool(arn and arn["kind"] in FRONTS)


def check(model_id: str, region: str, behind: tuple[str, ...] = (), *, behind_option: str = "") -> None:
    """Check that `model_id` can be asked from `region`. Raises ModelError.

    `behind` names the models behind it, as the option `behind_option` says.
    """
    name = _checked_arn(model_id, region) if model_id.startswith("arn:") else model_id
    if profile := profile_of(name):
        _check_geography(profile[0], region)
    elif name == model_id and not _FOUNDATION_MODEL.fullmatch(model_id):
        raise ModelError(
            f"{model_id!r} is no model id. Write one like {FAMILY}, a profile's like us.{FAMILY}, or an ARN"
        )
    if behind and not needs_behind(model_id):
        raise ModelError(f"{model_id} names its model itself. Leave out {behind_option}")
    if needs_behind(model_id) and not behind:
        raise ModelError(
            f"{model_id} does not say which model answers, and a call needs the right on that model, too. Name the "
            f"model in {behind_option}"
        )
    for model in behind:
        if model.startswith("arn:"):
            raise ModelError(f"{model} is an ARN. In {behind_option}, write the ids of models")
        check(model, region)


def _checked_arn(model_id: str, region: str) -> str:
    """Return the name in an ARN that can be asked from `region`."""
    arn = parsed_arn(model_id)
    if arn is None:
        raise ModelError(f"{model_id} is no ARN of a model. Copy the ARN from the Amazon Bedrock console")
    if arn["kind"] in INSTEAD:
        raise ModelError(f"{model_id} can't be asked. {INSTEAD[arn['kind']]}")
    if arn["service"] != "bedrock" or arn["kind"] not in ASKED:
        raise ModelError(f"{model_id} can't be asked. Write the ARN of one of: {', '.join(ASKED)}")
    if len(arn["account"]) != (0 if arn["kind"] == "foundation-model" else 12):
        raise ModelError(f"{model_id} has a wrong account. Copy the ARN from the Amazon Bedrock console")
    if (arn["partition"], arn["region"]) != (partition_of(region), region):
        raise ModelError(
            f"{model_id} belongs to {arn['region'] or 'no region'} ({arn['partition']}), but the environment is "
            f"deployed to {region} ({partition_of(region)}). Write an ARN of that region"
        )
    if arn["kind"] == "inference-profile" and not profile_of(arn["name"]):
        raise ModelError(
            f"{model_id} names no model. A profile of yours has an ARN with application-inference-profile"
        )
    return arn["name"]


def _check_geography(geography: str, region: str) -> None:
    callers = GEOGRAPHIES.get(geography)
    if callers is None or region.startswith(callers):  # AWS may have added a geography
        return
    fitting = [name for name, beginnings in GEOGRAPHIES.items() if region.startswith(beginnings)]
    raise ModelError(
        f"Inference profiles with the prefix {geography}. can't be called from {region}. There, a profile's id may "
        f"begin with {' or '.join(f'{name}.' for name in fitting) or 'no prefix'}"
    )


def rights(model_id: str, place: Place, behind: tuple[str, ...] = ()) -> list[str]:
    """Return the ARNs on which a call of a checked `model_id` needs the right.

    A call through a profile needs it on the profile and on the foundation model in each region that the profile may
    choose. These regions differ by model and caller, and AWS adds some, so that a geography's are written as `*`.
    """
    arn = parsed_arn(model_id)
    if arn is None:
        if profile := profile_of(model_id):
            own = f"arn:{place.partition}:bedrock:{place.region}:{place.account}:inference-profile/{model_id}"
            return [own, *_routed(*profile, place)]
        return [_foundation_model(model_id, place, place.region)]
    if arn["kind"] == "inference-profile":
        profile = profile_of(arn["name"])
        return [model_id, *(_routed(*profile, place) if profile else ())]
    if arn["kind"] == "application-inference-profile":
        # A copy of a geography's profile needs no right on that profile itself.
        return [model_id, *(right for model in behind for right in _models(model, place))]
    return [model_id, *(right for model in behind for right in rights(model, place))]


def _models(model_id: str, place: Place) -> list[str]:
    profile = profile_of(model_id)
    return _routed(*profile, place) if profile else [_foundation_model(model_id, place, place.region)]


def _routed(geography: str, model: str, place: Place) -> list[str]:
    """Return the foundation models of a profile. A global one is checked here, and then without any region."""
    if geography == "global":
        return [_foundation_model(model, place, place.region), _foundation_model(model, place, "")]
    return [_foundation_model(model, place, "*")]


def _foundation_model(model_id: str, place: Place, region: str) -> str:
    return f"arn:{place.partition}:bedrock:{region}::foundation-model/{model_id}"
