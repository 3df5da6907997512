"""`python -m services.analyzer.evaluation`: the analyzer's scores on the labelled messages."""

import argparse
import sys
from typing import Any

import msgspec

from services.analyzer.evaluation import worst_case
from services.analyzer.evaluation.scoring import Report, Score, evaluate, load

EXAMPLES = """examples:
  python -m services.analyzer.evaluation                       every split, then all together
  python -m services.analyzer.evaluation --split dev --errors  one split, with the ids it gets wrong
  python -m services.analyzer.evaluation --json                for scripts
  python -m services.analyzer.evaluation --worst-case          CPU time of the hardest messages
"""


def main(arguments: list[str] | None = None) -> int:
    """Print the scores. Return the exit code: 0, or 2 for a split that does not exist."""
    parser = argparse.ArgumentParser(
        prog="python -m services.analyzer.evaluation",
        description="Scores of the analyzer on its labelled messages.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--split", help="Score only the messages of this split.")
    parser.add_argument("--errors", action="store_true", help="List the ids of misclassified messages.")
    parser.add_argument("--json", action="store_true", help="Print the scores as JSON.")
    parser.add_argument(
        "--worst-case", action="store_true", help="Measure the CPU time of the hardest messages instead."
    )
    options = parser.parse_args(arguments)
    if options.worst_case:
        _print(_worst_case(as_json=options.json))
        return 0
    reports = _reports(options.split)
    if not reports:
        sys.stderr.write(f"There is no split {options.split!r}; leave --split out to see them all.\n")
        return 2
    _print(_json(reports) if options.json else _table(reports, errors=options.errors))
    return 0


def _reports(only: str | None) -> list[Report]:
    messages = load()
    splits = list(dict.fromkeys(message.split for message in messages))
    chosen = [split for split in splits if only in (None, split)]
    reports = [evaluate([m for m in messages if m.split == split], split) for split in chosen]
    if only is None:
        reports.append(evaluate(messages, "all"))
    return reports


def _table(reports: list[Report], *, errors: bool) -> str:
    lines = [
        f"{'split':<12}{'messages':>9}  "
        f" {'decision':<9}{'precision':>10}{'recall':>8}{'F1':>7}{'language':>11}{'count':>8}"
    ]
    for report in reports:
        for name, score in (("code", report.code), ("question", report.question)):
            last = (
                f"{report.language_accuracy:>11.3f}{'':>8}"
                if name == "code"
                else f"{'':>11}{report.question_count_exact:>8.3f}"
            )
            first = f"{report.split:<12}{report.messages:>9}" if name == "code" else " " * 21
            lines.append(
                f"{first}  "
                f" {name:<9}{score.precision:>10.3f}{score.recall:>8.3f}{score.f1:>7.3f}{last}".rstrip()
            )
        if errors:
            lines += [f"    {kind}: {' '.join(ids)}" for kind, ids in report.errors.items() if ids]
    lines += [
        "",
        "language: the likeliest language is the labelled one; count: exactly the labelled"
        " number of questions",
    ]
    return "\n".join(lines)


def _json(reports: list[Report]) -> str:
    return _encoded(
        [msgspec.to_builtins(r) | {"code": _rates(r.code), "question": _rates(r.question)} for r in reports]
    )


def _rates(score: Score) -> dict[str, Any]:
    rates = {"precision": score.precision, "recall": score.recall, "f1": score.f1}
    return msgspec.structs.asdict(score) | rates


def _worst_case(*, as_json: bool) -> str:
    measured = worst_case.measure()
    if as_json:
        return _encoded(
            [{"message": name, "characters": chars, "cpu_ms": ms} for name, chars, ms in measured]
        )
    lines = [f"{'message':<24}{'characters':>11}{'CPU ms':>9}"]
    lines += [
        f"{name:<24}{characters:>11,}{milliseconds:>9.2f}" for name, characters, milliseconds in measured
    ]
    return "\n".join(lines)


def _encoded(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
