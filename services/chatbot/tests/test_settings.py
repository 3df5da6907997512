"""The chatbot's settings: invalid values are refused at start."""

import pytest

from services.chatbot.settings import Settings
from shared.settings import SettingsError, load


def test_chatbot_bounds_are_checked():
    """A temperature outside 0 to 1 is refused at start, not by the model."""
    with pytest.raises(SettingsError, match="temperature"):
        load(Settings, {"TEMPERATURE": "1.5"})


def test_off_is_none_where_nothing_is_allowed():
    """The value off switches a setting off that may be, and is a plain text elsewhere; empty is the default."""
    settings = load(Settings, {"TEMPERATURE": "off", "SYSTEM_PROMPT": "off", "MODEL_ID": "off"})
    assert (settings.temperature, settings.system_prompt, settings.model_id) == (None, None, "off")
    assert load(Settings, {"TEMPERATURE": "", "SYSTEM_PROMPT": ""}) == Settings()
