"""Text of strangers, made safe to read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.clock import ZONE_CHARS, clock
from console.html import templates
from console.security.lock import UNLOCKED_SECONDS, Lock
from console.text import line, shown


@pytest.mark.parametrize(
    "sign", ["\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\x1b", "\x00", "\U000e0041", "\ud800"]
)
def test_what_deceives_is_replaced(sign: str):
    """A sign that hides, reorders or controls is shown as a replacement character."""
    assert shown(f"a{sign}b") == "a\N{REPLACEMENT CHARACTER}b"


@pytest.mark.parametrize("text", ["👩‍💻", "می‌خواهم", "क्‍ष", "שלום", "line\none\ttwo", "❤️"])
def test_honest_text_stays(text: str):
    """Emoji, joined scripts, right-to-left scripts and lines are shown as they were written."""
    assert shown(text) == text


def test_a_joiner_between_letters_is_shown():
    """A joiner in an ASCII word, which would make two ids look alike, is replaced."""
    assert shown("pay\u200dpal") == "pay\N{REPLACEMENT CHARACTER}pal"


@given(st.text(), st.integers(1, 40))
def test_a_line_is_short_and_one(text: str, most: int):
    """The beginning of any text is one line of at most the length asked for."""
    cut = line(text, most)
    assert len(cut) <= most
    assert len(cut.splitlines()) <= 1 or not cut.isprintable()


def test_templates_escape_everything():
    """A template escapes what it prints, in text and in attributes."""
    template = templates().from_string('<p title="{{ x }}">{{ x }}</p>')
    assert (
        template.render(x="<script>\"'&")
        == '<p title="&lt;script&gt;&#34;&#39;&amp;">&lt;script&gt;&#34;&#39;&amp;</p>'
    )


@pytest.mark.parametrize(
    "zone", ["", "../../etc/passwd", "Europe/Nowhere", "x" * (ZONE_CHARS + 1), "\x00", "/etc/localtime"]
)
def test_any_zone_of_a_cookie_is_a_clock(zone: str):
    """A zone that does not exist, or is no zone, means that of this machine."""
    assert clock("local", zone).zone is None


def test_a_lock_closes_by_itself():
    """An environment that was unlocked is locked again after a quarter of an hour."""
    now = [0.0]
    lock = Lock("prod", is_local=False, read_only=False, clock=lambda: now[0])
    assert lock.unlock("prod")
    now[0] = UNLOCKED_SECONDS + 1
    assert (lock.is_open, lock.refusal() is None) == (False, False)
    assert Lock("local", is_local=True, read_only=False).is_open
