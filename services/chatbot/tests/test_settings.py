"""The chatbot's settings: invalid values are refused at start."""

import pytest

from services.chatbot.settings import Settings
from shared.settings import SettingsError, load


def test_chatbot_bounds_are_checked():
    """A temperature outside 0 to 1 is refused at start, not by the model."""
    with pytest.raises(SettingsError, match="temperature"):
        load(Settings, {"TEMPERATURE": "1.5"})
