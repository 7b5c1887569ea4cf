"""Decides what a failed try costs, and whether it ran out of memory. Pure."""

from pandawms.domain.codes import Code, Domain, Owner
from pandawms.domain.machine import Word
from pandawms.domain.outcome import Outcome
from pandawms.engine.aggregate.retries.values import Failure

MOST_FREE = 50
"""Tries of one unit that cost nothing, at most: a queue that takes every slot back must not keep a task for ever."""

FREE = frozenset({Code.PREEMPTED, Code.PILOT_STOPPED, Code.PREDECESSOR_FAILED})
"""The slot was taken back while the job ran: nobody's failure (semantics 9.3 PREEMPTION, 2.2.5 task-buffer code 122); or it never ran, for want of a build."""

OUT_OF_MEMORY = frozenset({Code.OUT_OF_MEMORY, Code.BAD_ALLOC, Code.TOO_MUCH_MEMORY})
"""Codes that say so (semantics 9.2: payload out of memory 1212, memory kill 1235; 9.4: 1223)."""

KILLED = 9
"""The signal of the kernel's out-of-memory killer."""
NEARLY_ALL = 0.9
"""A job that was killed when it had this part of its memory ran out of it."""

_WORDS = ("MemoryError", "bad_alloc", "Cannot allocate memory", "Out of memory", "out of memory", "oom-kill")
"""How programs and kernels say it."""


class Cost(Word):
    """What a failed try costs."""

    NOTHING = "nothing", "neither an attempt nor a failure"
    ATTEMPT = "attempt", "an attempt"
    FAILURE = "failure", "an attempt and a failure"


def cost(failure: Failure) -> Cost:
    """Returns what a failure costs by itself, before any rule: a failure only where the user is to blame (PanDA's classes system and user, semantics 3.9)."""
    row = failure.outcome.row
    if row in FREE:
        return Cost.NOTHING
    if failure.is_closed:
        return Cost.ATTEMPT
    if row is None:
        return Cost.FAILURE if failure.outcome.domain == Domain.PAYLOAD else Cost.ATTEMPT
    return Cost.FAILURE if row.owner is Owner.USER else Cost.ATTEMPT


def is_out_of_memory(failure: Failure) -> bool:
    """Whether the job ended for want of memory: by its code, by being killed at the end of its memory, or by its own words."""
    outcome = failure.outcome
    if outcome.domain != Domain.PAYLOAD:
        return False
    return outcome.row in OUT_OF_MEMORY or _was_killed_full(failure, outcome) or any(words in outcome.message for words in _WORDS)


def _was_killed_full(failure: Failure, outcome: Outcome) -> bool:
    return outcome.signal == KILLED and failure.max_rss_mb is not None and failure.max_rss_mb >= NEARLY_ALL * failure.memory_mb


def is_ordered(outcome: Outcome) -> bool:
    """Whether somebody wanted the job to end; no rule touches that."""
    return outcome.domain == Domain.USER
