"""`make bench PART=soak`: 100,000 messages through each function, in batches; its memory must not grow."""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.end_to_end.machine import machine
from bench.functions.subjects import Subject, subjects
from bench.functions.tls import SecureAws
from infra.environments import Sizing
from infra.functions import API

RESULTS = Path(__file__).parents[1] / "results" / "soak.json"
BATCH = Sizing().batch_size
SAMPLES = 100


def soak(subject: Subject, aws: SecureAws, messages: int) -> list[float]:
    """Return the resident memory in megabytes, sampled `SAMPLES` times."""
    size = 1 if subject.name == API.name else BATCH
    every = max(1, messages // size // SAMPLES)
    with subject.start(aws) as function:
        samples = []
        for number in range(messages // size):
            function.invoke(subject.event(size))
            if number % every == every - 1:
                samples.append(function.memory_mb())
        return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--messages", type=int, default=100_000, help="messages for each function (default: 100000)"
    )
    messages = parser.parse_args().messages
    about: dict[str, Any] = machine()
    with (
        tempfile.TemporaryDirectory() as scratch,
        subjects(Path(scratch), ()) as (own, aws),
        ThreadPoolExecutor(2) as pool,
    ):
        memory_mb = dict(
            zip(
                own,
                pool.map(lambda subject: soak(subject, aws, messages), own.values()),
                strict=True,
            )
        )
    RESULTS.write_text(
        json.dumps({"machine": about, "messages": messages, "memory_mb": memory_mb}) + "\n", "utf-8"
    )
    for name, samples in memory_mb.items():
        print(f"{name:10} {samples[0]:.1f} MB at the start, {samples[len(samples) // 10]:.1f} after 10%, "
              f"{samples[-1]:.1f} at the end", file=sys.stdout)  # fmt: skip


if __name__ == "__main__":
    main()
