"""The exit codes of `panda`, in one table; docs/reference shows it."""

from __future__ import annotations

from enum import IntEnum

from pandawms.domain.errors import Conflict, Denied, Invalid, Limit, NotFound, PandaError, Unavailable


class ExitCode(IntEnum):
    """What a script learns from `panda` without reading its output."""

    OK = 0
    FAILED = 1
    INVALID = 2
    DENIED = 3
    NOT_FOUND = 4
    CONFLICT = 5
    LIMIT = 6
    UNAVAILABLE = 7
    INTERNAL = 70
    INTERRUPTED = 130


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "a task that was waited for failed, was ended or is only partly done; or a tried job failed",
    ExitCode.INVALID: "wrong usage, or an input that is refused",
    ExitCode.DENIED: "not known, or not allowed",
    ExitCode.NOT_FOUND: "what was named does not exist",
    ExitCode.CONFLICT: "does not fit the present status, or the name is taken",
    ExitCode.LIMIT: "too large or too often",
    ExitCode.UNAVAILABLE: "the system does not answer, or not in time",
    ExitCode.INTERNAL: "a mistake in panda itself",
    ExitCode.INTERRUPTED: "ended by Ctrl-C",
}

_BY_KIND: dict[str, ExitCode] = {
    Invalid.kind: ExitCode.INVALID,
    Denied.kind: ExitCode.DENIED,
    NotFound.kind: ExitCode.NOT_FOUND,
    Conflict.kind: ExitCode.CONFLICT,
    Limit.kind: ExitCode.LIMIT,
    Unavailable.kind: ExitCode.UNAVAILABLE,
}


def code_of(error: PandaError) -> ExitCode:
    """The exit code for an error of the domain."""
    return _BY_KIND.get(error.kind, ExitCode.INTERNAL)
