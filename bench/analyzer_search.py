"""Searches for the message that the analyzer takes longest for, as an attacker would do it.

A recipe is one or more texts, each repeated over its share of a message of maximum length. The first recipes are what
the analyzer looks for: its words, and texts that match its patterns, complete or truncated. They are mutated, and the
slowest survive. `§` in a recipe stands for another word in every repetition, so that no line is repeated.
"""

import importlib
import pkgutil
import random
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import services.analyzer
from bench.analyzer_messages import cut
from services.analyzer.core import analyze
from services.analyzer.evaluation.worst_case import REPEATED
from shared.contracts import limits

Recipe = tuple[str, ...]

# The only modules that parse a pattern into a tree. They have no type stubs.
codes: Any = importlib.import_module("re._constants")
parser: Any = importlib.import_module("re._parser")

COUNTER: Final = "§"
_SURVIVORS: Final = 40
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
_SEPARATORS: Final = (*" \n\t?.,;:!`\"'()[]{}<>=-_/\\|$#@*&。？", ". ", "? ", "\n\n", "\n- ", "\n  ", COUNTER)
_OTHERS: Final = "aZ0_é中 .,(\"'"


class Candidate(NamedTuple):
    milliseconds: float
    recipe: Recipe


def message(recipe: Recipe) -> str:
    """Return the message of maximum length for a recipe."""
    share = limits.MESSAGE_CHARS // len(recipe)
    parts = []
    for unit in recipe:
        times = share // max(1, len(unit)) + 1
        if COUNTER in unit:
            parts.append("".join(unit.replace(COUNTER, _word(number)) for number in range(times))[:share])
        else:
            parts.append((unit * times)[:share])
    return cut("".join(parts))


def _word(number: int) -> str:
    letters = _ALPHABET[number % 26]
    while number := number // 26:
        letters += _ALPHABET[number % 26]
    return letters


def cpu_milliseconds(text: str, runs: int = 1) -> float:
    """Return the shortest CPU time of `runs` analyses."""
    least = float("inf")
    for _ in range(runs):
        before = time.process_time_ns()
        analyze(text)
        least = min(least, (time.process_time_ns() - before) / 1e6)
    return least


def search(seconds: float, seed: int, progress: Callable[[float, float], None]) -> list[Candidate]:
    """Search for `seconds` and return the slowest recipes, slowest first. Reports `progress(time share, slowest)`."""
    chance = random.Random(seed)  # noqa: S311 (a search that can be repeated)
    fragments = list(_fragments(chance))
    end = time.monotonic() + seconds
    best: list[Candidate] = []
    untried: list[Recipe] = [(unit,) for unit in REPEATED.values()]
    untried += [(fragment + tail,) for fragment in fragments for tail in ("", f" {COUNTER}\n")]
    chance.shuffle(untried)
    while (left := end - time.monotonic()) > 0:
        fresh = not best or (untried and chance.random() < 0.3)
        recipe = untried.pop() if fresh and untried else _mutated(chance, best, fragments)
        text = message(recipe)
        cost = cpu_milliseconds(text)
        if len(best) < _SURVIVORS or cost > best[-1].milliseconds:
            candidate = Candidate(min(cost, cpu_milliseconds(text, 3)), recipe)
            best = _survivors([*best, candidate])
        progress(1 - left / seconds, best[0].milliseconds)
    remeasured = [
        Candidate(cpu_milliseconds(message(candidate.recipe), 7), candidate.recipe) for candidate in best
    ]
    return sorted(remeasured, reverse=True)


def _survivors(candidates: list[Candidate]) -> list[Candidate]:
    """Return the slowest candidates, at most three of a family, so that no family displaces all others."""
    families: dict[str, int] = {}
    kept = []
    for candidate in sorted(candidates, reverse=True):
        family = min(candidate.recipe)[:4]
        families[family] = families.get(family, 0) + 1
        if families[family] <= 3:
            kept.append(candidate)
    return kept[:_SURVIVORS]


