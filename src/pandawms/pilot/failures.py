"""How a step of a job says that it failed: with a row of the table of codes."""

from __future__ import annotations

import errno

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NO_RESOURCE = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)


class JobFailed(Exception):
    """A step failed; `outcome` says how."""

    def __init__(self, result: Outcome) -> None:
        super().__init__(result.message)
        self.outcome = result


class Stopped(JobFailed):
    """A step was told to stop."""


def failed(code: Code, message: str) -> JobFailed:
    """To be raised by a step."""
    return JobFailed(outcome(code, message))


def failed_by_system(error: OSError, otherwise: Code) -> JobFailed:
    """What the operating system refused: a full disk of this node and a lack of processes or files have their own codes."""
    if error.errno in _NO_SPACE:
        return failed(Code.NO_LOCAL_SPACE, str(error))
    if error.errno in _NO_RESOURCE:
        return failed(Code.RESOURCE_UNAVAILABLE, str(error))
    return failed(otherwise, str(error))


def is_no_space(error: OSError) -> bool:
    """Whether a disk or a quota is full."""
    return error.errno in _NO_SPACE
