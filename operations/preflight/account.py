"""Checks of the account: credentials, the CDK's bootstrap stack, the region, and concurrent functions."""

from typing import Final

from infra.doctor.checks.capacity import MOMENTS, TYPICAL_SECONDS
from infra.doctor.findings import Passed, Problem, Result, Skipped
from infra.environments import CALLS_PER_RUN, Environment
from infra.functions import STARTER
from infra.option_kinds import OptionError
from infra.options import read_file
from operations.errors import OperationError
from operations.preflight.calls import AbsentError, UnknownError, ask, part
from operations.preflight.intent import Intended

BOOTSTRAP: Final = "/cdk-bootstrap/{}/version"
"""The parameter with the version of the CDK's bootstrap stack, by its qualifier."""
BOOTSTRAP_VERSION: Final = 6
"""The lowest version that the CDK's synthesizer accepts."""
_STEADY = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")
_DECLINED = ("DISABLED", "DISABLING", "ENABLING")

SERVICES: Final = (
    "apigateway",
    "cloudformation",
    "dynamodb",
    "events",
    "lambda",
    "logs",
    "sqs",
    "ssm",
    "stepfunctions",
)
"""The services that every deployment needs, as botocore names them."""


def credentials(intended: Intended) -> Result:
    target = intended.target
    if not target.is_aws:
        yield Problem(
            where="AWS_ENDPOINT_URL",
            what=f"It is set to {target.endpoint}, so that these checks do not reach AWS.",
            fix="Unset AWS_ENDPOINT_URL (and the profile's endpoint_url), then try again.",
        )
        return
    try:
        caller = target.describe()
    except OperationError as error:
        yield Problem(
            where=target.region,
            what=str(error),
            fix="Sign in (for example: aws sso login), or name a profile with --profile. If you have signed in, the "
            "region may not be enabled in this account.",
        )
        return
    try:
        account = read_file(target.env).account
    except OptionError:  # the check `options` says why
        account = None
    if account not in (None, caller.account):
        yield Problem(
            where=f"account {caller.account}",
            what=f"environments/{target.env}.toml allows account {account} only.",
            fix="Choose the profile of that account with --profile, or correct the file.",
        )
        return
    yield Passed(f"account {caller.account}, as {caller.caller}")


def bootstrap(intended: Intended) -> Result:
    """Check the bootstrap stack. What its execution role may do can't be seen from outside."""
    where = f"{intended.target.region}: the CDK's bootstrap stack"
    qualifier = intended.environment.bootstrap_qualifier
    fix = bootstrap_command(intended.account or "ACCOUNT", intended.target.region, qualifier)
    parameter = BOOTSTRAP.format(qualifier)
    try:
        found = part(ask(intended.target, "ssm", "get_parameter", Name=parameter), "Parameter", "Value")
    except AbsentError:
        yield Problem(
            where=where,
            what=f"It is missing: there is no SSM parameter {parameter}.",
            fix=f"Run {fix}\nIf the account was bootstrapped with another qualifier, write it into "
            f"environments/{intended.target.env}.toml: bootstrap_qualifier.",
        )
        return
    if not (isinstance(found, str) and found.isdecimal()):
        yield Skipped(f"{parameter} is {found!r}, which is no version.")
    elif int(found) < BOOTSTRAP_VERSION:
        yield Problem(
            where=where,
            what=f"Its version is {found}, but the CDK needs {BOOTSTRAP_VERSION} or later.",
            fix=f"Update it: run {fix}",
        )
    else:
        yield Passed(f"bootstrap version {found} ≥ {BOOTSTRAP_VERSION}")
    try:
        stacks = ask(intended.target, "cloudformation", "describe_stacks", StackName="CDKToolkit").get(
            "Stacks"
        )
    except AbsentError:  # it may have another name
        return
    status = part(stacks[0], "StackStatus") if isinstance(stacks, list) and stacks else None
    if status and status not in _STEADY:
        yield Problem(
            where=where,
            what=f"The stack CDKToolkit is {status}.",
            fix=f"Wait if it is in progress; else repair or delete it in CloudFormation and run {fix}",
        )


def bootstrap_command(account: str, region: str, qualifier: str) -> str:
    """Return the command that makes or updates a bootstrap stack."""
    own = "" if qualifier == Environment.bootstrap_qualifier else f" --qualifier {qualifier}"
    return f".venv/bin/python -m local.cdk bootstrap aws://{account}/{region}{own}"


def region(intended: Intended) -> Result:
    """Check that the region is enabled and has the services, by the list of regions of the installed botocore."""
    target = intended.target
    try:
        status = part(
            ask(target, "account", "get_region_opt_status", RegionName=target.region), "RegionOptStatus"
        )
    except (AbsentError, UnknownError) as error:
        yield Skipped(f"whether {target.region} is enabled in the account: {error}")
    else:
        if status in _DECLINED:
            yield Problem(
                where=target.region,
                what=f"The region is {status.lower()} in this account.",
                fix="Enable it under Account, AWS Regions in the AWS console and wait until that is done, or choose "
                "another region.",
            )
        elif status:
            yield Passed(f"{target.region} is {status.lower().replace('_', ' ')}")
    known = target.regions_of("lambda")
    if target.region not in known:
        yield Skipped(
            f"which services {target.region} has: the installed botocore does not know this region."
        )
        return
    environment = intended.environment
    needed = [
        *SERVICES,
        *(["xray"] if environment.xray else []),
        *(["cloudwatch", "sns"] if environment.monitoring else []),
    ]
    missing = [
        service for service in needed if (found := target.regions_of(service)) and target.region not in found
    ]
    for service in missing:
        yield Problem(
            where=target.region,
            what=f"The region does not have the service {service}.",
            fix="Choose another region.",
        )
    if not missing:
        yield Passed(f"{len(needed)} services")


def concurrency(intended: Intended) -> Result:
    answer = ask(intended.target, "lambda", "get_account_settings")
    limit = part(answer, "AccountLimit", "ConcurrentExecutions")
    free = part(answer, "AccountLimit", "UnreservedConcurrentExecutions")
    if not isinstance(limit, int):
        yield Skipped("AWS does not tell the account's limit.")
        return
    free = free if isinstance(free, int) else limit
    functions = (STARTER.name, *(stage.service for stage in intended.environment.stages))
    rate = intended.environment.requests_per_second
    api = (
        intended.environment.max_waiting + rate * CALLS_PER_RUN * MOMENTS
    )  # callers who wait, and the others
    needed = api + rate * sum(TYPICAL_SECONDS.get(name, MOMENTS) for name in functions)
    most = api + sum(intended.environment.sizing_of(name).max_concurrency for name in functions)
    fix = "Request more concurrent executions of Lambda in Service Quotas (L-B99A9384); new accounts have few. Or "
    if needed > free:
        yield Problem(
            where=f"account, {intended.target.region}",
            what=f"At {rate:g} requests/s about {needed:,.0f} functions run at a time; {free:,} of the account's "
            f"{limit:,} concurrent executions are free.",
            fix=fix + "lower requests_per_second or max_waiting.",
            severity="warning",
        )
    elif most > free:
        yield Problem(
            where=f"account, {intended.target.region}",
            what=f"The queues and the API may take {most:,.0f} executions at a time, but {free:,} are free.",
            fix=fix + "lower the options max_concurrency_….",
            why="In a burst the pipeline leaves no concurrency to its API and to other functions of the account.",
            severity="warning",
        )
    else:
        yield Passed(f"{most:,.0f} ≤ {free:,} concurrent executions")
