"""Settings are typed, and their errors name the variable."""

import pytest
from msgspec import Struct

from shared.settings import SettingsError, load


class Example(Struct, frozen=True, kw_only=True):
    queue_url: str
    tries: int = 3


def test_variables_are_fields_in_capitals():
    """Numbers are converted, absent and empty variables take the default."""
    assert load(Example, {"QUEUE_URL": "u", "TRIES": "5"}) == Example(queue_url="u", tries=5)
    assert load(Example, {"QUEUE_URL": "u", "TRIES": ""}).tries == 3


@pytest.mark.parametrize("environ", [{}, {"QUEUE_URL": ""}, {"QUEUE_URL": "u", "TRIES": "many"}])
def test_wrong_environment_is_named(environ):
    """The error says which setting is missing or of the wrong kind."""
    with pytest.raises(SettingsError, match=r"queue_url|tries"):
        load(Example, environ)
