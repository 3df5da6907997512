"""The names of a new stage, derived from the one that its author gives it."""

import keyword
import pkgutil
import re
from typing import Final

from msgspec import Struct

import services
from infra.functions import ALL_FUNCTIONS
from infra.parts import PARTS
from operations.errors import InvalidInputError
from shared import contracts
from shared.contracts import stages, v1, v2
from shared.contracts.envelope import SOURCE
from shared.contracts.stages import BY_KEY, OWN_STATE

LONGEST: Final = 20
"""Letters of a name: with the longest name of an environment, a function's name then has AWS's 64 at most."""
_NAME: Final = re.compile(rf"[a-z][a-z0-9]{{1,{LONGEST - 1}}}")
_TAKEN: Final = frozenset(
    {
        *PARTS,
        *BY_KEY,
        *(function.name for function in ALL_FUNCTIONS),
        *(kind.NAME.partition(".")[0] for kind in v1.EVENTS),
        *(
            module.name
            for package in (contracts, services)
            for module in pkgutil.iter_modules(package.__path__)
        ),
        *vars(stages),
        *("contracts", "errors", "metadata", "release", "request", "results", "schemas", "tests", SOURCE),
    }
)
"""Names of stages, services, functions and stacks, of events and modules, of fields beside the results, and of what
the stage table imports, which the import of a module of this name would replace."""


class StageName(Struct, frozen=True):
    """A stage's name, e.g. `moderation`: its key, its service, its folder and its contract's module."""

    key: str

    @property
    def state(self) -> str:
        return f"{OWN_STATE}{self.result}"

    @property
    def result(self) -> str:
        return self.key.capitalize()

    @property
    def request(self) -> str:
        return f"{self.result}Requested"

    @property
    def event(self) -> str:
        return f"{self.key}.requested"

    @property
    def folder(self) -> str:
        return f"services/{self.key}"

    @property
    def types(self) -> str:
        return f"shared/contracts/{self.key}.py"


def new_name(text: str) -> StageName:
    """Return the names of a new stage called `text`. Raises InvalidInputError, which says what a name must be."""
    if not _NAME.fullmatch(text):
        raise InvalidInputError(
            f"A stage can't be called {text!r}. Use 2 to {LONGEST} small letters and digits, beginning with a letter "
            "(it names a Python package, a queue, a function and an event), e.g. moderation."
        )
    name = StageName(text)
    if keyword.iskeyword(text) or keyword.issoftkeyword(text):
        raise InvalidInputError(
            f"A stage can't be called {text!r}: that is a word of Python's own. Choose another."
        )
    if text in BY_KEY:
        raise InvalidInputError(f"There is a stage {text!r} already. `pipeline stage list` shows all.")
    if text in _TAKEN:
        raise InvalidInputError(
            f"A stage can't be called {text!r}: the pipeline uses this name. Choose another."
        )
    for version in (v1, v2):
        for taken in (name.result, name.request):
            if hasattr(version, taken):
                raise InvalidInputError(
                    f"A stage can't be called {text!r}: the contracts have a type {taken} already. Choose another."
                )
    return name
