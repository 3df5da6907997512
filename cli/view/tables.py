"""Tables without lines. No cell is ever cut: on a narrow terminal, text continues on the next row."""

from rich.table import Table


def grid(*columns: str, texts: int = 1, space: int = 2) -> Table:
    """Return an empty table. The first `texts` columns hold texts, the others numbers, aligned to the right."""
    table = Table(box=None, padding=(0, space, 0, 0), header_style="bold", pad_edge=False)
    for number, name in enumerate(columns):
        if number < texts:
            table.add_column(name, overflow="fold")
        else:
            table.add_column(name, justify="right", no_wrap=True)
    return table
