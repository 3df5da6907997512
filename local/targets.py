"""Targets by the name of their environment: the running local engine for `local`, an AWS account for any other."""

import os

import botocore.session

from local.connection import Connection
from local.engine import Engine
from local.errors import EngineNotRunningError
from operations.errors import UnreachableError
from operations.target import LOCAL, Target, aws_target

_NOT_THE_USERS = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Neither the user's profile nor their files: the engine is reached without either."""


def local_target(connection: Connection) -> Target:
    session = botocore.session.Session(session_vars=_NOT_THE_USERS)
    session.set_credentials(connection.access_key_id, connection.secret_access_key)
    session.set_config_variable("region", connection.region)
    return Target(env=LOCAL, session=session, endpoint=connection.endpoint_url)


def find_target(
    env: str, *, region: str | None = None, profile: str | None = None, engine: Engine | None = None
) -> Target:
    """The running local engine for `local`, else AWS. Raises UnreachableError when no engine is up."""
    if env != LOCAL:
        return aws_target(env, region=region, profile=profile)
    try:
        running = (engine or Engine()).running()
    except EngineNotRunningError as error:
        raise UnreachableError(str(error)) from error
    return local_target(running.connection)
