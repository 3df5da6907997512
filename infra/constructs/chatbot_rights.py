"""The chatbot's settings as environment variables, and the rights that they require."""

import re

import msgspec
from aws_cdk import Stack

from infra.constructs.data_table import data_table
from infra.constructs.service_function import ServiceFunction
from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names
from services.chatbot.settings import Settings

_PROFILE = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|sa|global)\.(?P<model>.+)$")


def variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables from which `Settings` is read; unset settings are left out."""
    return {
        name.upper(): str(value)
        for name, value in msgspec.structs.asdict(settings).items()
        if value is not None
    }


def model_arns(stack: Stack, model_id: str) -> list[str]:
    """Return the ARNs on which `bedrock:InvokeModel` must be allowed for a model id.

    A plain id is a foundation model of this region. An id with a geographic prefix is an inference profile of this
    account, which routes each call to the foundation model in some region of its geography. An ARN is returned as it
    is.
    """
    if model_id.startswith("arn:"):
        return [model_id]
    if profile := _PROFILE.fullmatch(model_id):
        return [
            stack.format_arn(service="bedrock", resource="inference-profile", resource_name=model_id),
            _foundation_model(stack, profile["model"], region="*"),
        ]
    return [_foundation_model(stack, model_id, region=stack.region)]


def _foundation_model(stack: Stack, model_id: str, *, region: str) -> str:
    return f"arn:{stack.partition}:bedrock:{region}::foundation-model/{model_id}"


def allow_chatbot(service: ServiceFunction, environment: Environment) -> None:
    """Give the chatbot its settings, its table of answers, and the right to call what the settings name.

    That is either the models or an existing chatbot function.
    """
    answers = data_table(
        service,
        "Answers",
        name=Names(environment.name).answers_table,
        key="id",
        expires="expiration",
        environment=environment,
    )
    service.allow(
        "StoreAnswers",
        [f"dynamodb:{action}" for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem")],
        [answers.table_arn],
    )
    settings = msgspec.structs.replace(
        environment.chatbot,
        answers_table=answers.table_name,
        timeout_seconds=environment.sizing_of("chatbot").timeout_seconds,
    )
    for name, value in variables(settings).items():
        service.function.add_environment(name, value)
    if settings.chatbot_function_arn:
        service.allow("AskTheExistingFunction", ["lambda:InvokeFunction"], [settings.chatbot_function_arn])
    else:
        _allow_models(service, environment)


def _allow_models(service: ServiceFunction, environment: Environment) -> None:
    stack, settings = Stack.of(service), environment.chatbot
    models = [model for model in (settings.model_id, settings.model_id_complex) if model]
    arns = [_foundation_model(stack, "*", region="*")]
    reason = "The local engine cannot distinguish the ids of models; its models cost nothing."
    if environment.iam.models_by_arn:
        arns = list(dict.fromkeys(arn for model in models for arn in model_arns(stack, model)))
        reason = "The inference profile chooses the region within its geography; the model is named."
    service.allow("AskTheModel", [environment.iam.converse_action], arns)
    for arn in arns:
        if ":bedrock:*:" in arn:
            shown = f"arn:<AWS::Partition>:bedrock:*::foundation-model/{arn.rpartition('/')[2]}"
            acknowledge(service, f"AwsSolutions-IAM5[Resource::{shown}]", reason)
    if settings.guardrail_id:
        service.allow(
            "ApplyTheGuardrail",
            ["bedrock:ApplyGuardrail"],
            [
                settings.guardrail_id
                if settings.guardrail_id.startswith("arn:")
                else stack.format_arn(
                    service="bedrock", resource="guardrail", resource_name=settings.guardrail_id
                )
            ],
        )
