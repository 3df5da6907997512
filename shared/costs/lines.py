"""The lines of a ledger and their sums."""

from collections.abc import Mapping

from msgspec import Struct

from shared.contracts.record import Cost
from shared.costs.prices import AS_INPUT, STATED, Price, PriceList, Stated, model_name

SERVICES: Mapping[str, str] = {
    "api": "API Gateway",
    "event": "EventBridge",
    "queue": "SQS",
    "transition": "Step Functions",
    "invocation": "Lambda",
    "time": "Lambda",
    "write": "DynamoDB",
    "logs": "CloudWatch Logs",
    "input": "Model",
    "output": "Model",
    "cache_read": "Model",
    "cache_write": "Model",
    "answer": "Model",
}

TOKENS: Mapping[str, str] = {
    "input": "input tokens",
    "output": "output tokens",
    "cache_read": "cache-read tokens",
    "cache_write": "cache-write tokens",
}
"""The kinds of tokens, with their names in a ledger. Input tokens exclude those read from and written to a cache."""


class Line(Struct, frozen=True, kw_only=True):
    """One line: a `shared_by`-th part of `quantity`, in the price's base units.

    `nanos` is the amount in nano-dollars, None if there is no price. 1,000 nano-dollars per run are one dollar per
    million runs.
    """

    stage: str
    kind: str
    what: str
    quantity: int
    shared_by: int = 1
    price: Price | None
    nanos: int | None
    waste: bool = False
    estimate: bool = False

    @property
    def service(self) -> str:
        return SERVICES[self.kind]

    @property
    def priced_as(self) -> str:
        """The name of the line's price, to be listed if the price is missing."""
        if self.kind in TOKENS:
            return f"tokens of {self.what.partition(' of ')[2]}"
        return self.what if self.kind == "answer" else self.kind


class Ledger(Struct, frozen=True, kw_only=True):
    """All lines of one run. `prices` is None if none are known for region and day.

    `prices` may be another region's list, if an option says so. `unmetered` names the usage that was not measured.
    """

    region: str
    day: str
    prices: PriceList | None
    lines: tuple[Line, ...]
    unmetered: tuple[str, ...]
    stated: Stated = Stated()

    @property
    def total(self) -> int | None:
        """The sum of the lines that have a price, in nano-dollars; None if none has."""
        amounts = [line.nanos for line in self.lines if line.nanos is not None]
        return sum(amounts) if amounts else None

    @property
    def waste(self) -> int:
        return sum(line.nanos or 0 for line in self.lines if line.waste)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of the missing prices, each once."""
        if self.prices is None:
            return (f"prices in {self.stated.prices_of or self.region} on {self.day[:10]}",)
        missing = [f"{line.priced_as} in {self.prices.region}" for line in self.lines if line.price is None]
        return tuple(dict.fromkeys(missing))

    def by(self, name: str) -> dict[str, int]:
        """Return the sums of the known amounts by `stage` or `service`."""
        sums: dict[str, int] = {}
        for line in self.lines:
            if line.nanos is not None:
                key = getattr(line, name)
                sums[key] = sums.get(key, 0) + line.nanos
        return sums

    def summary(self) -> Cost:
        """Return the ledger's summary for the record: amounts, and the names of what they leave out."""
        return {
            "nano_usd": self.total,
            "waste_nano_usd": self.waste,
            "stages": self.by("stage"),
            "services": self.by("service"),
            "unknown": list(self.unknown),
            "unmetered": list(self.unmetered),
            "prices": self.counted_with,
        }

    @property
    def counted_with(self) -> str | None:
        """The region and date of the price list, and what an option says instead; None if nothing has a price."""
        parts = [f"{self.prices.region} {self.prices.since}"] if self.prices else []
        if self.prices and self.prices.region != self.region:
            parts.append(f"used for {self.region}")
        priced = [(line, line.price.note) for line in self.lines if line.price]
        stated = {line.priced_as for line, note in priced if STATED in note}
        as_input = {line.what for line, note in priced if AS_INPUT in note}
        parts += [f"stated price of {name}" for name in sorted(stated)]
        return "; ".join([*parts, *(f"{name} {AS_INPUT}" for name in sorted(as_input))]) or None


class Book:
    """Collects a ledger's lines and prices them."""

    def __init__(self, prices: PriceList | None, stated: Stated | None = None) -> None:
        self.prices = prices
        self.stated = stated or Stated()
        self.lines: list[Line] = []
        self.unmetered: list[str] = []

    def add(  # noqa: PLR0913 -- the fields of a line
        self,
        stage: str,
        kind: str,
        what: str,
        quantity: int = 1,
        *,
        shared_by: int = 1,
        waste: bool = False,
        price: str | None = None,
    ) -> None:
        """Add a line. `price` is the name of its price, by default `kind`."""
        if quantity or kind == "time":  # less than a millisecond is still a line
            listed = self.prices.prices.get(price or kind) if self.prices else None
            self._line(stage, kind, what, quantity, shared_by=shared_by, waste=waste, price=listed)

    def tokens(self, stage: str, model_id: str, counts: Mapping[str, int], *, waste: bool = False) -> None:
        """Add a line for each kind of a model's tokens; `counts` has their numbers by the kinds in `TOKENS`."""
        name, listed = model_name(model_id), self.stated.of_model(model_id, self.prices)
        for kind, words in TOKENS.items():
            if quantity := counts.get(kind, 0):
                price = listed.of(kind) if listed else None
                self._line(stage, kind, f"{words} of {name}", quantity, price=price, waste=waste)

    def answer(self, stage: str, function: str) -> None:
        """Add an answer of the existing chatbot function, which reports no tokens."""
        self._line(stage, "answer", f"answer of {function}", 1, price=self.stated.of_answer())

    def logs(self, stage: str, what: str, size: int, *, shared_by: int = 1, waste: bool = False) -> None:
        listed = self.prices.prices.get("logs") if self.prices else None
        self._line(
            stage,
            "logs",
            f"log of {what}",
            size,
            shared_by=shared_by,
            waste=waste,
            price=listed,
            estimate=True,
        )

    def _line(  # noqa: PLR0913
        self,
        stage: str,
        kind: str,
        what: str,
        quantity: int,
        *,
        price: Price | None,
        shared_by: int = 1,
        **more: bool,
    ) -> None:
        nanos = price.nanos(quantity, shared_by) if price else None
        self.lines.append(
            Line(
                stage=stage,
                kind=kind,
                what=what,
                quantity=quantity,
                shared_by=shared_by,
                price=price,
                nanos=nanos,
                **more,
            )
        )
