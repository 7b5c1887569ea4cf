"""Outcomes and the table of codes behind them."""

from __future__ import annotations

import pytest

from pandawms.domain.codes import Code, Domain, Owner
from pandawms.domain.outcome import BY_NAME, BY_NUMBER, MESSAGE_CHARACTERS, SUCCESS, Outcome, outcome, payload_outcome


def test_domain_and_number_name_one_code() -> None:
    assert len(BY_NUMBER) == len(BY_NAME) == len(Code) == len(Code.__members__)


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_meaning_and_says_what_would_help(code: Code) -> None:
    assert code.meaning
    assert code.advice.endswith(".")


def test_only_success_belongs_to_no_domain() -> None:
    assert [code for code in Code if code.domain is Domain.NONE] == [Code.SUCCESS]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (1098, Code.NO_LOCAL_SPACE),
        (1099, Code.STAGE_IN_FAILED),
        (1137, Code.STAGE_OUT_FAILED),
        (1165, Code.MISSING_OUTPUT),
        (1213, Code.OUT_OF_TIME),
        (1235, Code.TOO_MUCH_MEMORY),
        (1305, Code.PAYLOAD_FAILED),
        (1335, Code.MISSING_USER_CODE),
    ],
)
def test_pandas_numbers_are_kept(number: int, code: Code) -> None:
    assert code.number == number


@pytest.mark.parametrize(
    ("exit_code", "signal", "code"),
    [
        (0, None, Code.SUCCESS),
        (1, None, Code.PAYLOAD_FAILED),
        (255, None, Code.PAYLOAD_FAILED),
        (127, None, Code.COMMAND_NOT_FOUND),
        (126, None, Code.COMMAND_NOT_FOUND),
        (None, 11, Code.SIGSEGV),
        (139, None, Code.SIGSEGV),
        (137, None, Code.KILLED_BY_SIGNAL),
        (None, 15, Code.SIGTERM),
    ],
)
def test_a_program_that_ended_is_classified_by_exit_code_or_signal(exit_code: int | None, signal: int | None, code: Code) -> None:
    found = payload_outcome(exit_code, signal)
    assert (found.domain, found.code, found.row) == (code.domain, code.number, code)
    assert found.is_success == (code is Code.SUCCESS)


def test_an_outcome_takes_retry_advice_from_its_code_and_cuts_its_message() -> None:
    found = outcome(Code.SANDBOX_UNSAFE, "x" * 10_000)
    assert not found.retryable
    assert len(found.message) == MESSAGE_CHARACTERS
    assert found.name == "sandbox_unsafe"
    assert Code.SANDBOX_UNSAFE.owner is Owner.USER


def test_a_code_of_a_newer_version_is_still_readable() -> None:
    later = Outcome("pilot", 9999, message="new")
    assert (later.name, later.row, later.is_success) == ("unknown", None, False)
    assert later.advice


def test_success_is_success() -> None:
    assert SUCCESS.is_success
    assert SUCCESS.exit_code == 0
