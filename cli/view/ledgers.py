"""How a ledger is printed: quantity x price = amount, line by line, so that it can be checked by hand."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.session import Session
from cli.view.tables import grid
from operations.money.run_ledger import RunLedger
from operations.wording import cost_line, micro, printable, usd
from shared.costs.ledger import NEVER_METERED
from shared.costs.lines import Line
from shared.costs.prices import Price

MILLION = 1_000_000


def show_ledger(session: Session, run: RunLedger, *, as_json: bool) -> None:
    if as_json:
        session.json(as_plain(run))
        return
    ledger, out = run.ledger, session.out
    out.print(Text(run.pipeline_id, style="bold"))
    lacking = bool(ledger.unknown or ledger.unmetered)
    early = f", {printable(run.early_end)}" if run.early_end else ""
    cost = cost_line(run.spent, run.lost, lacking=lacking, stand_in=run.stand_in)
    out.print(Text(f"{run.status}{early}: {cost}"))
    out.print()
    prices = list(dict.fromkeys(line.price for line in ledger.lines if line.price))
    out.print(_table(ledger.lines, prices))
    out.print()
    if run.earlier:
        out.print(
            f"That includes {usd(run.earlier)} for earlier executions of this run, which have no lines here."
        )
    if run.recorded is not None and run.recorded != ledger.total:
        out.print(f"The record says {usd(run.recorded)}, which another version calculated.")
    for missing in ledger.unknown:
        out.print(Text(f"Price unknown: {missing}", "yellow"))
    for part in ledger.unmetered:
        out.print(Text(f"Not metered: {part}", "yellow"))
    out.print(Text(f"Never metered: {NEVER_METERED}.", "dim"))
    out.print(Text("~ estimated. µ$: millionths of a dollar, or dollars per million such runs.", "dim"))
    if ledger.prices:
        out.print()
        used = "" if ledger.prices.region == ledger.region else f", used for {ledger.region}"
        out.print(f"Prices of {ledger.prices.region} since {ledger.prices.since}{used}, before free tiers:")
        for number, price in enumerate(prices, start=1):
            note = f" ({price.note})" if price.note else ""
            out.print(f"{number:>2}  {price.text()}{note}")
            out.print(Text(f"    {price.source}", "dim"))


def _table(lines: Iterable[Line], prices: list[Price]) -> Table:
    table = grid("", "quantity", "x price", "= µ$", "#", space=1)
    for waste in (False, True):
        part = [line for line in lines if line.waste == waste]
        for stage in dict.fromkeys(line.stage for line in part):
            name = f"{stage}, wasted" if waste else stage
            _section(table, name, [line for line in part if line.stage == stage], prices)
    table.add_row(Text("total", "bold"), "", "", Text(_sum(lines), "bold"), "")
    return table


def _section(table: Table, name: str, lines: list[Line], prices: list[Price]) -> None:
    table.add_row(Text(name, "bold"), "", "", Text(_sum(lines), "bold"), "")
    for line in lines:
        amount = "unknown" if line.nanos is None else ("~" if line.estimate else "") + micro(line.nanos)
        table.add_row(
            f"  {line.what}",
            quantity(line),
            each(line.price) if line.price else "?",
            amount,
            str(prices.index(line.price) + 1) if line.price else "",
        )


def _sum(lines: Iterable[Line]) -> str:
    return micro(sum(line.nanos or 0 for line in lines))


def quantity(line: Line) -> str:
    """Return a quantity in the unit of its price; for a batch, the share of one run."""
    base = line.price.base if line.price else 1
    text = f"{line.quantity:,}" if base == 1 else _plain(Decimal(line.quantity) / base, 9)
    return text if line.shared_by == 1 else f"{text}/{line.shared_by}"


def each(price: Price) -> str:
    """Return the price of one unit, in millionths of a dollar."""
    return _plain(Decimal(price.usd) * MILLION / price.per, 6)


def _plain(number: Decimal, places: int) -> str:
    return f"{number:,.{places}f}".rstrip("0").rstrip(".")


def as_plain(run: RunLedger) -> dict[str, Any]:
    """Return a ledger for JSON output: each line with its price, and the date and source of the price."""
    ledger = run.ledger
    return {
        "pipeline_id": run.pipeline_id,
        "status": run.status,
        **({"early_end": run.early_end} if run.early_end else {}),
        **ledger.summary(),
        "recorded_nano_usd": run.recorded,
        "earlier_nano_usd": run.earlier,
        "never_metered": NEVER_METERED,
        "lines": [_plain_line(line, ledger.prices.since if ledger.prices else None) for line in ledger.lines],
    }


def _plain_line(line: Line, since: str | None) -> dict[str, Any]:
    price = line.price
    return {
        "stage": line.stage,
        "service": line.service,
        "what": line.what,
        "quantity": line.quantity,
        "shared_by": line.shared_by,
        "price": price
        and {"usd": price.usd, "per": price.per * price.base, "text": price.text(), "since": since}
        | {"source": price.source, "note": price.note},
        "nano_usd": line.nanos,
        "waste": line.waste,
        "estimate": line.estimate,
    }
