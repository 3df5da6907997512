"""The REST API: its methods for signed callers, CORS for browsers, and errors in the API's own format."""

import json
from typing import Any, cast

from aws_cdk import Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.service_function import log_group
from infra.contract_schemas import request_model
from infra.environments import API_STAGE as STAGE
from infra.environments import Environment
from infra.nag import acknowledge
from infra.names import Names
from shared.contracts import limits

ALLOWED_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Prefer",
    "X-Amz-Content-Sha256",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "traceparent",
)
# Only this variable holds the message as a JSON string with its quotes.
_ERROR_BODY = '{"error": {"code": "$context.error.responseType", "message": $context.error.messageString}}'
# API Gateway's own error, which names the place, cannot be used here: its quotes would not be escaped.
_BAD_BODY = json.dumps(
    {
        "error": {
            "code": "invalid_request",
            "message": (
                'The request body does not match its schema. Send {"user_message": "…"} with 1 to '
                f'{limits.MESSAGE_CHARS:,} characters, not blank, or {{"messages": […]}}, and no other field.'
            ),
        }
    }
)
_LOG_POLICY = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "path": "$context.resourcePath",
    "status": "$context.status",
    "caller": "$context.identity.userArn",
    "latency_ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "error": "$context.error.responseType",
    "trace": "$context.xrayTraceId",
}


