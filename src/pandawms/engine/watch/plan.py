"""Decides how jobs end whose pilot is not heard any more. Pure."""

from pandawms.domain.codes import Code
from pandawms.domain.job import JobEvent
from pandawms.domain.outcome import outcome
from pandawms.store.endings import Ending, ending
from pandawms.store.leases import Held


def lost(job: Held) -> Ending:
    """A job whose lease ran out. One that was to be killed is not tried again."""
    if job.is_killed:
        return ending(job, JobEvent.LOSE, outcome(Code.KILLED_BY_SERVER, "it was to be killed, and its pilot was not heard again"))
    if job.status == "sent":
        return ending(job, JobEvent.LOSE, outcome(Code.NO_FIRST_HEARTBEAT))
    return ending(job, JobEvent.LOSE, outcome(Code.LOST_HEARTBEAT))


def orphaned(job: Held) -> Ending:
    """A job whose worker has ended, by the word of its provisioner. One that was to be killed is not tried again."""
    if job.is_killed:
        return ending(job, JobEvent.LOSE, outcome(Code.KILLED_BY_SERVER, "it was to be killed, and its worker ended"))
    return ending(job, JobEvent.LOSE, outcome(Code.LOST_HEARTBEAT, "its worker ended without a report"))
