"""The chatbot's settings as environment variables, and the rights that they require."""

import msgspec
from aws_cdk import Stack

from infra.constructs.data_table import data_table
from infra.constructs.service_function import ServiceFunction
from infra.environments import Environment
from infra.models import Place, rights
from infra.nag import acknowledge
from infra.names import Names
from infra.pricing import asked
from infra.prompt_caching import cached_models
from services.chatbot.settings import Settings
from shared.settings import OFF
from shared.texts import PREFIX


def variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables from which `Settings` is read; those that are None by default are left out."""
    return {
        field.name.upper(): OFF if value in (None, "") else str(value)
        for field in msgspec.structs.fields(settings)
        if (value := getattr(settings, field.name)) is not None or field.default is not None
    }


def model_arns(stack: Stack, model_id: str, behind: tuple[str, ...] = ()) -> list[str]:
    """Return the ARNs on which `bedrock:InvokeModel` must be allowed for a checked model id."""
    return rights(model_id, _place(stack), behind)


def _place(stack: Stack) -> Place:
    return Place(partition=stack.partition, region=stack.region, account=stack.account)


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
        cached_models=",".join(cached_models(environment)) or None,
        timeout_seconds=environment.sizing_of("chatbot").timeout_seconds,
    )
    service.set(variables(settings))
    if settings.chatbot_function_arn:
        service.allow("AskTheExistingFunction", ["lambda:InvokeFunction"], [settings.chatbot_function_arn])
    else:
        _allow_models(service, environment)


def allow_texts(service: ServiceFunction, environment: Environment, *actions: str) -> None:
    """Let a service read (`GetItem`), or also store (`PutItem`), the long texts in the chatbot's table of answers."""
    names = Names(environment.name)
    texts = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{PREFIX}*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    service.set({"ANSWERS_TABLE": names.answers_table})
    service.allow(
        "UseLongTexts",
        [f"dynamodb:{action}" for action in actions],
        [
            Stack.of(service).format_arn(
                service="dynamodb", resource="table", resource_name=names.answers_table
            )
        ],
        texts if environment.iam.items_by_key else None,
    )


def _allow_models(service: ServiceFunction, environment: Environment) -> None:
    stack, settings = Stack.of(service), environment.chatbot
    arns = [f"arn:{stack.partition}:bedrock:*::foundation-model/*"]
    reason = "The local engine cannot distinguish the ids of models; its models cost nothing."
    if environment.iam.models_by_arn:
        named = [model_arns(stack, model_id, behind) for _, model_id, behind in asked(environment)]
        arns = list(dict.fromkeys(arn for model in named for arn in model))
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
