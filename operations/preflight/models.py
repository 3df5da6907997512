"""Checks of the models: whether the account may ask them, and whether their cost can be counted."""

import msgspec

from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.models import GEOGRAPHIES, answering, parsed_arn, profile_of
from infra.pricing import asked, behind_option, unpriced
from infra.prompt_caching import cached_models
from operations.preflight.calls import AbsentError, UnknownError, ask, part
from operations.preflight.intent import Intended
from services.chatbot.backends import remedy
from services.chatbot.core import converse_request
from shared.contracts.v1 import ChatRequested

SUBSCRIBE = (
    "With credentials that may subscribe in AWS Marketplace (aws-marketplace:Subscribe), run this check with "
    "--call-model, or ask the model in the Bedrock console's playground. Claude also needs Anthropic's form on the "
    "use case, which the console shows."
)
PROFILES = "aws bedrock list-inference-profiles"


def access(intended: Intended) -> Result:
    """Check each model that the chatbot asks, or the existing chatbot function."""
    if function := intended.environment.chatbot.chatbot_function_arn:
        yield from _function(intended, function)
    for option, model_id, behind in asked(intended.environment):
        try:
            yield from _model(intended, option, model_id, behind)
        except UnknownError as error:
            yield Skipped(f"{model_id}: {error}")


def _function(intended: Intended, arn: str) -> Result:
    try:
        state = part(ask(intended.target, "lambda", "get_function_configuration", FunctionName=arn), "State")
    except AbsentError as error:
        yield Problem(
            where="chatbot_function_arn",
            what=f"{arn}: {error}",
            fix="Correct the ARN, or create the function.",
        )
        return
    if state in (None, "Active", "Inactive"):  # an inactive function wakes up when it is called
        yield Passed(f"function {arn.rpartition(':')[2]}")
    else:
        yield Problem(
            where="chatbot_function_arn", what=f"{arn} is in the state {state}.", fix="Repair the function."
        )


def _model(intended: Intended, option: str, model_id: str, behind: tuple[str, ...]) -> Result:
    arn, models = parsed_arn(model_id), answering(model_id, behind)
    is_profile = bool(profile_of(model_id) or (arn and arn["kind"].endswith("inference-profile")))
    try:
        if is_profile:
            yield from _profile(intended, option, model_id, behind)
        elif arn is None or arn["kind"] == "foundation-model":
            yield from _foundation_model(intended, option, models[0])
        elif not intended.call_model:
            yield Skipped(f"{arn['kind']}/{arn['name']}: only --call-model shows whether it answers.")
    except AbsentError as error:
        lists = f"`{PROFILES}`" if is_profile else f"`aws bedrock list-foundation-models` or `{PROFILES}`"
        yield Problem(
            where=f"{option} = {model_id}",
            what=f"There is no such {'inference profile' if is_profile else 'model'} in {intended.target.region}: "
            f"{error}",
            fix=f"Write one that {lists} lists.",
        )
        return
    for model in models:
        yield from _availability(intended, option, model, here=models == (model_id,))
    if intended.call_model:
        yield from _called(intended, option, model_id)


def _profile(intended: Intended, option: str, model_id: str, behind: tuple[str, ...]) -> Result:
    answer = ask(intended.target, "bedrock", "get_inference_profile", inferenceProfileIdentifier=model_id)
    listed, status = answer.get("models") or [], answer.get("status")
    models = {str(part(model, "modelArn")).rpartition("/")[2] for model in listed if part(model, "modelArn")}
    named = set(answering(model_id, behind))
    behind_of = behind_option(option)
    if status != "ACTIVE":
        yield Problem(
            where=f"{option} = {model_id}",
            what=f"The inference profile's status is {status}.",
            fix=f"Write one that `{PROFILES}` lists as ACTIVE.",
        )
    elif behind and models and models != named:
        yield Problem(
            where=behind_of,
            what=f"Behind {model_id} is {', '.join(sorted(models))}, not {', '.join(sorted(named))}.",
            fix=f"Set {behind_of} to the id of that model; if the profile covers several regions, with the "
            "prefix of their geography.",
            why="The chatbot has no right on the model that answers, and its calls are denied.",
        )
    elif behind and len(listed) > 1 and not any(profile_of(name) for name in behind):
        yield Problem(
            where=behind_of,
            what=f"{model_id} covers {len(listed)} regions, but {', '.join(behind)} names this region only.",
            fix=f"Write the model in {behind_of} with the prefix of the geography, e.g. us.{behind[0]}.",
            why="The chatbot has no right on the model in the other regions, and its calls there are denied.",
        )
    else:
        yield Passed(f"profile {model_id.rpartition('/')[2]}, {len(listed)} regions")


