"""The API in its template: who may call what, what is checked before its function runs, and its state."""

import json

import pytest

from infra.contract_schemas import request_model
from infra.rules import resources, statements
from infra.tests.support import policy, variables

pytestmark = [pytest.mark.synth, pytest.mark.xdist_group("synth")]


def paths(statement):
    """Return stage, method and path of each of the API's methods that a statement names."""
    arns = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
    return {arn["Fn::Join"][1][-1] for arn in arns}


def test_a_body_is_checked_before_the_function_runs(dev):
    """API Gateway checks a POST's JSON body with the contract's model; other content types reach the function."""
    template = dev["ai-pipeline-dev-trigger"]
    (validator,) = resources(template, "AWS::ApiGateway::RequestValidator").values()
    ((model_id, model),) = resources(template, "AWS::ApiGateway::Model").items()
    assert validator["ValidateRequestBody"] is True
    assert (model["ContentType"], model["Schema"]) == ("application/json", request_model())
    methods = {
        method["HttpMethod"]: method for method in resources(template, "AWS::ApiGateway::Method").values()
    }
    assert methods["POST"]["RequestModels"] == {"application/json": {"Ref": model_id}}
    assert "RequestValidatorId" in methods["POST"]
    assert "RequestValidatorId" not in methods["GET"]
    (deployment,) = [
        resource
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ApiGateway::Deployment"
    ]
    assert model_id in deployment["DependsOn"]


def test_a_changed_model_is_deployed(synthesised, dev, monkeypatch):
    """A changed model makes a new deployment of the API, without which API Gateway would use the old model."""

    def deployments(templates):
        return set(resources(templates["ai-pipeline-dev-trigger"], "AWS::ApiGateway::Deployment"))

    monkeypatch.setattr(
        "infra.constructs.pipeline_api.request_model", lambda: {**request_model(), "maxProperties": 7}
    )
    assert deployments(synthesised("dev", only="trigger", model="other")).isdisjoint(deployments(dev))


def test_a_caller_may_use_the_api_and_nothing_else(dev):
    """The policy for callers allows the API's methods on its stage, and nothing else."""
    (statement,) = policy(dev["ai-pipeline-dev-trigger"], "ai-pipeline-dev-api-caller")
    assert statement["Action"] == "execute-api:Invoke"
    assert paths(statement) == {
        "/v1/POST/pipeline", "/v1/GET/pipeline/*", "/v1/DELETE/pipeline/*", "/v1/GET/pipelines",
    }  # fmt: skip


def test_only_operators_may_read_any_run(dev):
    """The route that shows any run is allowed by the API's policy for operators, which allows nothing else."""
    template = dev["ai-pipeline-dev-trigger"]
    (statement,) = policy(template, "ai-pipeline-dev-api-operator")
    assert statement["Action"] == "execute-api:Invoke"
    assert paths(statement) == {"/v1/GET/operator/pipeline/*"}
    (method,) = [
        method
        for method in resources(template, "AWS::ApiGateway::Method").values()
        if method["HttpMethod"] == "GET"
        and "operatorpipelinepipelineid" in json.dumps(method["ResourceId"]).lower()
    ]
    assert method["AuthorizationType"] == "AWS_IAM"


def test_the_api_keeps_its_state_apart_from_records(dev):
    """The API may read and write the items of a table that holds no records, and whose counts expire."""
    (statement,) = [
        statement
        for statement in statements(dev["ai-pipeline-dev-trigger"])
        if statement.get("Sid") == "KeepItsState"
    ]
    assert set(statement["Action"]) == {f"dynamodb:{name}Item" for name in ("Get", "Put", "Update")}
    assert json.dumps(statement["Resource"]).endswith(':table/ai-pipeline-dev-state"]]}]')
    settings = variables(dev["ai-pipeline-dev-trigger"], "ai-pipeline-dev-api")
    assert (settings["STATE_TABLE"], settings["MAX_WAITING"]) == ("ai-pipeline-dev-state", "2")
    (table,) = [
        table
        for table in resources(dev["ai-pipeline-dev-platform"], "AWS::DynamoDB::GlobalTable").values()
        if table["TableName"] == "ai-pipeline-dev-state"
    ]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


@pytest.mark.parametrize(("name", "rate"), [("dev", 40), ("prod", 200)])
def test_the_throttle_is_near_the_intended_rate(synthesised, name, rate):
    """The stage admits four calls for each intended run, and two seconds' worth at once."""
    (stage,) = resources(synthesised(name)[f"ai-pipeline-{name}-trigger"], "AWS::ApiGateway::Stage").values()
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (rate, 2 * rate)


def test_the_address_of_the_api_is_ready_to_use(synthesised):
    """The API's address is that of its stage on AWS, and a loopback address on the engine."""
    for name, options, start, end in (
        ("dev", {}, "https://", "/v1"),
        (
            "local",
            {"engine": "http://127.0.0.1:4999/"},
            "http://127.0.0.1:4999/restapis/",
            "/v1/_user_request_",
        ),
    ):
        template = synthesised(name, **options)[f"ai-pipeline-{name}-trigger"]
        (url,) = [
            parameter["Value"]["Fn::Join"][1]
            for parameter in resources(template, "AWS::SSM::Parameter").values()
            if parameter["Name"].endswith("api/url")
        ]
        assert url[0] == start
        assert url[-1].endswith(end)


def test_errors_of_the_gateway_read_like_the_apis_own(dev):
    """API Gateway's own errors have the API's format, and browsers of the allowed origin can read them."""
    for response in resources(dev["ai-pipeline-dev-trigger"], "AWS::ApiGateway::GatewayResponse").values():
        template = response["ResponseTemplates"]["application/json"]
        filled = template.replace("$context.error.messageString", '"Forbidden"')
        error = json.loads(filled)["error"]
        bad_body = response["ResponseType"] == "BAD_REQUEST_BODY"
        assert error["code"] == ("invalid_request" if bad_body else "$context.error.responseType")
        assert error["message"]
        assert response["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"] == "'*'"
