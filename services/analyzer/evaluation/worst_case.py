"""The CPU time of the longest messages, made of the texts that are hardest for the patterns."""

import time
from collections.abc import Iterator
from typing import Final

from services.analyzer.core import analyze
from services.analyzer.evaluation.scoring import load
from shared.contracts import limits

REPEATED: Final = {
    "spaces": " ",
    "newlines": "\n",
    "newline, space": "\n ",
    "tabs": "\t",
    "letters": "a",
    "short words": "a ",
    "short lines": "a\n",
    "short sentences": "a. ",
    "capital sentences": "A. ",
    "questions": "a? ",
    "why": "why ",
    "what is the": "what is the ",
    "i wonder": "i wonder ",
    "commas": "a, how do i ",
    "dots": ".",
    "dot, quote": '."',
    "ellipses": "...a",
    "question marks": "?",
    "exclamations": "!?",
    "semicolons": ";",
    "digits": "7",
    "numbers": "3.14 ",
    "backticks": "`",
    "inline code": "`a`",
    "uneven backticks": "` `` ",
    "open fences": "```a",
    "fences": "```\na\n```\n",
    "tildes": "~",
    "tilde fences": "~~~\n",
    "open brackets": "(",
    "calls": "a(",
    "calls with arguments": "a.b('c')",
    "nested calls": "f(x(",
    "open braces": "{",
    "open squares": "[",
    "less than": "<",
    "open tags": "<a ",
    "tags": "<a>",
    "closing tags": "</a>",
    "attributes": '<a b="',
    "quotes": '"',
    "apostrophes": "'",
    "json keys": '{"a":',
    "colons": ":",
    "key lines": "a:\n",
    "yaml": "a:\n  b: c\n",
    "equals": "=",
    "assignments": "a = b\n",
    "arrows": "=> ",
    "ampersands": "&&",
    "sql": "select a, ",
    "SQL": "SELECT a ",
    "select from": "select * from ",
    "shell": "git push -a ",
    "git": "git ",
    "prompts": "$ a\n",
    "dollars": "$",
    "backslashes": "\\",
    "\\d": "\\d+",
    "[a-z]": "[a-z",
    "slashes": "/",
    "urls": "http://a?b ",
    "for in": "[x for x in ",
    "lambda": "lambda x, ",
    "css": "a{b:c;",
    "css line": ".a .a ",
    "def": "def a(",
    "import": "from a import ",
    "ifs": "if a == b:\n",
    "ors": "a || ",
    "javascript line": "let a: ",
    "java line": "public static ",
    "typed arrays": "int[] a = ",
    "predicates": "return a if b.c? && ",
    "Roman numbers": "XIV. a ",
    "trace line": "at a.b(",
    "File": 'File "a", line ',
    "emails": "a@",
    "underscores": "_",
    "stars": "*",
    "hyphens": "-",
    "list items": "- a\n",
    "numbered": "1. a\n",
    "hashes": "# ",
    "table": "| a ",
    "emoji": "😀",
    "ZWJ": "👩‍",
    "joiners": "\u200d",
    "skin tones": "👍🏽",
    "flags": "🇩🇪",
    "keycaps": "1️⃣",
    "combining marks": "\u0301",
    "letter with marks": "e\u0301\u0323",
    "Han": "中",
    "Han questions": "什么？",
    "Han words": "怎么 ",
    "kana": "か",
    "katakana": "カ",
    "Japanese": "何か、",
    "Hangul": "왜 까 ",
    "Korean": "어떻게",
    "Thai": "ไหม",
    "Arabic": "هل ؟ ",
    "Hindi": "क्या ",
    "danda": "क।",
    "Turkish": "ş mi ",
    "Russian": "как ли ",
    "Vietnamese": "đ không",
    "Greek": "α; ",
    "Greek questions": "τι α, ποια ",
    "Spanish": "ñ, de qué ",
    "French": "la peut-il ",
    "French, one word": "la-il-",
    "Thai questions": "ใดๆ กี่",
    "Turkish clauses": "bir nasıl ",
    "Vietnamese questions": "một nào ",
    "in what": "the in what a",
    "ordinals": "am 6. ",
    "controls": "\x00",
    "surrogate-free astral": "𠀀",
    "non-breaking spaces": "\u00a0",
    "zero-width spaces": "\u200b",
    "line separators": "\u2028",
    "carriage returns": "\r\n",
    "¿": "¿a ",
    "dr.": "dr. ",
    "tags,": "a, isn't it ",
    "right?": ", right",
    "brackets and quotes": '.")]',
    "regex classes": "[a-z0-9",
    "stack frames": "\tat a(b:1)\n",
    "python lines": "x = foo(1)\n",
    "log lines": "10:00:00.1 a\n",
    "times": "10:00 ",
    "settings": "a_b: 1\n",
    "cmdlets": "Get-Item -A | ",
    "objects": "{a: 1, ",
    "dotted values": "ab.cd = e ",
    "added lines": "-a\n+b\n",
    "c lines": "int a = b;\n",
    "prose": "The quick brown fox jumps over the lazy dog, doesn't it. ",
}
"""Texts by name, each repeated up to the longest permitted message."""


def longest(unit: str, characters: int = limits.MESSAGE_CHARS) -> str:
    """Repeat `unit` up to the longest message that the contract permits."""
    by_bytes = limits.MESSAGE_BYTES // max(1, len(unit.encode()))
    return (unit * min(by_bytes, characters // len(unit) + 1))[:characters]


def messages() -> Iterator[tuple[str, str]]:
    for name, unit in REPEATED.items():
        yield name, longest(unit)
    everything = "\n\n".join(message.text for message in load())
    yield "all labelled messages", everything[: limits.MESSAGE_CHARS]
    prose = "\n\n".join(message.text for message in load() if not message.has_code)
    yield "labelled prose", prose[: limits.MESSAGE_CHARS]
    code = "\n".join(message.text for message in load() if message.has_code and "`" not in message.text)
    yield "labelled code", code[: limits.MESSAGE_CHARS]


def measure(repeats: int = 5) -> list[tuple[str, int, float]]:
    """Return name, characters and least CPU milliseconds of `repeats` runs per message, the slowest first."""
    measured = []
    for name, text in messages():
        best = float("inf")
        for _ in range(repeats):
            before = time.process_time_ns()
            analyze(text)
            best = min(best, (time.process_time_ns() - before) / 1e6)
            if best > 200:
                break
        measured.append((name, len(text), best))
    return sorted(measured, key=lambda row: -row[2])
