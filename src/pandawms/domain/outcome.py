"""What went wrong with a job, as data: classified where it happened, carried by pilot, server and records alike."""

from __future__ import annotations

from dataclasses import dataclass

from pandawms.domain.codes import Code, Domain

MESSAGE_CHARACTERS = 500
"""PanDA keeps so many characters of a pilot's diagnosis."""

BY_NUMBER: dict[tuple[str, int], Code] = {(code.domain, code.number): code for code in Code}
BY_NAME: dict[str, Code] = {code.name.lower(): code for code in Code}

_BY_SIGNAL: dict[int, Code] = {
    2: Code.SIGINT,
    3: Code.SIGQUIT,
    7: Code.SIGBUS,
    10: Code.SIGUSR1,
    11: Code.SIGSEGV,
    15: Code.SIGTERM,
    24: Code.SIGXCPU,
}
"""Linux numbers of the signals that have a code of their own."""

_SHELL_SIGNALS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25})
"""Signals that a shell reports as exit code 128 + number."""

_NOT_RUNNABLE = frozenset({126, 127})
"""Exit codes of a POSIX shell for a program that may not be run, or was not found."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended. `domain` and `code` are a row of the table of codes; (none, 0) is success.

    `exit_code` and `signal` are the program's own, None when it did not run; `message` is for a person, 500 characters at most;
    `retryable` says whether another attempt may succeed.
    """

    domain: str
    code: int
    exit_code: int | None = None
    signal: int | None = None
    message: str = ""
    retryable: bool = True

    @property
    def is_success(self) -> bool:
        """Whether the job did what it should."""
        return self.domain == Domain.NONE and self.code == 0

    @property
    def row(self) -> Code | None:
        """The row of the table of codes; None for a code that this version does not know."""
        return BY_NUMBER.get((self.domain, self.code))

    @property
    def name(self) -> str:
        """The code's name, such as stage_in_failed; "unknown" for a code that this version does not know."""
        row = self.row
        return row.name.lower() if row else "unknown"

    @property
    def advice(self) -> str:
        """What would help, in one sentence."""
        row = self.row
        return row.advice if row else "This code is not in the table of this version; look at the message."


SUCCESS = Outcome(Domain.NONE, 0, exit_code=0, message="", retryable=False)


def outcome(code: Code, message: str = "", exit_code: int | None = None, signal: int | None = None) -> Outcome:
    """The outcome for a row of the table, with its domain, number and retry advice; the message is cut to 500 characters."""
    return Outcome(code.domain, code.number, exit_code, signal, (message or code.meaning)[:MESSAGE_CHARACTERS], code.retryable)


def payload_outcome(exit_code: int | None, signal: int | None, message: str = "") -> Outcome:
    """The outcome of a program that ended by itself, from its exit code or the signal that ended it.

    A shell that ran the program reports a signal as exit code 128 + number; both forms give the same outcome.
    """
    if signal is None and exit_code is not None and exit_code - 128 in _SHELL_SIGNALS:
        signal = exit_code - 128
    if signal:
        return outcome(_BY_SIGNAL.get(signal, Code.KILLED_BY_SIGNAL), message or f"The program was ended by signal {signal}.", exit_code, signal)
    if exit_code == 0:
        return SUCCESS
    if exit_code in _NOT_RUNNABLE:
        return outcome(Code.COMMAND_NOT_FOUND, message, exit_code)
    return outcome(Code.PAYLOAD_FAILED, message or f"The program ended with exit code {exit_code}.", exit_code)
