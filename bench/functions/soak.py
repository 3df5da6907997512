"""`make bench PART=soak`: 100,000 messages through each worker, batch by batch; its memory has to stay flat."""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.end_to_end.machine import machine
from bench.functions.subjects import Subject, subjects
from bench.goals import YARDSTICKS
from infra.environments import Sizing
from infra.functions import API

RESULTS = Path(__file__).parents[1] / "results" / "soak.json"
BATCH = Sizing().batch_size
SAMPLES = 100


def soak(subject: Subject, endpoint: str, messages: int) -> list[float]:
    """Resident megabytes, `SAMPLES` times along the way."""
    size = 1 if subject.name == API.name else BATCH
    every = max(1, messages // size // SAMPLES)
    with subject.start(endpoint) as function:
        found = []
        for number in range(messages // size):
            function.invoke(subject.event(size))
            if number % every == every - 1:
                found.append(function.memory_mb())
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    messages = parser.parse_args().messages
    about: dict[str, Any] = machine()
    with (
        tempfile.TemporaryDirectory() as scratch,
        subjects(Path(scratch)) as (chosen, endpoint),
        ThreadPoolExecutor(2) as pool,
    ):
        own = [subject for name, subject in chosen.items() if name not in YARDSTICKS]
        grown = dict(
            zip(
                (one.name for one in own),
                pool.map(lambda one: soak(one, endpoint, messages), own),
                strict=True,
            )
        )
    RESULTS.write_text(
        json.dumps({"machine": about, "messages": messages, "memory_mb": grown}) + "\n", "utf-8"
    )
    for name, samples in grown.items():
        print(f"{name:10} {samples[0]:.1f} MB at first, {samples[len(samples) // 10]:.1f} after a tenth, "
              f"{samples[-1]:.1f} at last", file=sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main()
