"""How money is written: nano-dollars are what is counted, dollars what is read."""

from decimal import Decimal


def usd(nanos: int | float) -> str:
    """Dollars; less than ten of them to four significant digits, however small."""
    dollars = nanos / 1e9
    if abs(dollars) >= 10:
        return f"${dollars:,.2f}"
    return f"${Decimal(f'{dollars:.4g}'):f}"


def micro(nanos: int) -> str:
    """Millionths of a dollar, exactly. As many dollars are what a million such runs cost."""
    return f"{nanos // 1_000:,}.{nanos % 1_000:03}"


def cost_line(nanos: int | None, waste: int, *, lacking: bool) -> str:
    """`lacking`: some of it is not known, so that it is a lower bound."""
    if nanos is None:
        return "not known: no price is known"
    text = f"{'at least ' if lacking else ''}{usd(nanos)} (${nanos / 1_000:,.2f} per million such runs)"
    if waste:
        text += f", {waste / nanos:.0%} wasted"
    return text
