"""Whether a lack of disk on the node explains what happened, and in which words that is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pandawms.domain.codes import Code
from pandawms.domain.outcome import Outcome, outcome
from pandawms.pilot.failures import failed_by_system, is_no_space
from pandawms.pilot.limits import free_disk_mb

_FULL_MB = 1.0
_SAID_BY_PROGRAMS = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
_LAST_WORDS = 250


def says_full(words: str) -> bool:
    """Whether somebody's words are about a full disk or quota."""
    return any(said in words for said in _SAID_BY_PROGRAMS)


def shortage(folder: Path, needed_mb: float) -> str:
    """What is missing, in plain words; empty when enough is free on the file system of `folder`."""
    free_mb = free_disk_mb(folder)
    return f"{free_mb:.0f} MB free in {folder}, {needed_mb:.0f} MB needed" if free_mb < needed_mb else ""


def judged(ending: Outcome, folder: Path, needed_mb: float, lost_output: bool) -> Outcome:
    """How a payload ended, in the light of the disk of its work folder: the same, or no_local_space.

    A failure counts as the disk's when less than `needed_mb` is free, when output of the program found no room, or when
    its last words say so (what it had written may be gone with it). A success counts for nothing on a full disk (less
    than 1 MB free): outputs may be cut off by writes whose failure the program overlooked.
    """
    free_mb = free_disk_mb(folder)
    is_full = free_mb < _FULL_MB
    if not ending.is_success:
        is_full = is_full or free_mb < needed_mb or lost_output or says_full(ending.message)
    if not is_full or ending.row is Code.COMMAND_NOT_FOUND:
        return ending
    words = f": {ending.message[-_LAST_WORDS:]}" if ending.message else ""
    message = f"{free_mb:.0f} MB free in {folder} when the program ended with {_how(ending)}{words}"
    return outcome(Code.NO_LOCAL_SPACE, message, ending.exit_code, ending.signal)


def refused_by_system(error: OSError, folder: Path) -> Outcome:
    """What the operating system refused around a job in `folder`; a full disk is told with what is free there."""
    if is_no_space(error):
        return outcome(Code.NO_LOCAL_SPACE, f"{error}; {free_disk_mb(folder):.0f} MB free in {folder}")
    return failed_by_system(error, Code.SETUP_FAILED).outcome


def _how(ending: Outcome) -> str:
    if ending.signal:
        return f"signal {ending.signal}"
    return "no exit code" if ending.exit_code is None else f"exit code {ending.exit_code}"
