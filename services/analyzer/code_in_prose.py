"""Detection of unfenced code within a sentence: "why does df.groupby('a').sum() fail", "I ran rm -rf build/ and…".

A mere name (`list.sort()`, README.md, numpy, the <div> tag) is not code. An expression with arguments, a command
with options, a whole SQL statement, an element with a closing tag or an attribute, and a JSON object are.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final

from services.analyzer.code_piece import CodePiece, bare
from shared.contracts.v1 import CodeKind

_N: Final = r"[A-Za-z_$][\w$]{0,60}+"
_NAMES: Final = rf"{_N}(?:\.{_N}){{0,6}}"
_CALLS: Final = rf"(?:\.{_N}\([^()\n]{{0,80}}\))"

_compiled: Final = cache(re.compile)
"""Compile a pattern on first use; most messages need few."""

_PATTERNS: Final[tuple[tuple[CodeKind, tuple[str, ...], str], ...]] = (
    # kind · texts one of which must be in the message · pattern
    (
        "json",
        ('":', '" :'),
        (r"[{\[]\s{0,8}\"[^\"\n]{1,80}\"\s?:\s?(?:\"[^\"\n]{0,200}\"|[\w\[{.-])[^}\n]{0,400}[}\]]*"),
    ),
    (
        "markup",
        ("</", '="', "='", "/>"),
        (
            r"<(?P<tag>[a-zA-Z][\w:-]{0,30})(?:\s[^<>\n]{0,200})?>[^<\n]{0,200}</(?P=tag)>"
            r"|<[a-zA-Z][\w:-]{0,30}\s+[\w:@-]{1,40}\s?=\s?[\"'{][^<>\n]{0,200}>|<(?:br|hr|img"
            r"|input|[A-Z]\w{1,30})\s?/>"
        ),
    ),
    (
        "sql",
        (
            *("SELECT", "select", "UPDATE", "update", "INSERT INTO", "insert into"),
            *("DELETE FROM", "delete from", "ALTER TABLE", "DROP TABLE"),
        ),
        (
            r"\b(?:SELECT\s[\w.,*()\s'\"=]{1,160}?\sFROM\s+(?!(?:MY|THE|A|AN|YOUR|THIS|OUR|ALL"
            r"|THAT)\b)[\w.]+(?:\s+(?:WHERE|JOIN|ORDER BY|GROUP BY|LIMIT)\s[^?\n]{1,100})?"
            r"|select\s+(?:\*|[\w.]+\([\w.*]*\)|[\w.]+\s?,\s?[\w.]+)\s[^?\n]{0,80}?from\s+(?!the\b"
            r"|a\b|my\b|your\b|this\b|our\b)[\w.]+"
            r"|(?:UPDATE|update)\s+\w+\s+(?:SET|set)\s+\w+\s?=\s?\S+|(?:INSERT INTO"
            r"|insert into)\s+\w+\s?(?:\(|VALUES|values)"
            r"|(?:DELETE FROM|delete from)\s+\w+\s+(?:WHERE|where)\s+\w+\s?[=<>]"
            r"|ALTER TABLE \w+ (?:ADD|DROP)\b|DROP TABLE \w+)"
        ),
    ),
    (
        "shell",
        (" -", "&&"),
        (
            r"\b(?:git|npm|npx|yarn|pip3?|docker|kubectl|helm|aws|terraform|chmod|curl|wget|ssh"
            r"|scp|rsync|apt-get|apt|brew|cargo|rm|cp|mv"
            r"|ls|grep|tar|sed|find|ps|kill|systemctl|python3?|node|pytest|mvn|gcc|ffmpeg|du|df|openssl|iex|opam|composer|php"
            r"|ruby|perl|java|deno|bun|pnpm|gh|uv|poetry|conda|gradle|dotnet|flutter|rustup|psql|mysql|redis-cli"
            r"|journalctl|nix|nmap|dig|wc|head|awk|xargs|vagrant|ansible-playbook|caddy|nginx|nohup"
            r"|bundle exec [a-z]+|sudo [a-z-]+|make|go|cat|tail|ping)"
            r"(?: (?:(?!and |or |the |with |is "
            r"|to )[\w./:=@~$*'\"-]{1,60})){0,4} --?[a-zA-Z][\w=./-]*(?: (?:[./~$*-]"
            r"|\w{1,40}[./:=])\S{0,120}){0,6}|\b(?:cd|mkdir|make|npm \w+|git \w+) [\w./-]+ && \S+"
        ),
    ),
    (
        "bare",
        ("(",),
        (
            rf"\b(?:(?={_NAMES}\()(?:{_NAMES}"
            rf"\((?:[\"'\[{{]|{_N} ?=[^=]|{_N}\.{_N}|\w{{1,40}}, ?[\"'\[\w]+_|lambda )"
            rf"[^\n()]{{0,160}}(?:\([^\n()]{{0,80}}\)[^\n()]{{0,80}}){{0,4}}\){_CALLS}{{0,6}}"
            rf"|{_N}(?:\.{_N}){{1,6}}\([^\s()][^\n()]{{0,120}}\){_CALLS}{{0,6}}|{_NAMES}\(\){_CALLS}{{1,6}})"
            r"|[a-z]+_\w{1,60}\([^\s()][^\n()]{0,120}\)(?!\.\w+(?!\()|:\s)"
            r"|\b[a-z]{2,30}[A-Z]\w{1,40}\([^\s()][^\n()]{0,120}\)(?!\.\w+(?!\()|:\s)"
            r"|(?:for|while|if) ?\([^()\n]{0,80}(?:;|[=!<>]=)[^()\n]{0,80}\) ?\{"
            r"|new [A-Z]\w{1,40}\([^()\n]{0,80}\)|(?:defer|await|throw|yield"
            r"|raise) \w{1,40}(?:\.\w{1,40}){0,4}\([^()\n]{0,80}\)"
            r"|def \w{1,60}\([^()\n]{0,100}\) ?:|function \w{0,60}\([^()\n]{0,100}\) ?\{"
            r"|fn \w{1,40}\(|print\([^()\n]{1,80}\)|len\(\w+\))"
            r"|=[A-Z]{2,20}\([^\n]{1,100}\)|\(\) ?=> ?\S"
        ),
    ),
    (
        "bare",
        ("==", "=>", "++", "&&", "!=", "||"),
        (
            rf"(?<![A-Za-z_$][A-Za-z_$]){_N}[\w.\[\]]{{0,60}}+ ?(?:===?|!==?|&&|\|\|) ?[\w\"'$!]"
            rf"|\) ?=> ?[\w{{(]|[(=,] ?[a-z]\w{{0,20}} ?=> ?[\w{{(]"
            rf"|\b[a-z]\w{{0,20}}\+\+(?=[\s;)]|$)(?<!c\+\+)"
        ),
    ),
    (
        "bare",
        ("=", ": true", ": false", ": null", ': "', ": '", ": [", ": {"),
        (
            rf"\b(?:(?:const|let|var) (?:\[[^\]\n]{{1,60}}\]|\{{[^}}\n]{{1,60}}\}}) ?= ?\S+"
            rf"|(?:const|let|var|int|String|auto|val) {_N} ?= ?\S+"
            rf"|(?:int|String|double|float|char|boolean|long)(?:\[\])? {_N} ?= ?(?:new |[\d\"'{{-])\S*"
            rf"|{_N}(?:\.{_N}){{0,4}}(?<=[\w$][\w$]) ?= ?(?:\[[^\]\n]{{0,120}}\]"
            rf"|\{{[^}}\n]{{0,60}}[\"\':][^}}\n]{{0,60}}\}}|\"[^\"\n]{{0,120}}\""
            rf"|'[^'\n]{{1,120}}'(?!\w)|new \w+|{_N}(?:\.{_N}){{0,4}}\([^()\n]{{0,100}}\)))"
            r"|(?<![\w,\"'.-])(?=[A-Za-z_])"
            r"(?:[\w.-]{3,61}+ ?= ?\$?(?:true|false|True|False|TRUE|FALSE|None|null|nil)\b(?!,\S)"
            r"|\w{1,41}+(?:\.[A-Za-z_]\w{0,40}+){1,4}+ = [\w$\"'\[{-]|[a-z]\w{2,40}+=\"[^\"\n]{1,80}\")"
            r"|\{ ?[a-zA-Z_]\w{0,40}: (?:true|false|null|\d|\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'|\[|\{)[^\n{}]{0,120}\}"
        ),
    ),
    (
        "bare",
        (" for ", "import ", "std::", "#include", "lambda "),
        (
            r"\[[\w.()*+ ]{1,60} for \w{1,30} in [\w.()\[\]]{1,60}[^\]\n]{0,60}\]"
            r"|\bfrom [\w.]{1,60} import \w+|\bimport [a-z]\w{0,30}(?:\.\w{1,30}){2,6}"
            r"|\bimport \w{1,40} as \w+|#include ?<\w+"
            r"|\blambda \w{1,20}(?:, ?\w{1,20})?: ?\S|\bstd::\w+<"
        ),
    ),
    ("shell", ("* *",), r"(?<!\S)(?:[*\d][\d*/,-]{0,16} ){4}[*\d][\d*/,-]{0,16}(?: [/~]\S+)?"),
    (
        "markup",
        ("\\begin", "\\end", "\\use", "\\text", "\\sect", "\\inc", "\\new"),
        (
            r"\\(?:begin|end|usepackage|documentclass|textbf|textit|section|includegraphics"
            r"|newcommand)(?:\[[^\]\n]{0,60}\])?\{[^}\n]{1,60}\}"
        ),
    ),
    (
        "bare",
        ("\\d", "\\w", "\\s", "\\b", "[a-z", "[A-Z", "[0-9"),
        (r"[^\s\w]{0,20}(?:\\[dwsb][+*?{)]|\[\^?(?:a-z|A-Z|0-9)[^\]\s]{0,40}\](?:[+*?]|\{\d))\S{0,120}"),
    ),
    (
        "bare",
        ("{",),
        (
            r"\b[a-z_][\w.]{0,60}+ ?\{ ?\|\w{1,20}(?:, ?\w{1,20})?\|[^}\n]{1,80}\}"
            r"|[.#]?(?<![a-zA-Z])[a-zA-Z][\w-]{0,40}+(?: ?[>+~] ?[a-z]++)? ?\{ ?[a-z-]{2,40} ?: ?[^;{}\n]{1,80};"
            r"[^{}\n]{0,200}\}"
            r"|\$\{\w{1,40}\}"
        ),
    ),
)


_MARKS_OF: Final = {
    needle: "["
    if needle == " for "
    else "".join(char for char in needle if not char.isalnum() and char != " ")
    for _, needles, _ in _PATTERNS
    for needle in needles
}
"""Special characters by needle, without which no match contains it."""
_MARKS: Final = frozenset("".join(_MARKS_OF.values()))
"""All of them. Proving one character absent is much faster than searching a whole needle."""
_REACH: Final = 500
"""Maximum length of a match in characters, and so its maximum distance from the needle it contains."""


def scattered(text: str, at_most: int) -> Iterator[CodePiece]:
    """Yield the pieces of code within the prose of `text`, pattern by pattern, at most `at_most` for each."""
    absent = {mark for mark in _MARKS if mark not in text}
    for kind, needles, pattern in _PATTERNS:
        number = 0
        for start, end in _neighbourhoods(
            text, [needle for needle in needles if absent.isdisjoint(_MARKS_OF[needle])]
        ):
            for match in _compiled(pattern).finditer(text, start, end):
                yield bare(kind, match.start(), match.end())
                number += 1
                if number == at_most:
                    break
            if number == at_most:
                break


def _neighbourhoods(text: str, needles: Sequence[str]) -> list[tuple[int, int]]:
    """Return the parts of lines in which a pattern that needs one of `needles` can match, in order and disjoint."""
    parts: list[tuple[int, int]] = []
    for needle in needles:
        at = text.find(needle)
        while at >= 0:
            start = max(text.rfind("\n", max(0, at - _REACH), at) + 1, at - _REACH, 0)
            line_end = text.find("\n", at + len(needle), at + _REACH)
            end = line_end if line_end >= 0 else min(at + _REACH, len(text))
            if needle != " for " or text.find("[", start, at) >= 0:
                parts.append((start, end))
            at = text.find(needle, end)
    if len(parts) < 2:
        return parts
    parts.sort()
    merged = [parts[0]]
    for start, end in parts[1:]:
        if start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
