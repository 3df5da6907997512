"""Messages of maximum length of each kind that users send or paste. No two lines of a message are the same.

They are generated from word lists with a fixed seed, so that every run measures the same texts.
"""

# ruff: noqa: SIM905, S608 (word lists read best as text; the SQL is never run)

import random
from collections.abc import Callable
from typing import Final

from shared.contracts import limits

_ENGLISH: Final = (
    "the a of to and in that it is was for on with as his they be at one have this from by hot word but what some"
    " we can out other were all there when up use your how said an each she which do their time if will way about"
    " many then them write would like so these her long make thing see him two has look more day could go come did"
    " number sound no most people my over know water than call first who may down side been now find any new work"
    " part take get place made live where after back little only round man year came show every good give our under"
    " name very through just form sentence great think say help low line differ turn cause much mean before move"
    " right boy old too same tell does set three want air well also play small end put home read hand port large"
    " spell add even land here must big high such follow act why ask men change went light kind off need house"
    " picture try us again animal point mother world near build self earth father head stand own page should country"
    " found answer school grow study still learn plant cover food sun four between state keep eye never last let"
    " thought city tree cross farm hard start might story saw far sea draw left late run don't while press close"
    " night real life few north"
).split()
_NAMES: Final = (
    "order item user total index result value config client response request cache session token path buffer record"
    " handler message queue worker table column row event state count limit offset filter parser payload header"
).split()
_CHINESE: Final = (
    "我们今天讨论一下这个问题的解决方法因为系统运行很慢所以需要优化数据库查询和网络请求时间请帮忙看看代码是不是有错误"
    "昨天晚上服务器突然停止响应用户无法登录经过检查发现内存不足如何才能避免以后再发生类似情况谢谢大家"
)
_ARABIC: Final = (
    "في من على أن إلى هذا التي الذي كان مع هذه عن بعد ما كل حتى قد لا يوم عند بين قال ثم كيف هل لماذا العالم النظام"
    " المشكلة البرنامج الخادم قاعدة البيانات المستخدم الطلب الوقت كثيرا جدا أيضا يمكن يجب الآن هناك"
).split()
_EMOJI: Final = "😀 😂 🤣 😍 👍🏽 👩‍💻 🇩🇪 🎉 🔥 ❤️ 1️⃣ 🙏 🤔 🚀 👨‍👩‍👧 ✅ 😭 💡".split()
_PUNCTUATION: Final = list("!?.,:;-–—…'\"()[]{}<>/\\|@#$%^&*_+=~`")


