"""The target for an environment's name: the running local engine for `local`, an AWS account for any other name."""

import os

import botocore.session

from local.connection import Connection
from local.engine import Engine
from local.errors import EngineNotRunningError
from operations.errors import UnreachableError
from operations.target import LOCAL, Target, aws_target

_NO_USER_SETTINGS = {
    **{
        name: (setting, None, default, conversion)
        for name, (setting, _, default, conversion) in botocore.session.Session.SESSION_VARIABLES.items()
    },
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables that hide the user's AWS profile, files and every `AWS_` variable, none of which the engine
needs: one with an invalid value would make each client fail."""


def local_target(connection: Connection, *, stand_in: str | None = None) -> Target:
    session = botocore.session.Session(session_vars=_NO_USER_SETTINGS)
    session.set_credentials(connection.access_key_id, connection.secret_access_key)
    session.set_config_variable("region", connection.region)
    store = session.get_component("config_store")
    store.set_config_variable("s3", {})  # it has variables of its own, which every client checks
    return Target(env=LOCAL, session=session, endpoint=connection.endpoint_url, stand_in=stand_in)


def find_target(
    env: str, *, region: str | None = None, profile: str | None = None, engine: Engine | None = None
) -> Target:
    """Return the running local engine for `local`, else AWS. Raises UnreachableError if no engine is running."""
    if env != LOCAL:
        return aws_target(env, region=region, profile=profile)
    try:
        running = (engine or Engine()).running()
    except EngineNotRunningError as error:
        raise UnreachableError(str(error)) from error
    return local_target(running.connection, stand_in=running.stand_in)
