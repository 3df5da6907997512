"""An AWS account whose answers a test chooses: botocore's own clients, which check each call against AWS's model."""

import os
from functools import cache
from typing import Any, ClassVar

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from botocore.validate import validate_parameters

from operations.target import Target

ACCOUNT = "111122223333"
ENDPOINT = "AWS_ENDPOINT_URL"
ERRORS = {
    "denied": ("AccessDeniedException", 403),
    "throttled": ("ThrottlingException", 429),
    "broken": ("InternalServerException", 500),
}


class Refusal:
    """An error as the answer to a call."""

    def __init__(self, code: str, status: int = 400, text: str = "No.") -> None:
        self.code, self.status, self.text = code, status, text


def refusal(kind: str) -> Any:
    """Return the answer of a service that is `denied`, `throttled`, `broken`, `unreachable`, or answers `garbage`."""
    if kind == "unreachable":
        return EndpointConnectionError(endpoint_url="https://aws.example")
    return {} if kind == "garbage" else Refusal(*ERRORS[kind])


def quota(name: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "Value": value}


@cache
def _session(region: str) -> Any:
    session = botocore.session.Session()
    session.set_credentials("AKIAFAKE", "secret")
    session.set_config_variable("region", region)
    return session


@cache
def _client(service: str, region: str) -> Any:
    """Return a client that sends nothing; making one takes a while, so that all accounts share it."""
    client = _session(region).create_client(service)
    client.meta.events.register("before-call", _answered)
    return client


def _answered(**call: Any) -> Any:
    return FakeAccount.asked.answered(**call)


class FakeAccount(Target):
    """A target in AWS. `answers` maps the name of an operation to its answer, or to a list of its answers in turn."""

    asked: ClassVar["FakeAccount"]
    """The account whose client was fetched last."""

    def __init__(self, env: str = "dev", region: str = "us-east-1", **answers: Any) -> None:
        super().__init__(env=env, session=_session(region))
        self._region = region
        self.answers = {**healthy(region), **answers}
        self.calls: list[str] = []

    def client(self, service: str) -> Any:
        FakeAccount.asked = self
        # What the environment says of an endpoint is read when a client is made.
        return _client(service, self._region) if not os.environ.get(ENDPOINT) else super().client(service)

    def answered(self, model: Any, **_: Any) -> Any:
        self.calls.append(model.name)
        answer = self.answers[model.name]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Refusal):
            error = {"Code": answer.code, "Message": answer.text}
            parsed = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": answer.status}}
            return AWSResponse("https://aws.example", answer.status, {}, None), parsed
        if answer:  # an empty answer stands for one that lacks what the model promises
            validate_parameters(answer, model.output_shape)
        return AWSResponse("https://aws.example", 200, {}, None), answer


def healthy(region: str) -> dict[str, Any]:
    """Return the answers of an account that is ready, with Nova Lite as the model."""
    return {
        "GetCallerIdentity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/me", "UserId": "U"},
        "GetParameter": {"Parameter": {"Name": "version", "Value": "30"}},
        "DescribeStacks": {"Stacks": [stack("UPDATE_COMPLETE")]},
        "GetPolicy": {"Policy": {"PolicyName": "Boundary"}},
        "GetAccount": {"cloudwatchRoleArn": f"arn:aws:iam::{ACCOUNT}:role/logs", "throttleSettings": {}},
        "GetRegionOptStatus": {"RegionName": region, "RegionOptStatus": "ENABLED_BY_DEFAULT"},
        "GetAccountSettings": concurrency(5_000),
        "GetFoundationModel": {"modelDetails": foundation_model("ON_DEMAND")},
        "GetInferenceProfile": inference_profile("us.amazon.nova-lite-v1:0", "us-east-1", "us-west-2"),
        "GetFoundationModelAvailability": availability(),
        "Converse": {
            "output": {"message": {"role": "assistant", "content": [{"text": "H"}]}},
            "stopReason": "max_tokens",
            "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
            "metrics": {"latencyMs": 1},
        },
        "GetFunctionConfiguration": {"State": "Active"},
        "ListServiceQuotas": [
            {
                "Quotas": [
                    quota("StartExecution throttle token refill rate per second", 300),
                    quota("SendTaskSuccess throttle token refill rate per second", 500),
                ],
                "NextToken": "more",
            },
            {"Quotas": [quota("StateTransition throttle token refill rate per second", 5_000)]},
            {
                "Quotas": [
                    quota("PutEvents throttle limit in transactions per second", 10_000),
                    quota("Invocations throttle limit in transactions per second", 18_750),
                ]
            },
        ],
        "GetServiceQuota": {"Quota": quota("tokens", 4_000_000)},
    }


def stack(status: str) -> dict[str, Any]:
    return {"StackName": "CDKToolkit", "CreationTime": "2026-11-01T00:00:00Z", "StackStatus": status}


def concurrency(limit: int) -> dict[str, Any]:
    return {"AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": limit}}


def foundation_model(*kinds: str, status: str = "ACTIVE") -> dict[str, Any]:
    return {
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
        "modelId": "amazon.nova-lite-v1:0",
        "inferenceTypesSupported": list(kinds),
        "modelLifecycle": {"status": status},
    }


def inference_profile(profile_id: str, *regions: str, model: str = "amazon.nova-lite-v1:0") -> dict[str, Any]:
    return {
        "inferenceProfileName": "a profile",
        "inferenceProfileArn": f"arn:aws:bedrock:us-east-1:{ACCOUNT}:inference-profile/{profile_id}",
        "inferenceProfileId": profile_id,
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{model}"} for region in regions],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def availability(agreement: str = "AVAILABLE", **changes: str) -> dict[str, Any]:
    return {
        "modelId": "amazon.nova-lite-v1:0",
        "agreementAvailability": {"status": agreement},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE",
        "regionAvailability": "AVAILABLE",
        **changes,
    }