def _mutated(chance: random.Random, best: list[Candidate], fragments: list[str]) -> Recipe:
    recipe = list(chance.choice(best[: chance.choice((3, 10, _SURVIVORS))]).recipe)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(len(recipe))
        unit = recipe[at]
        place = chance.randrange(len(unit) + 1)
        piece = chance.choice((chance.choice(fragments), chance.choice(_SEPARATORS)))
        match chance.randrange(8):
            case 0:
                unit = unit[:place] + piece + unit[place:]
            case 1:
                unit = unit + piece
            case 2:
                unit = unit[:place] + unit[place + chance.choice((1, 2, 5)) :]
            case 3:
                unit = unit[: max(1, place)] * chance.choice((2, 3, 10))
            case 4:
                unit = unit + chance.choice(chance.choice(best).recipe)
            case 5:
                unit = unit[place:] + COUNTER + unit[:place]
            case 6 if len(recipe) < 4:
                recipe.append(chance.choice(chance.choice(best).recipe))
            case _ if len(recipe) > 1:
                del recipe[at]
                continue
        recipe[at] = unit[:400] or " "
    return tuple(recipe)


def _fragments(chance: random.Random) -> Iterator[str]:
    """Yield the analyzer's words, and texts that match its patterns, complete and truncated."""
    words: set[str] = set()
    patterns: set[tuple[str, int]] = set()
    for module in pkgutil.iter_modules(services.analyzer.__path__):
        if module.name not in {"tests", "evaluation", "handler"}:
            values = vars(importlib.import_module(f"services.analyzer.{module.name}"))
            for name, value in values.items():
                if not name.startswith("__"):
                    _collect(value, words, patterns)
    yield from sorted(words)
    for pattern, flags in sorted(patterns):
        tree = parser.parse(pattern, flags)
        for _ in range(12):
            drawn = _drawn(tree, chance)
            yield drawn
            yield drawn[: len(drawn) * 2 // 3] or " "


def _collect(value: Any, words: set[str], patterns: set[tuple[str, int]]) -> None:
    if isinstance(value, re.Pattern):
        patterns.add((value.pattern, value.flags & re.IGNORECASE))
    elif isinstance(value, str):
        if len(value) <= 40:
            words.add(value or " ")
        if value.count("|") > 3 or "\\" in value:
            try:
                parser.parse(value)
            except re.error:
                return
            patterns.add((value, 0))
    elif isinstance(value, dict):
        for key, held in value.items():
            _collect(key, words, patterns)
            _collect(held, words, patterns)
    elif isinstance(value, (tuple, list, frozenset)):
        for held in value:
            _collect(held, words, patterns)


def _drawn(tree: Any, chance: random.Random) -> str:  # noqa: C901 (one case per kind of node)
    """Return a random text that matches the pattern's tree, whose assertions are ignored."""
    text = ""
    for code, argument in tree:
        if code is codes.LITERAL:
            text += chr(argument)
        elif code in (codes.ANY, codes.NOT_LITERAL):
            text += chance.choice(_OTHERS)
        elif code is codes.IN:
            text += _one_of(argument, chance)
        elif code is codes.BRANCH:
            text += _drawn(chance.choice(argument[1]), chance)
        elif code is codes.SUBPATTERN:
            text += _drawn(argument[-1], chance)
        elif code is codes.ATOMIC_GROUP:
            text += _drawn(argument, chance)
        elif code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, inner = argument
            times = chance.choice((least, min(least + 1, most), min(least + chance.randrange(80), most)))
            for _ in range(times):
                text += _drawn(inner, chance)
                if len(text) > 200:
                    break
    return text


def _one_of(choices: list[Any], chance: random.Random) -> str:
    code, argument = chance.choice(choices)
    if code is codes.LITERAL:
        return chr(argument)
    if code is codes.RANGE:
        return chr(chance.randint(*argument))
    return {codes.CATEGORY_SPACE: " ", codes.CATEGORY_DIGIT: "7", codes.CATEGORY_WORD: "a"}.get(
        argument, chance.choice(_OTHERS)
    )
