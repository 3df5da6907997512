"""A message is parked whatever its size: its attributes are shortened or left out before the body is refused."""

import pytest

from shared.errors import ContractViolation
from shared.parking import MESSAGE_BYTES, ParkingLot
from shared.tests.fakes import METADATA, FakeSqs, client_error

ERROR = ContractViolation("$.detail", "é" * 600)


class Sqs(FakeSqs):
    """An SQS that counts the attributes in a message's size, as AWS does."""

    def send_message(self, **message):
        named = message.get("MessageAttributes", {})
        size = len(message["MessageBody"].encode()) + sum(
            len(name) + len(value["DataType"]) + len(value["StringValue"].encode())
            for name, value in named.items()
        )
        if size > MESSAGE_BYTES or not all(value["StringValue"] for value in named.values()):
            raise client_error("InvalidParameterValue", "SendMessage")
        super().send_message(**message)


def parked(spare: int) -> dict[str, str]:
    """Park a body that leaves `spare` bytes, and return its attributes."""
    sqs = Sqs()
    body = "x" * (MESSAGE_BYTES - spare)
    ParkingLot(lambda: sqs, dlq_url="q", service="trigger").park(body, ERROR, metadata=METADATA)
    assert sqs.sent[0]["MessageBody"] == body
    return sqs.attributes()


@pytest.mark.parametrize("spare", [*range(0, 700, 7), 1_500, 10_000])
def test_any_room_is_enough(spare):
    """A body with hardly any room for attributes is parked with those that fit, the type of its error first."""
    kept = parked(spare)
    assert "error_type" in kept or spare < 60
    assert kept.keys() <= parked(10_000).keys()


def test_the_important_attributes_come_first():
    """With little room, the type of the error is kept and its text is left out; with more, the text is cut."""
    assert set(parked(60)) == {"error_type"}
    whole, cut = parked(10_000), parked(400)
    assert set(cut) == set(whole)
    assert whole["error"].startswith(cut["error"])
    assert len(cut["error"]) < len(whole["error"])
