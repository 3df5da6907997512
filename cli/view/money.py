"""How amounts of money are formatted: they are counted in nano-dollars and shown in dollars."""

from decimal import Decimal


def usd(nanos: int | float) -> str:
    """Return an amount in dollars, with four significant digits if it is below $10."""
    dollars = nanos / 1e9
    if abs(dollars) >= 10:
        return f"${dollars:,.2f}"
    return f"${Decimal(f'{dollars:.4g}'):f}"


def micro(nanos: int) -> str:
    """Return an exact amount in millionths of a dollar, which is also the price of a million in dollars."""
    return f"{nanos // 1_000:,}.{nanos % 1_000:03}"


def cost_line(nanos: int | None, waste: int, *, lacking: bool) -> str:
    """Return a sentence about a cost. `lacking`: a part of it is unknown, so that it is a lower bound."""
    if nanos is None:
        return "unknown, because no price is known"
    text = f"{'at least ' if lacking else ''}{usd(nanos)} (${nanos / 1_000:,.2f} per million such runs)"
    if waste and nanos:
        text += f", {waste / nanos:.0%} wasted"
    return text