class _Writer:
    """Writes random sentences, names and lines."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 (texts, not secrets)
        self.one_of = self._random.choice
        self.number = self._random.randint

    def words(self, least: int, most: int) -> str:
        return " ".join(self._random.choices(_ENGLISH, k=self.number(least, most)))

    def name(self) -> str:
        return "_".join(self._random.choices(_NAMES, k=self.number(1, 2)))

    def sentence(self) -> str:
        text = self.words(4, 22).capitalize()
        if self.number(0, 4) == 0:
            text = text.replace(" ", ", ", 1)
        return text + self.one_of("......!?")

    def paragraph(self) -> str:
        return " ".join(self.sentence() for _ in range(self.number(2, 8))) + "\n\n"

    def chinese(self) -> str:
        at = self.number(0, len(_CHINESE) - 20)
        return _CHINESE[at : at + self.number(5, 20)] + self.one_of("，。，。？！")

    def arabic(self) -> str:
        return " ".join(self._random.choices(_ARABIC, k=self.number(4, 14))) + self.one_of(".،.؟!") + " "

    def python(self) -> str:
        a, b, c, n = self.name(), self.name(), self.name(), self.number(0, 999)
        return self.one_of(
            (
                f"def {a}({b}, {c}=None):\n",
                f"    {a} = {b}.{c}({n})\n",
                f"    if {a} == {n} and {b} is not None:\n",
                f"        return [{a} for {a} in {b} if {a}.{c} > {n}]\n",
                f"    for {a} in range({n}):\n",
                f'        print(f"{a}: {{{b}}} {n}")\n',
                f"    # {self.words(3, 9)}\n",
                f'    {a}["{b}"] = "{self.words(1, 4)}"\n',
                f"class {a.title()}{n}:\n",
                f'    """{self.words(4, 12).capitalize()}."""\n\n',
                f"        raise ValueError(f'{a} {n}')\n",
                f"from {a}.{b} import {c}\n",
                f"    assert {a}({b}) == {{'{c}': {n}}}\n",
            )
        )

    def fenced(self) -> str:
        code = "".join(self.python() for _ in range(self.number(2, 20)))
        return f"{self.sentence()}\n\n```{self.one_of(('python', '', 'py'))}\n{code}```\n\n"

    def shell(self) -> str:
        a, b, n = self.name(), self.name(), self.number(0, 999)
        return self.one_of(
            (
                f"$ git checkout -b {a}-{n}\n",
                f"docker run --rm -p {n}:80 {a}/{b}:{n}\n",
                f"for {a} in *.{b}; do echo ${a}; done\n",
                f'export {a.upper()}_HOME="/opt/{b}/{n}"\n',
                f"grep -rn '{a}' ./{b} | sort | uniq -c | head -{n}\n",
                f"aws s3 cp s3://{a}/{b}.csv . --region eu-{n}\n",
                f"if [ -f {a}.{b} ]; then\n",
                f"{a}: {self.words(3, 9)} {n}\n",
            )
        )

    def trace(self) -> str:
        a, b, c, n = self.name(), self.name(), self.name(), self.number(1, 999)
        return self.one_of(
            (
                f'  File "/srv/{a}/{b}.py", line {n}, in {c}\n    {a} = {b}({c}, {n})\n',
                f"\tat com.{a}.{b.title()}.{c}({b.title()}.java:{n})\n",
                f"    at {a}.{b} (/app/{a}/{c}.js:{n}:{n})\n",
                f"{b.title()}Error: {self.words(3, 10)}\n",
                f"Caused by: java.lang.{a.title()}Exception: {self.words(2, 6)}\n\t... {n} more\n",
                "Traceback (most recent call last):\n",
            )
        )

    def sql(self) -> str:
        a, b, c, n = self.name(), self.name(), self.name(), self.number(1, 999)
        return self.one_of(
            (
                f"SELECT {a}, COUNT({b}) AS {c}_{n}\nFROM {b}\nWHERE {a} > {n} AND {c} = '{b}'\nGROUP BY {a};\n",
                f"select * from {a} left join {b} on {a}.id = {b}.{c}_{n} order by {c} desc;\n",
                f"INSERT INTO {a} ({b}, {c}) VALUES ({n}, '{self.words(1, 3)}');\n",
                f"UPDATE {a} SET {b} = {n} WHERE {c} IN (SELECT {c} FROM {b});\n",
                f"CREATE TABLE {a}_{n} (\n  {b} INT NOT NULL,\n  {c} VARCHAR({n})\n);\n",
            )
        )

    def json(self) -> str:
        a, b, c, n = self.name(), self.name(), self.name(), self.number(1, 9999)
        return (
            f'  {{"{a}": {n}, "{b}": "{self.words(1, 5)}",\n'
            f'    "{c}": [true, null, {n}.5, "{a}"],\n    "nested": {{"{b}_{n}": {{}}}}\n  }},\n'
        )

    def markup(self) -> str:
        a, b, n = self.name(), self.name(), self.number(1, 999)
        return (
            f'<div class="{a}" id="{b}-{n}">\n  <p>{self.words(3, 12)}</p>\n'
            f'  <a href="/{a}/{b}?{n}">{b}</a><br/>\n</div>\n'
        )

    def log(self) -> str:
        a, b, n = self.name(), self.name(), self.number(10, 59)
        level = self.one_of(("INFO", "WARN", "ERROR", "DEBUG"))
        return (
            f"2026-11-22T10:{n}:{self.number(10, 59)}.{self.number(100, 999)}Z {level} [{a}-{n}] "
            f"com.{a}.{b}: {self.words(2, 9)} {b}={n} took {n}ms\n"
        )

    def question(self) -> str:
        word = self.one_of(
            ("how do I", "why is", "can you", "what is the", "does anyone know if", "I wonder whether")
        )
        return f"{word.capitalize()} {self.words(1, 6)}{self.one_of('??.')} "


def _wrapped(write: _Writer) -> str:
    return "".join(write.sentence() + " " for _ in range(3)).replace(" the ", "\nthe ") + "\n"


KINDS: Final[dict[str, Callable[[_Writer], str]]] = {
    "English prose": lambda w: w.paragraph(),
    "wrapped prose": _wrapped,
    "Chinese": lambda w: w.chinese(),
    "Arabic": lambda w: w.arabic(),
    "emoji": lambda w: w.one_of(_EMOJI) + w.one_of(("", "", " ")),
    "Python": lambda w: w.python(),
    "fenced Python": lambda w: w.fenced(),
    "shell": lambda w: w.shell(),
    "stack traces": lambda w: w.trace(),
    "SQL": lambda w: w.sql(),
    "JSON": lambda w: w.json(),
    "markup": lambda w: w.markup(),
    "logs": lambda w: w.log(),
    "short lines": lambda w: w.words(1, 2) + "\n",
    "shortest lines": lambda w: w.one_of("abcdefgh") + "\n",
    "one long line": lambda w: w.words(5, 9) + w.one_of((" ", ", ")),
    "questions": lambda w: w.question(),
    "open fences": lambda w: w.one_of(("```", "~~~\n")) + w.words(1, 3) + " ",
    "open quotes": lambda w: w.one_of("\"'“«") + w.words(1, 3) + " ",
    "open backticks": lambda w: w.one_of(("`", "``")) + w.name() + " ",
    "open brackets": lambda w: w.name() + w.one_of("([{<"),
    "white space": lambda w: w.one_of(" \t\n\r\u00a0\u2003"),
    "punctuation": lambda w: w.one_of(_PUNCTUATION) + w.one_of(("", "", " ", "\n")),
    "mixed": lambda w: w.one_of(
        (w.paragraph, w.fenced, w.python, w.trace, w.json, w.log, w.question, w.chinese, w.arabic, w.sql)
    )(),
}
"""By kind: the function that writes the next piece of such a message."""


def cut(text: str) -> str:
    """Cut `text` to the longest message that the contract allows, in characters and in bytes."""
    text = text[: limits.MESSAGE_CHARS]
    return text.encode()[: limits.MESSAGE_BYTES].decode(errors="ignore")


def messages() -> dict[str, str]:
    """Return a message of maximum length by kind."""
    texts = {}
    for kind, write_next in KINDS.items():
        writer, parts, length = _Writer(), list[str](), 0
        while length < limits.MESSAGE_CHARS:
            parts.append(write_next(writer))
            length += len(parts[-1])
        texts[kind] = cut("".join(parts))
    return texts
