"""How money is written: nano-dollars are what is counted, dollars what is read."""


def usd(nanos: int | float) -> str:
    """Dollars; small amounts to three significant digits and more, never rounded to nothing."""
    dollars = nanos / 1e9
    if nanos and abs(dollars) < 0.00000001:
        return f"${dollars:.9f}"
    if abs(dollars) >= 100:
        return f"${dollars:,.2f}"
    if abs(dollars) >= 0.1:
        return f"${dollars:.4f}"
    return f"${dollars:.8f}".rstrip("0").rstrip(".") if nanos else "$0"


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