class PipelineApi(Construct):
    """The HTTP API. `url` is its address without a final slash: requests are posted to `<url>/pipeline`.

    `caller` is a managed policy for principals that may call the API, `operator` one for those who may read any run.
    """

    def __init__(self, scope: Construct, *, handler: lambda_.IFunction, environment: Environment) -> None:
        super().__init__(scope, "PipelineApi")
        name = Names(environment.name).api
        group = log_group(self, "AccessLogs", f"/aws/apigateway/{name}", environment)
        self.rest_api = apigateway.RestApi(
            self,
            "Rest",
            rest_api_name=name,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=environment.api_account_role,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                tracing_enabled=environment.xray,
                # Metrics of single methods are paid for, and the API's own metrics suffice.
                metrics_enabled=False,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                throttling_rate_limit=environment.throttle.rate,
                throttling_burst_limit=environment.throttle.burst,
                access_log_destination=apigateway.LogGroupLogDestination(group),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
            default_method_options=apigateway.MethodOptions(
                authorization_type=apigateway.AuthorizationType.IAM
            ),
        )
        self._keep_execution_logs(environment)
        integration = apigateway.LambdaIntegration(handler, proxy=True, allow_test_invoke=False)
        collection = self.rest_api.root.add_resource("pipeline")
        item = collection.add_resource("{pipeline_id}")
        listing = self.rest_api.root.add_resource("pipelines")
        any_item = self.rest_api.root.resource_for_path("/operator/pipeline/{pipeline_id}")
        routes: list[tuple[apigateway.IResource, tuple[str, ...]]] = [
            (collection, ("POST",)),
            (item, ("GET", "DELETE")),
            (listing, ("GET",)),
            (any_item, ("GET",)),
        ]
        if environment.decides:
            inbox = self.rest_api.root.add_resource("approvals")
            routes += [(inbox, ("GET",)), (inbox.add_resource("{pipeline_id}"), ("GET", "POST"))]
        for resource, methods in routes:
            for method in methods:
                resource.add_method(method, integration, **(self._checks() if resource is collection else {}))
            preflight = resource.add_cors_preflight(
                allow_origins=[environment.allowed_origin],
                allow_methods=list(methods),
                allow_headers=list(ALLOWED_HEADERS),
            )
            acknowledge(
                preflight, "AwsSolutions-APIG4", "A browser's preflight request carries no credentials."
            )
            acknowledge(
                preflight, "AwsSolutions-COG4", "A browser's preflight request carries no credentials."
            )
        names, region = Names(environment.name), Stack.of(self).region
        self.caller = self._policy(
            "Caller",
            names.caller_policy(region),
            "May call the pipeline's API.",
            ("POST", "/pipeline"),
            ("GET", "/pipelines"),
            ("GET", "/pipeline/*"),
            ("DELETE", "/pipeline/*"),
        )
        self.operator = self._policy(
            "Operator",
            names.api_operator_policy(region),
            "May read every run through the pipeline's API.",
            ("GET", "/operator/pipeline/*"),
        )
        if environment.decides:
            self._policy(
                "Approver",
                names.api_approver_policy(region),
                "May decide on waiting answers through the pipeline's API.",
                ("GET", "/approvals"),
                ("GET", "/approvals/*"),
                ("POST", "/approvals/*"),
            )
        self._format_errors(environment.allowed_origin)
        self._acknowledge()
        stack = Stack.of(self)
        self.url = (
            environment.api_url(self.rest_api.rest_api_id)
            if environment.engine
            else f"https://{self.rest_api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}/{STAGE}"
        )

    def _keep_execution_logs(self, environment: Environment) -> None:
        """Add the log group of the API's execution log, before the stage that writes it.

        API Gateway would otherwise create a group of this name that keeps its lines for ever. At level ERROR it logs
        failed requests only.
        """
        group = log_group(
            self,
            "ExecutionLogs",
            f"API-Gateway-Execution-Logs_{self.rest_api.rest_api_id}/{STAGE}",
            environment,
        )
        self.rest_api.deployment_stage.node.add_dependency(group)

    def _policy(
        self, construct_id: str, name: str, description: str, *routes: tuple[str, str]
    ) -> iam.ManagedPolicy:
        """Return a policy, for people and programs, that allows calling these routes of the API and nothing else.

        Name and description must not change: CloudFormation would have to replace the policy, and cannot because it
        has a name.
        """
        policy = iam.ManagedPolicy(
            self,
            construct_id,
            managed_policy_name=name,
            description=description,
            statements=[
                iam.PolicyStatement(
                    sid="CallTheApi",
                    actions=["execute-api:Invoke"],
                    resources=[
                        self.rest_api.arn_for_execute_api(method, path, STAGE) for method, path in routes
                    ],
                )
            ],
        )
        resource = cast("apigateway.CfnRestApi", self.rest_api.node.default_child)
        rest_api = Stack.of(self).get_logical_id(resource)
        shown = f"arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<{rest_api}>"
        for method, path in routes:
            if path.endswith("*"):
                acknowledge(
                    policy,
                    f"AwsSolutions-IAM5[Resource::{shown}/{STAGE}/{method}{path}]",
                    "The last part of the path is a pipeline's id, which is not known beforehand.",
                )
        return policy

    def _checks(self) -> dict[str, Any]:
        """Return the method options with which API Gateway refuses a body that does not match its schema.

        The function checks again, and more: rules that a schema cannot express, and other content types, which have
        no model and are not checked here.
        """
        schema = request_model()
        model = apigateway.CfnModel(
            self,
            "RequestModel",
            rest_api_id=self.rest_api.rest_api_id,
            name=schema["title"],
            content_type="application/json",
            schema=schema,
        )
        deployment = self.rest_api.latest_deployment
        if deployment is not None:  # API Gateway serves a changed model only after a new deployment
            deployment.node.add_dependency(model)
            deployment.add_to_logical_id(schema)
        reference = apigateway.Model.from_model_name(self, "PipelineRequest", model.ref)
        validator = self.rest_api.add_request_validator(
            "Request", validate_request_body=True, validate_request_parameters=True
        )
        return {"request_models": {"application/json": reference}, "request_validator": validator}

    def _format_errors(self, allowed_origin: str) -> None:
        """Give API Gateway's own errors (e.g. unsigned or throttled requests) the format of the API's errors."""
        for name, kind, body in (
            ("BadBody", apigateway.ResponseType.BAD_REQUEST_BODY, _BAD_BODY),
            ("Default4xx", apigateway.ResponseType.DEFAULT_4_XX, _ERROR_BODY),
            ("Default5xx", apigateway.ResponseType.DEFAULT_5_XX, _ERROR_BODY),
        ):
            self.rest_api.add_gateway_response(
                name,
                type=kind,
                response_headers={"Access-Control-Allow-Origin": f"'{allowed_origin}'"},
                templates={"application/json": body},
            )

    def _acknowledge(self) -> None:
        for finding, reason in (
            ("AwsSolutions-COG4", "Callers are IAM principals (SigV4), not users of a Cognito pool."),
            (
                "AwsSolutions-APIG3",
                "Every caller is an authenticated IAM principal; who wants AWS WAF can add it.",
            ),
            (
                f"AwsSolutions-IAM4[Policy::{_LOG_POLICY}]",
                "API Gateway writes logs with one role per account; AWS maintains its policy for this purpose.",
            ),
        ):
            acknowledge(self.rest_api, finding, reason)
