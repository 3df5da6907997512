"""`python -m scale`: runs every scenario and writes the tables and plots of docs/scale.md."""

import argparse
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from scale import tables
from scale.results import Result
from scale.scenarios import RATES, Scenario, bursts, prepared, today
from scale.simulation import simulate

DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = "scale.md"


def blocks(loads: Sequence[Result], burst_results: Sequence[Result]) -> Mapping[str, str]:
    """Make the new text of each generated block of docs/scale.md, by name.

    In the document a block stands between `<!-- scale:NAME -->` and `<!-- /scale:NAME -->`.
    """
    return {
        **static_blocks(),
        "results": tables.results_table(loads),
        "bursts": tables.bursts_table(burst_results),
    }


def static_blocks() -> Mapping[str, str]:
    """Return the blocks that need no simulation."""
    return {
        "quotas": tables.quotas_table(),
        "ceilings": tables.ceilings_table(),
        "raise": tables.raise_table(),
        "cost": tables.cost_table(),
    }


def block(page: str, name: str) -> str:
    """Return the text of the page's block. Raises ValueError if the page has no such block."""
    match = re.search(_pattern(name), page, re.DOTALL)
    if not match:
        raise ValueError(
            f"docs/{PAGE} has no block {name!r}. Add <!-- scale:{name} --> and <!-- /scale:{name} --> to it."
        )
    return match[2].strip()


def written(page: str, texts: Mapping[str, str]) -> str:
    """Return the page with these texts in its blocks. Raises ValueError if it lacks one of the blocks."""
    for name, text in texts.items():
        block(page, name)
        before, _, rest = page.partition(f"<!-- scale:{name} -->")
        after = rest.partition(f"<!-- /scale:{name} -->")[2]
        page = f"{before}<!-- scale:{name} -->\n{text}\n<!-- /scale:{name} -->{after}"
    return page


def _pattern(name: str) -> str:
    return rf"(<!-- scale:{name} -->)(.*?)(<!-- /scale:{name} -->)"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m scale",
        description="Simulate 100, 1,000 and 10,000 requests a second, and bursts, for docs/scale.md.",
        epilog="The same seed gives the same documents. To compare the simulation with the local engine, run "
        "python -m scale.measure",
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="seed of the random numbers (default: 1, as in docs/scale.md)"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if docs/scale.md is out of date"
    )
    options = parser.parse_args(arguments)
    try:
        return _run(options.seed, check=options.check)
    except KeyboardInterrupt:
        print("Interrupted; nothing was written.", file=sys.stderr)
        return 130


def _run(seed: int, *, check: bool) -> int:
    loads = [_simulated(scenario(rate, seed)) for scenario in (today, prepared) for rate in RATES]
    burst_results = [_simulated(scenario) for scenario in bursts(seed)]
    page = (DOCS / PAGE).read_text(encoding="utf-8")
    new = written(page, blocks(loads, burst_results))
    if check:
        same = page == new
        print(
            "docs/scale.md is up to date." if same else "docs/scale.md is out of date. Rewrite it: make scale"
        )
        return 0 if same else 1
    (DOCS / PAGE).write_text(new, encoding="utf-8")
    from scale import plots  # noqa: PLC0415 -- matplotlib takes a second to load; --check needs none

    drawings: Mapping[str, Callable[[Path], None]] = {
        "scale-ceilings.svg": plots.draw_ceilings,
        "scale-loads.svg": lambda file: plots.draw_loads(loads[: len(RATES)], file),
        "scale-drain.svg": lambda file: plots.draw_drain(burst_results, file),
    }
    for name, draw in drawings.items():
        draw(DOCS / name)
    print(f"Written: docs/{PAGE}, {', '.join(f'docs/{name}' for name in drawings)}")
    return 0


def _simulated(scenario: Scenario) -> Result:
    started_at = time.monotonic()
    result = simulate(scenario)
    print(f"{time.monotonic() - started_at:5.1f} s  {scenario.name}", file=sys.stderr)
    return result


if __name__ == "__main__":
    sys.exit(main())
