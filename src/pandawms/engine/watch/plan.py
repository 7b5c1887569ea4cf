"""Decides how jobs end whose pilot is not heard any more. Pure."""

from pandawms.domain.codes import Code
from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.outcome import outcome
from pandawms.store.endings import Ending, ending
from pandawms.store.leases import Held

SILENT = {str(JobStatus.SENT): Code.NO_FIRST_HEARTBEAT, str(JobStatus.STAGEOUT): Code.NO_FINAL_REPORT}
"""What is missing when a pilot is not heard again, by the status that its job was in; a heartbeat in all others."""


def lost(job: Held) -> Ending:
    """A job whose lease ran out: how far its pilot was heard says what is missing. One that was to be killed is not tried again."""
    if job.is_killed:
        return ending(job, JobEvent.LOSE, outcome(Code.KILLED_BY_SERVER, "it was to be killed, and its pilot was not heard again"))
    return ending(job, JobEvent.LOSE, outcome(SILENT.get(job.status, Code.LOST_HEARTBEAT)))


def orphaned(job: Held) -> Ending:
    """A job whose worker has ended, by the word of its provisioner. One that was to be killed is not tried again."""
    if job.is_killed:
        return ending(job, JobEvent.LOSE, outcome(Code.KILLED_BY_SERVER, "it was to be killed, and its worker ended"))
    return ending(job, JobEvent.LOSE, outcome(Code.WORKER_ENDED, "its worker ended without a report"))
