"""Unfenced code within a sentence: "why does df.groupby('a').sum() fail", "I ran rm -rf build/ and…".

A mere name (`list.sort()`, README.md, numpy, the <div> tag) is no code; an expression with arguments, a
command with options, a whole SQL statement, an element with its closing tag or an attribute, a JSON object is.
"""

import re
from collections.abc import Iterator
from typing import Final

from services.analyzer.found import Found, bare
from shared.contracts.v1 import CodeKind

_N: Final = r"[A-Za-z_$][\w$]{0,60}"

_PATTERNS: Final[tuple[tuple[CodeKind, tuple[str, ...], re.Pattern[str]], ...]] = (
    # kind · texts one of which must be in the message · pattern
    (
        "json",
        ('":', '" :'),
        re.compile(
            r"[{\[]\s{0,8}\"[^\"\n]{1,80}\"\s?:\s?(?:\"[^\"\n]{0,200}\"|[\w\[{.-])[^}\n]{0,400}[}\]]*"
        ),
    ),
    (
        "markup",
        ("</", '="', "='", "/>"),
        re.compile(
            r"<(?P<tag>[a-zA-Z][\w:-]{0,30})(?:\s[^<>\n]{0,200})?>[^<\n]{0,200}</(?P=tag)>"
            r"|<[a-zA-Z][\w:-]{0,30}\s+[\w:@-]{1,40}\s?=\s?[\"'{][^<>\n]{0,200}>|<(?:br|hr|img|input|[A-Z]\w{1,30})\s?/>"
        ),
    ),
    (
        "sql",
        ("SELECT", "select", "UPDATE", "update", "INSERT", "insert", "DELETE", "delete", "ALTER", "DROP"),
        re.compile(
            r"\b(?:SELECT\s[\w.,*()\s'\"=]{1,160}?\sFROM\s+[\w.]+(?:\s+(?:WHERE|JOIN|ORDER BY|GROUP BY|LIMIT)\s[^?\n]{1,100})?"
            r"|select\s+(?:\*|[\w.]+\([\w.*]*\)|[\w.]+\s?,\s?[\w.]+)\s[^?\n]{0,80}?from\s+(?!the\b|a\b|my\b|your\b|this\b|our\b)[\w.]+"
            r"|(?:UPDATE|update)\s+\w+\s+(?:SET|set)\s+\w+\s?=\s?\S+|(?:INSERT INTO|insert into)\s+\w+\s?(?:\(|VALUES|values)"
            r"|(?:DELETE FROM|delete from)\s+\w+\s+(?:WHERE|where)\s+\w+\s?[=<>]|ALTER TABLE \w+ (?:ADD|DROP)\b|DROP TABLE \w+)"
        ),
    ),
    (
        "shell",
        (" -", "&&"),
        re.compile(
            r"\b(?:git|npm|npx|yarn|pip3?|docker|kubectl|helm|aws|terraform|chmod|curl|wget|ssh|scp|rsync|apt-get|apt|brew|cargo|rm|cp|mv"
            r"|ls|grep|tar|sed|find|ps|kill|systemctl|python3?|node|pytest|mvn|gcc|ffmpeg|du|df|sudo [a-z-]+|make|go|cat|tail|ping)"
            r"(?: (?:(?!and |or |the |with |is |to )[\w./:=@~$*'\"-]{1,60})){0,4} --?[a-zA-Z][\w=./-]*(?: (?:[./~$*-]|\w+[./:=])\S*)*|\b(?:cd|mkdir|make|npm \w+|git \w+) [\w./-]+ && \S+"
        ),
    ),
    (
        "bare",
        ("(",),
        re.compile(
            rf"\b{_N}(?:\.{_N}){{0,6}}\((?:[\"'\[{{]|{_N} ?=[^=]|{_N}\.{_N}|\w{{1,40}}, ?[\"'\[\w]+_|lambda )[^\n()]{{0,160}}(?:\([^\n()]{{0,80}}\)[^\n()]{{0,80}}){{0,4}}\)"
            rf"|\b{_N}(?:\.{_N}){{1,6}}\([^\s()][^\n()]{{0,120}}\)|\b[a-z]+_\w{{1,60}}\([^\s()][^\n()]{{0,120}}\)|\)\.{_N}\(|\b(?:for|while|if) ?\([^()\n]{{0,80}}(?:;|[=!<>]=)[^()\n]{{0,80}}\) ?\{{"
            r"|\bdef \w{1,60}\([^()\n]{0,100}\) ?:|\bfunction \w{0,60}\([^()\n]{0,100}\) ?\{|\bfn \w{1,40}\(|=[A-Z]{2,20}\([^\n]{1,100}\)|\(\) ?=> ?\S|\bprint\(\S{1,80}\)|\blen\(\w+\)"
        ),
    ),
    (
        "bare",
        ("==", "=>", "++", "&&", "!=", "||"),
        re.compile(
            rf"(?:{_N}[\w.\[\]]{{0,60}}) ?(?:===?|!==?|&&|\|\|) ?[\w\"'$!]|[\w)] => [\w{{(]|\b[a-z]\w{{0,20}}\+\+(?=[\s;)]|$)(?<!c\+\+)"
        ),
    ),
    (
        "bare",
        (" = ", "= ", "=["),
        re.compile(
            rf"\b(?:const|let|var|int|String|auto|val) {_N} ?= ?\S+|\b{_N}(?:\.{_N}){{0,4}} ?= ?(?:\[[^\]\n]{{0,120}}\]|\{{[^}}\n]{{0,120}}\}}|\"[^\"\n]{{0,120}}\"|'[^'\n]{{1,120}}'(?!\w)|new \w+|{_N}(?:\.{_N}){{0,4}}\([^()\n]{{0,100}}\))"
        ),
    ),
    (
        "bare",
        (" for ", "import ", "std::", "#include", "lambda ", "::"),
        re.compile(
            r"\[[\w.()*+ ]{1,60} for \w{1,30} in [\w.()\[\]]{1,60}[^\]\n]{0,60}\]|\bfrom [\w.]{1,60} import \w+|\bimport \w{1,40} as \w+|#include ?<\w+|\blambda \w{1,20}(?:, ?\w{1,20})?: ?\S|\bstd::\w+<"
        ),
    ),
    (
        "bare",
        ("\\d", "\\w", "\\s", "\\b", "[a-z", "[A-Z", "[0-9"),
        re.compile(
            r"[^\s\w]{0,20}(?:\\[dwsb][+*?{)]|\[\^?(?:a-z|A-Z|0-9)[^\]\s]{0,40}\](?:[+*?]|\{\d))\S{0,120}"
        ),
    ),
    (
        "bare",
        ("{",),
        re.compile(
            r"[.#]?[a-zA-Z][\w-]{0,40} ?\{ ?[a-z-]{2,40} ?: ?[^;{}\n]{1,80};[^{}\n]{0,200}\}|\$\{\w{1,40}\}"
        ),
    ),
)


def scattered(text: str, at_most: int) -> Iterator[Found]:
    """Pieces of code within the prose of `text`, grouped by pattern, not in order, `at_most` per pattern."""
    for kind, needles, pattern in _PATTERNS:
        if not any(needle in text for needle in needles):
            continue
        for number, match in enumerate(pattern.finditer(text), start=1):
            yield bare(kind, match.start(), match.end())
            if number == at_most:
                break
