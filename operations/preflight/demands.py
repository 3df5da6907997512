"""Checks of what an environment's file says that its account demands: that the account has it."""

from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.regions import partition_of
from operations.preflight.calls import AbsentError, ask
from operations.preflight.intent import Intended


def boundary(intended: Intended) -> Result:
    name = intended.environment.permissions_boundary
    if name is None:
        yield Passed("roles without a permissions boundary")
        return
    region = intended.target.region
    arn = (
        name
        if name.startswith("arn:")
        else f"arn:{partition_of(region)}:iam::{intended.account}:policy/{name}"
    )
    try:
        ask(intended.target, "iam", "get_policy", PolicyArn=arn)
    except AbsentError:
        yield Problem(
            where=arn,
            what="The account has no such managed policy, which is to be each role's permissions boundary.",
            fix=f"Make it, or correct permissions_boundary in environments/{intended.target.env}.toml.",
        )
    else:
        yield Passed(f"permissions boundary {name}")


def api_logs(intended: Intended) -> Result:
    if intended.environment.api_account_role:
        yield Passed("the deployment sets API Gateway's role for logs")
        return
    answer = ask(intended.target, "apigateway", "get_account")
    if role := answer.get("cloudwatchRoleArn"):
        yield Passed(f"API Gateway's role for logs is {role}")
    elif "throttleSettings" not in answer:
        yield Skipped("AWS does not tell the account's settings of API Gateway.")
    else:
        yield Problem(
            where=f"API Gateway, {intended.target.region}",
            what="It has no role with which it writes logs, and api_account_role is false.",
            fix="Have its owner set the role (aws apigateway update-account), or leave out api_account_role.",
        )
