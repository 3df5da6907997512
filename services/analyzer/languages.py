"""Guesses of the programming language of a piece of code.

A few texts give a language away. Otherwise a softmax regression decides: a token, or a pair of neighbouring tokens,
has a whole-number weight for some languages (`language_weights.py`), and the weights of all are added up.
A language is named if it is likely enough; languages that the model does not know, and pieces that fit several, get
none. `clues` shows the weights behind a decision, and `evaluation/training.py` makes them.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Final

LOOKED_AT_CHARS: Final = 512
"""Characters examined at the beginning of a piece of code."""
PIECES: Final = 6
"""Maximum number of pieces of a message whose language is guessed."""
LIKELY_ENOUGH: Final = 0.65
"""Least probability of a language that is named."""
UNNAMED: Final = "-"
"""The model's name for all languages that are never named."""
PROSE: Final = "prose"
"""The model's name for whatever is no code."""
TENTHS: Final = 10
"""Weights are stored as whole tenths."""
_BITS: Final = 32
_MIDDLE: Final = 2 ** (_BITS - 1)
_NOUGHT: Final = _MIDDLE.to_bytes(_BITS // 8, "little")
"""A weight of 0 in a place of `_BITS`: its middle, so that no sum of weights is negative."""

Suggestion = tuple[str, int]
"""A language, and what is added to its score, in tenths."""

_ALIASES: Final = """
python: py python python3 py3 ipython pycon jupyter
javascript: js javascript jsx node mjs
typescript: ts typescript tsx
java: java
kotlin: kotlin kt
swift: swift
c: c h
c++: cpp c++ cc cxx hpp
c#: cs csharp c# dotnet
go: go golang
rust: rust rs
ruby: ruby rb
php: php
bash: bash sh shell zsh console terminal shell-session fish
powershell: powershell ps1 pwsh
sql: sql mysql postgres postgresql sqlite plsql tsql psql
json: json jsonc json5
yaml: yaml yml
toml: toml
ini: ini cfg conf
html: html htm vue svelte
xml: xml svg
css: css scss less sass
dockerfile: dockerfile docker
diff: diff patch
r: r
scala: scala
haskell: haskell hs
lua: lua
perl: perl pl
elixir: elixir ex exs
dart: dart
julia: julia jl
matlab: matlab octave
latex: latex tex
terraform: hcl terraform tf
makefile: make makefile
graphql: graphql gql
excel: excel
regex: regex regexp
"""
LANGUAGE_OF_INFO: Final[dict[str, str]] = {
    alias: language
    for language, aliases in (line.split(": ") for line in _ALIASES.strip().splitlines())
    for alias in aliases.split()
}
"""The language for each name that a fence's info string may contain."""

_GIVEAWAYS: Final[tuple[tuple[str, str | None], ...]] = (
    ("Traceback (most recent call last)", "python"),
    ('File "', "python"),
    (">>> ", "python"),
    (".kt:", "kotlin"),
    (".java:", "java"),
    (".cs:line ", "c#"),
    (".rb:", "ruby"),
    (".rs:", "rust"),
    (".go:", "go"),
    ("<?php", "php"),
    ("#!/bin/bash", "bash"),
    ("#!/bin/sh", "bash"),
    ("diff --git ", "diff"),
    ("PS C:", "powershell"),
    (") !void", None),  # Zig, which looks like Rust
    ('= @import("', None),
    ("[tool.", "toml"),
    ("using System", "c#"),
    ("Console.Write", "c#"),
    ("System.out.", "java"),
    ("<?xml", "xml"),
    ("Widget build(", "dart"),
    ("{ req in", "swift"),
    ("new {", "c#"),
    ("(&self", "rust"),
    ("(&mut self", "rust"),
    ("ggplot(", "r"),
    ("\\\\ %{", "elixir"),
    ("#include <iostream>", "c++"),
)
"""Texts of code or stack traces of one language alone, the surest first; None: of a language without a name here."""
_ADDED: Final = re.compile(r"(?m)^\+(?!\+)\s*+\S")
_REMOVED: Final = re.compile(r"(?m)^-(?!-)\s*+\S")
_INSTRUCTION: Final = re.compile(
    r"(?m)^(?:FROM|RUN|COPY|ADD|ENV|ARG|WORKDIR|EXPOSE|CMD|ENTRYPOINT|LABEL|USER|VOLUME) "
)
_DOCKERFILE: Final = re.compile(r"(?m)^(?:RUN \S|COPY \S|WORKDIR /|ENTRYPOINT \[|FROM [a-z][\w./:-]*+$)")
_DOCKERFILE_WORDS: Final = ("RUN ", "COPY ", "WORKDIR ", "ENTRYPOINT ", "FROM ")
_TYPED: Final = re.compile(
    r"\b(?:interface|enum|namespace|type) [A-Z]\w*(?:<| =| \{| extends)|\bimport type\b"
    r"|: (?:string|number|boolean|any|void|unknown|never|[A-Z]\w*+(?:<|\[\]| =[^=>]|\) ?[{=]))|\w\?: "
    r"|\bas (?:const|string|number|any|[A-Z])|\b(?:private|public|readonly|declare|abstract) \w|\w<[A-Z]\w*>\("
)
"""What TypeScript has and JavaScript lacks."""
_FORMULA: Final = re.compile(r"=[A-Z]{2,12}\(")
_EXPRESSION: Final = re.compile(r"\\[dwsDWS]|\[\^?[a-zA-Z0]-|\(\?[:=!<]")
_SQL_STARTS: Final = (
    "insert into ",
    "update ",
    "delete from ",
    "create table ",
    "alter table ",
    "drop table ",
    "create index ",
)
_YAML: Final = re.compile(r"\s*+(?:- |[\w./-]++:(?:\s|$)|$)")
_TOKEN: Final = re.compile(r" ?(?:[^\W\d]\w*+|\d++|[^\w\s]{1,2})|\n")


def guess_languages(codes: Iterable[tuple[str, Suggestion | None]]) -> Iterator[str | None]:
    """Yield the likeliest language of each piece, or None where none is likely enough.

    With each piece comes what its kind suggests, if anything.
    """
    for number, (code, suggested) in enumerate(codes):
        yield _guess(code, suggested) if number < PIECES else None


def features(code: str) -> set[str]:
    """Return the tokens at the beginning of `code`, the pairs of neighbouring ones, and "" for the bias.

    A pair is there twice: as it is, and, behind a tilde, with the shapes of its words. Numbers are alike. A space
    between the tokens belongs to the pair. `~3` and `~6` say how many words follow each other without a mark.
    """
    present = {""}
    before = shape_before = "\n"
    words = 0
    for token in _TOKEN.findall(f"{code[:LOOKED_AT_CHARS].strip()}\n"):
        word = token.lstrip(" ")
        space = " " if token[0] == " " else ""
        shape = word
        if word[0].isdigit():
            word = shape = "0"
        elif word[0].isalpha() or word[0] == "_":
            shape = _shape(word)
        elif word == before == "\n":
            continue
        words = words + 1 if space and shape in "wW" else words if word == "," else 0
        if words in (3, 6):
            present.add(f"~{words}")
        present.add(word)
        present.add(before + space + word)
        present.add("~" + shape_before + space + shape)
        before, shape_before = word, shape
    return present


def _shape(word: str) -> str:
    """Return N for a word in capitals, w and W for plain ones, X for a compound name."""
    if "_" in word:
        return "X"
    if word.islower():
        return "w"
    if len(word) > 1 and word.isupper():
        return "N"
    return "W" if len(word) == 1 or word[1:].islower() else "X"


def probabilities(scores: Sequence[float]) -> list[float]:
    most = max(scores)
    powers = [math.exp(score - most) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def clues(code: str, language: str) -> list[tuple[int, str]]:
    """Return the features of `code` that speak for or against `language`, the strongest first, with their weights."""
    names, known = _model()
    place = names.index(language)
    found = [(dict(_weights(feature)).get(place, 0), feature) for feature in features(code) & known.keys()]
    return sorted((clue for clue in found if clue[0]), key=lambda clue: (-abs(clue[0]), clue[1]))


@cache
def _model() -> tuple[list[str], dict[str, str]]:
    """Return the names of the languages, and for each feature the text of its weights."""
    from services.analyzer import language_weights  # noqa: PLC0415 -- hardly any prose needs it

    rows = (line.rpartition("\t") for line in language_weights.WEIGHTS.split("\n"))
    return language_weights.LANGUAGES.split(), {
        feature.replace("\\n", "\n"): weights for feature, _, weights in rows
    }


@cache
def _weights(feature: str) -> tuple[tuple[int, int], ...]:
    """Return the places of the languages that a feature of the model speaks for or against, and its weights."""
    numbers = [int(number) for number in _model()[1][feature].split()]
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _guess(code: str, suggested: Suggestion | None) -> str | None:  # noqa: PLR0911 (the surest clue first)
    beginning = code[:LOOKED_AT_CHARS].strip()
    if _is_query(beginning.lower()):
        return "sql"
    for text, language in _GIVEAWAYS:
        if text in beginning:
            return language
    if _is_diff(beginning):
        return "diff"
    if any(word in beginning for word in _DOCKERFILE_WORDS) and _DOCKERFILE.search(beginning):
        return "dockerfile"
    if _FORMULA.match(beginning):
        return "excel"
    if beginning[0] in "/^\\([" and len(beginning.split()) == 1 and _EXPRESSION.search(beginning):
        return "regex"
    if not suggested and all(map(_YAML.match, beginning.splitlines())):
        suggested = ("yaml", 15)
    likely = _likely(beginning, suggested)
    likely.pop(PROSE)
    name = max(likely, key=likely.__getitem__)
    if name == UNNAMED or likely[name] < LIKELY_ENOUGH * sum(likely.values()):
        return None
    return _corrected(name, beginning)


@cache
def _packed(feature: str) -> int:
    """Return the weights of a feature as one number with `_BITS` for each place, so that one sum adds them all."""
    return sum(weight << _BITS * place for place, weight in _weights(feature))


def _is_query(lowered: str) -> bool:
    lead = lowered.lstrip("( \n")
    if lead.startswith("with "):
        return " as (" in lowered and "select" in lowered
    return lead.startswith(_SQL_STARTS) or (
        lead.startswith("select") and " from " in lowered.replace("\n", " ")
    )


def _is_diff(code: str) -> bool:
    if "\n+" not in code and code[0] != "+":
        return False
    added = len(_ADDED.findall(code))
    return added > 0 and (_REMOVED.search(code) is not None or 2 * added > code.count("\n"))


def _corrected(name: str, code: str) -> str | None:
    if name == "dockerfile" and not _INSTRUCTION.search(code):
        return None
    if name in {"javascript", "typescript"} and _TYPED.search(code):
        return "typescript"
    if name == "typescript":
        return None  # without a type it may be either
    return "c++" if name == "c" and "::" in code else name


def _likely(code: str, suggested: Suggestion | None = None) -> dict[str, float]:
    """Return the probability of each language, of none of them, and of prose."""
    names, known = _model()
    total = sum(map(_packed, features(code) & known.keys()), int.from_bytes(_NOUGHT * len(names), "little"))
    if suggested:
        total += suggested[1] << _BITS * names.index(suggested[0])
    scores = memoryview(total.to_bytes(len(_NOUGHT) * len(names), "little")).cast("I")
    return dict(zip(names, probabilities([(score - _MIDDLE) / TENTHS for score in scores]), strict=True))


def prose_probability(text: str) -> float:
    """Return how likely `text` is prose, a log or a table rather than code of any language."""
    return _likely(text)[PROSE]
