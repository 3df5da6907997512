"""A logger over moto's table, with doubles of the bus and of Step Functions."""

import pytest

from services.logger.recording import Logger
from services.logger.tests.support import FakeHistory
from shared.bus import Bus


@pytest.fixture
def history():
    return FakeHistory()


@pytest.fixture
def logger(records, events, history):
    return Logger(records, Bus(lambda: events, "bus"), lambda: history)
