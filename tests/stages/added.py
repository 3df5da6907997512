"""A program that adds two stages to the table, as two more rows of its text, and prints what follows for the parts.

It is a process of its own, because the parts read the table when they are imported. `weighing` is asked over the bus,
pays and may fail; `signing` is asked through its queue and is critical.
"""

import json
import sys
import types
from importlib import import_module
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from shared.contracts.envelope import Event
from shared.contracts.v1 import UserMessage

ROOT = Path(__file__).resolve().parents[2]
TABLE = "shared.contracts.stages"
ROWS = """    Stage(
        state="WeighInput",
        key="weighing",
        service="scales",
        request=added.WeighingRequested,
        result=added.Weighing,
        inputs={"user_message": "$.request.user_message"},
        via="bus",
        critical=False,
        pays=True,
        without="The message was not weighed.",
        sizes={"memory_mb": 256},
    ),
    Stage(
        state="SignInput",
        key="signing",
        service="notary",
        request=added.SigningRequested,
        result=added.Signing,
        inputs={"weighing": "$.results.weighing.data"},
        via="queue",
        critical=True,
    ),
"""


class Weighing(Struct, frozen=True, kw_only=True):
    """The weight of a message."""

    grams: Annotated[int, Meta(ge=0)]
    unit: Annotated[str, Meta(max_length=200)]


class WeighingRequested(Event, frozen=True, kw_only=True):
    """Asks the scales to weigh a message."""

    NAME: ClassVar[str] = "weighing.requested"
    VERSION: ClassVar[int] = 1

    user_message: UserMessage


class Signing(Struct, frozen=True, kw_only=True):
    """The signature under a message."""

    signature: Annotated[str, Meta(max_length=100)]


class SigningRequested(Event, frozen=True, kw_only=True):
    """Asks the notary to sign a message."""

    NAME: ClassVar[str] = "signing.requested"
    VERSION: ClassVar[int] = 1

    weighing: Weighing | None = None


SAMPLES = {"grams": 5, "unit": "pound"}


def add() -> None:
    """Put the table with two more rows, after the analyzer's, in the place of the present one."""
    contracts = types.ModuleType("shared.contracts.added")
    for kind in (Weighing, WeighingRequested, Signing, SigningRequested):
        kind.__module__ = contracts.__name__
        setattr(contracts, kind.__name__, kind)
    contracts.__dict__["SAMPLES"] = SAMPLES
    sys.modules[contracts.__name__] = contracts
    path = ROOT / f"{TABLE.replace('.', '/')}.py"
    text = path.read_text("utf-8")
    end = text.index("\n    ),\n", text.index('key="analysis"')) + len("\n    ),\n")
    table = types.ModuleType(TABLE)
    table.__file__ = str(path)
    sys.modules[TABLE] = table
    table.__dict__["added"] = contracts
    exec(compile(text[:end] + ROWS + text[end:], str(path), "exec"), table.__dict__)  # noqa: S102 -- our own file


if __name__ == "__main__":
    add()
    report = import_module("tests.stages.report").report
    print(json.dumps(report(Path(sys.argv[1])), default=str))  # noqa: T201
