"""The step `denied-model`: the chatbot's role may call the models of its settings and no other.

No request can name a model, and the role trusts Lambda alone, so that no act can try another model without changing
the deployment. IAM's simulator says what it would decide; that the model of the settings is allowed, a run proves.
"""

from collections.abc import Iterator

from infra.names import Names
from operations.aws_errors import translated
from operations.errors import DeniedError
from operations.smoke.forging import function_configuration
from operations.smoke.trial import Trial
from operations.smoke.verdicts import Check, failed, not_possible, passed

ACTION = "bedrock:InvokeModel"
"""The right that Bedrock's Converse needs."""
MODEL_SETTINGS = ("MODEL_ID", "MODEL_ID_COMPLEX", "FALLBACK_MODEL_IDS")
MODELS = (
    "smoke.no-such-model-v1:0",
    "anthropic.claude-opus-4-1-20250805-v1:0",
    "amazon.nova-premier-v1:0",
)
"""A model that nobody can have named, and costly ones. The simulator does not ask whether they exist."""


def denied_model(trial: Trial) -> Iterator[Check]:
    subject, target = "other models", trial.target
    if not target.is_aws:
        yield not_possible(
            subject, "The local engine cannot distinguish the ids of models; its models cost nothing."
        )
        return
    try:
        configuration = function_configuration(target, Names(target.env).function("chatbot"))
        role, own = str(configuration["Role"]), configuration.get("Environment", {}).get("Variables", {})
        configured = " ".join(str(own.get(name, "")) for name in MODEL_SETTINGS)
        others = [model for model in MODELS if model not in configured]
        partition = role.split(":")[1]
        allowed = []
        for model in others:
            with translated("ask IAM's simulator"):
                answer = target.client("iam").simulate_principal_policy(
                    PolicySourceArn=role,
                    ActionNames=[ACTION],
                    ResourceArns=[f"arn:{partition}:bedrock:{target.region}::foundation-model/{model}"],
                )
            if answer["EvaluationResults"][0]["EvalDecision"] == "allowed":
                allowed.append(model)
    except DeniedError as error:
        yield not_possible(subject, f"The caller may not ask IAM's simulator. {error}")
        return
    if allowed:
        yield failed(
            subject,
            f"The chatbot's role may also call {', '.join(allowed)}.",
            fix="Compare its statement AskTheModel with infra/constructs/chatbot_rights.py, look for other policies "
            "of the role, and deploy the chatbot again.",
            evidence="simulation",
        )
    else:
        yield passed(
            subject,
            f"IAM denies the chatbot's role each of {', '.join(others)}.",
            evidence="simulation",
        )