def _foundation_model(intended: Intended, option: str, model: str) -> Result:
    details = ask(intended.target, "bedrock", "get_foundation_model", modelIdentifier=model).get(
        "modelDetails"
    )
    kinds = part(details, "inferenceTypesSupported")
    if isinstance(kinds, list) and kinds and "ON_DEMAND" not in kinds:
        fitting = [name for name, begin in GEOGRAPHIES.items() if intended.target.region.startswith(begin)]
        example = (fitting[1:] or fitting or ["us"])[0]  # the first one is `global`, except in GovCloud
        yield Problem(
            where=f"{option} = {model}",
            what=f"In {intended.target.region} the model does not answer by its bare id, only through an inference "
            "profile or provisioned throughput.",
            fix=f"Set {option} to a profile's id, e.g. {example}.{model} (`{PROFILES}` lists them).",
        )
    if part(details, "modelLifecycle", "status") == "LEGACY":
        yield Problem(
            where=f"{option} = {model}",
            what="The model is LEGACY: AWS will end it.",
            fix="Plan the change to a newer model.",
            severity="warning",
        )


def _availability(intended: Intended, option: str, model: str, *, here: bool) -> Result:
    """Check the account's access to a model. `here`: the model itself must be in this region."""
    try:
        answer = ask(intended.target, "bedrock", "get_foundation_model_availability", modelId=model)
    except AbsentError as error:
        yield Skipped(f"access to {model}: {error}")
        return
    agreement = part(answer, "agreementAvailability", "status")
    lacking = [
        text
        for text, wrong in (
            ("the caller is not authorized", answer.get("authorizationStatus") == "NOT_AUTHORIZED"),
            ("the account is not entitled to it", answer.get("entitlementAvailability") == "NOT_AVAILABLE"),
            ("it is not in this region", here and answer.get("regionAvailability") == "NOT_AVAILABLE"),
            ("the account has no agreement on it", agreement in ("NOT_AVAILABLE", "ERROR")),
        )
        if wrong
    ]
    if lacking:
        yield Problem(
            where=f"{option}: {model}", what=f"The model can't be asked: {', '.join(lacking)}.", fix=SUBSCRIBE
        )
    elif agreement == "PENDING":
        yield Problem(
            where=f"{option}: {model}",
            what="The subscription to the model is being made. Its first calls may succeed and later ones be denied.",
            fix="Wait 15 minutes, then check again.",
            severity="warning",
        )
    elif agreement == "AVAILABLE":
        yield Passed(f"access to {model}")
    else:
        yield Skipped(f"access to {model}: AWS does not tell it.")


def _called(intended: Intended, option: str, model_id: str) -> Result:
    """Ask the model for one token as the chatbot would, but with the caller's rights and without the guardrail."""
    settings = msgspec.structs.replace(
        intended.environment.chatbot,
        model_id=model_id,
        max_tokens=1,
        guardrail_id=None,
        cached_models=",".join(cached_models(intended.environment)),
    )
    parameters = converse_request(settings, ChatRequested(user_message="Hi"))
    try:
        ask(intended.target, "bedrock-runtime", "converse", **parameters)
    except (AbsentError, UnknownError) as error:
        yield Problem(
            where=f"{option} = {model_id}",
            what=f"It was asked and did not answer: {error}",
            fix=remedy(str(error), parameters) or SUBSCRIBE,
        )
    else:
        yield Passed(f"{model_id.rpartition('/')[2]} answers")


def price(intended: Intended) -> Result:
    """Check that the cost of a run can be counted: an error if there is a budget."""
    missing = unpriced(intended.environment, intended.day)
    budget = intended.environment.budget_usd_per_day
    for sentence in missing:
        what, _, fix = sentence.partition(". ")
        yield Problem(
            where=intended.target.region,
            what=f"{what}.",
            fix=fix,
            why="The daily budget would stop nothing." if budget else "",
            severity="error" if budget else "warning",
        )
    if not missing:
        region = intended.environment.prices_of or intended.environment.region
        yield Passed(f"prices of {region}")
