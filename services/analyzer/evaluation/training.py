"""Training of the language model: `python -m services.analyzer.evaluation.training FOLDER`.

FOLDER has a folder for each language, named as in `languages.py`, with one snippet of code in each file. The folder
`prose` holds what is no code, and every other folder teaches the model which code to leave unnamed. The labelled
messages, except the unseen ones, are added. The result is `language_weights.py`; equal snippets give an equal file.

The model is a softmax regression on the presence of tokens and pairs of tokens, trained by stochastic gradient
descent. A first training finds the features that matter; a second one trains those alone. Small weights are dropped.
"""

import argparse
import heapq
import random
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from services.analyzer.code_detection import find_pieces
from services.analyzer.evaluation.scoring import load
from services.analyzer.languages import LANGUAGE_OF_INFO, PROSE, TENTHS, UNNAMED, features, probabilities

MODULE: Final = Path(__file__).parents[1] / "language_weights.py"
UNSEEN: Final = "independent"
SNIPPETS: Final = 8
"""Minimum number of snippets that have a feature; a rarer one says more about a file than about its language."""
LONGEST: Final = 24
"""Maximum length of a feature in characters."""
FEATURES: Final = 1_300
LEAST: Final = 2
"""Least weight that is stored, in tenths."""
SHRINKING: Final = 1e-3
REPEATS: Final = 8
"""How often each labelled message is read in a pass: they are few, and like what users write."""

Sample = tuple[frozenset[str], str]
Model = dict[str, list[float]]


def read(folder: Path) -> list[Sample]:
    """Return the features and the language of each snippet below `folder` and of the labelled messages' code."""
    named = {*LANGUAGE_OF_INFO.values(), PROSE}
    texts = [
        (path.read_text(encoding="utf-8"), name if name in named else UNNAMED)
        for path in sorted(folder.glob("*/*"))
        for name in [path.parent.name]
    ]
    for message in load():
        if message.split == UNSEEN:
            continue
        if not message.has_code:
            parts = dict.fromkeys([message.text, *message.text.split("\n")])
            texts += [(part, PROSE) for part in parts if part.strip()] * REPEATS
        elif len(message.languages) == 1:
            pieces, _ = find_pieces(message.text)
            texts += [
                (message.text[piece.start : piece.end], message.languages[0]) for piece in pieces
            ] * REPEATS
    return [(frozenset(features(text)), name) for text, name in texts]


def train(samples: Sequence[Sample], names: Sequence[str], known: frozenset[str], passes: int) -> Model:
    """Return the weights of the `known` features, one for each of `names`."""
    order = random.Random(1)  # noqa: S311 -- an order, not a secret
    place = {name: index for index, name in enumerate(names)}
    rows = [(sorted(present & known), place[language]) for present, language in samples]
    model: Model = {feature: [0.0] * len(names) for feature in sorted(known)}
    for number in range(passes):
        order.shuffle(rows)
        rate = 0.1 / (1 + number / 2)
        keep = 1 - rate * SHRINKING
        for present, right in rows:
            weights = [model[feature] for feature in present]
            likely = probabilities([sum(column) for column in zip(*weights, strict=True)])
            steps = [-rate * value for value in likely]
            steps[right] += rate
            for feature, row in zip(present, weights, strict=True):
                model[feature] = [keep * value + step for value, step in zip(row, steps, strict=True)]
    return model


def centred(row: Sequence[float]) -> list[float]:
    mean = sum(row) / len(row)
    return [value - mean for value in row]


def strongest(model: Model, prose: int, number: int) -> frozenset[str]:
    """Return the features that decide most: by their three greatest weights, and by what they say about prose."""
    worth = {}
    for feature, row in model.items():
        weights = centred(row)
        worth[feature] = sum(heapq.nlargest(3, map(abs, weights))) + abs(weights[prose])
    return frozenset(heapq.nlargest(number, worth, key=lambda feature: (worth[feature], feature))) | {""}


def written(model: Model, names: Sequence[str]) -> str:
    """Return the text of the module: a line for each feature with the places and weights of languages."""
    lines = []
    for feature, row in sorted(model.items()):
        weights = [round(TENTHS * value) for value in centred(row)]
        kept = [f"{place} {weight}" for place, weight in enumerate(weights) if abs(weight) >= LEAST]
        if kept:
            lines.append(feature.replace("\n", "\\n") + "\t" + " ".join(kept))
    return (
        '"""Weights of the language model, made by `evaluation/training.py`: not to be edited.\n\n'
        "A line is a feature, a tab, and the place of a language and its weight in tenths, for some languages.\n"
        'evaluation/README.md names what they were counted from.\n"""\n\n'
        "from typing import Final\n\n"
        f'LANGUAGES: Final = """{" ".join(names)}"""\n'
        f"WEIGHTS: Final = {_literal(lines)}\n"
    )


def _literal(lines: Sequence[str]) -> str:
    text = "\n".join(lines).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""\\\n{text}"""'


def main(arguments: list[str] | None = None) -> int:
    """Train the model and write its weights. Return the exit code: 0, or 2 for a folder without snippets."""
    parser = argparse.ArgumentParser(
        prog="python -m services.analyzer.evaluation.training",
        description="Trains the model that names the language of code, and writes its weights.",
    )
    parser.add_argument("folder", type=Path, help="Folder with a folder of snippets for each language.")
    parser.add_argument("--output", type=Path, default=MODULE, help="File to write; default: the module.")
    options = parser.parse_args(arguments)
    if not any(options.folder.glob("*/*")):
        sys.stderr.write(f"There are no snippets in {options.folder}; give one folder for each language.\n")
        return 2
    samples = read(options.folder)
    names = sorted({language for _, language in samples})
    counts = Counter(feature for present, _ in samples for feature in present)
    known = frozenset(
        feature for feature, count in counts.items() if count >= SNIPPETS and len(feature) <= LONGEST
    )
    first = train(samples, names, known, passes=3)
    second = train(samples, names, strongest(first, names.index(PROSE), FEATURES), passes=6)
    options.output.write_text(written(second, names), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
