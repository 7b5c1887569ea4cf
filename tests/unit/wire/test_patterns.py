"""Expressions that people give for messages of payloads are refused unless no message can keep the engine busy."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import MESSAGE_CHARACTERS
from pandawms.wire.patterns import MAX_STEPS, checked_pattern, worst_steps


def refusal(pattern: str) -> Invalid:
    """Why a pattern is refused."""
    with pytest.raises(Invalid) as caught:
        checked_pattern(pattern, "match.pattern")
    assert caught.value.field == "match.pattern" and caught.value.allowed and caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    "pattern",
    ["No space left", r"quota of \S+ exceeded", r"^error \d+ of .*disk", "(?i)out of (memory|disk)", "a{1,10}b{1,10}", r"(?:[a-z]/)*lib", "(a+b)?c", r"\bE\d+"],
)
def test_what_people_write_is_taken_and_finds_over_line_ends(pattern: str) -> None:
    assert checked_pattern(pattern, "p").flags & re.DOTALL


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("(a+)+$", "pattern.slow"), ("(a|a)*b", "pattern.slow"), ("(a|ab)+c", "pattern.slow"), ("((a{1,3}){1}b)+", "pattern.slow"), ("(a?)*b", "pattern.slow"),
        (".*a.*b.*c", "pattern.slow"), ("[a-z]*[a-y]*[a-x]*z", "pattern.slow"), ("a{0,200}b{0,200}c{0,200}", "pattern.slow"), ("(a?){1,9}", "pattern.slow"),
        (r"(a)\1", "pattern.slow"), ("(?=a)b", "pattern.slow"), ("(?<!a)b", "pattern.slow"), ("(x)?(?(1)a|b)", "pattern.slow"),
        ("(a", "pattern.bad"), ("[[a]", "pattern.bad"), ("a{99999999999}", "pattern.bad"), ("a" * 201, "pattern.long"), ("(" * 100 + "a", "pattern.bad"),
    ],
)  # fmt: skip
def test_what_could_take_long_or_is_no_expression_is_refused(pattern: str, code: str) -> None:
    assert refusal(pattern).code == code


def test_the_worst_case_grows_with_repeats_and_choices() -> None:
    assert worst_steps("abc") == MESSAGE_CHARACTERS
    assert worst_steps("a(bb|c)d?") == MESSAGE_CHARACTERS * 4
    assert worst_steps("a.*b") == MESSAGE_CHARACTERS**2 / 2
    assert worst_steps("a.*b.*c") < MAX_STEPS < worst_steps("a.*b.*c.*d")


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab.*+?()|[]{}\\12,^$", min_size=1, max_size=14), st.sampled_from(["a" * 500, "ab" * 250, "a" * 250 + "b" * 250, "1" * 500]))
def test_whatever_is_taken_is_quick_on_hard_messages(pattern: str, message: str) -> None:
    try:
        found = checked_pattern(pattern, "p")
    except Invalid:
        return
    begun = time.process_time()
    found.search(message)
    assert time.process_time() - begun < 2
