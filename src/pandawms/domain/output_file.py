"""The life of an output file of a job: named when the job is made, written by the pilot, kept or merged.

The end of a job moves its outputs in the same statement, so those events belong to report, whichever stage ends the job. Until then an output has no
row of its own: its name follows from the task's template and the job's numbers, and it stands where its job stands.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from pandawms.domain.machine import DAY, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class OutputFileStatus(Word):
    """PanDA's words for where an output file is."""

    DEFINED = "defined", "named; its job has not run"
    RUNNING = "running", "its job runs"
    READY = "ready", "written; waits to be merged"
    MERGING = "merging", "a merge job takes it"
    TRANSFERRING = "transferring", "written; moves to its destination"
    FINISHED = "finished", "written and kept, or merged"
    FAILED = "failed", "not written, or not usable"
    NOOUTPUT = "nooutput", "optional, and the program did not write it"
    NOTMERGED = "notmerged", "written, but its merge failed for good"
    CANCELLED = "cancelled", "its job was ended before it was written"
    LOST = "lost", "was there and is gone"


class OutputFileEvent(Word):
    """What may happen to an output file."""

    NAME = "name", "its job was made"
    PICK = "pick", "a merge job was made that takes it"
    RUN = "run", "its job runs"
    FINISH = "finish", "its job succeeded and wrote it"
    AWAIT_MERGE = "await_merge", "its job succeeded; it is to be merged"
    AWAIT_TRANSFER = "await_transfer", "its job succeeded; it is on the way"
    OMIT = "omit", "its job succeeded and did not write it"
    FAIL = "fail", "its job failed"
    GIVE_BACK = "give_back", "the merge job that took it failed; another may take it"
    DELIVER = "deliver", "it is at its destination"
    FAIL_DELIVERY = "fail_delivery", "it cannot be brought to its destination"
    MERGED = "merged", "it is in the merged file"
    LEAVE_UNMERGED = "leave_unmerged", "its merge failed for good"
    LOSE = "lose", "it was destroyed"
    CANCEL = "cancel", "its job or task was ended"


S, E = OutputFileStatus, OutputFileEvent

_EXPECTED = frozenset({S.DEFINED, S.RUNNING})

FLOW: Flow[OutputFileEvent, OutputFileStatus] = {
    Stage.GENERATE: [
        (E.NAME, NEW, S.DEFINED),
        (E.PICK, [S.READY], S.MERGING),
    ],
    Stage.REPORT: [
        (E.RUN, [S.DEFINED], S.RUNNING),
        (E.FINISH, _EXPECTED, S.FINISHED),
        (E.AWAIT_MERGE, _EXPECTED, S.READY),
        (E.AWAIT_TRANSFER, _EXPECTED, S.TRANSFERRING),
        (E.OMIT, _EXPECTED, S.NOOUTPUT),
        (E.FAIL, _EXPECTED, S.FAILED),
        (E.GIVE_BACK, [S.MERGING], S.READY),
    ],
    Stage.PLACE: [
        (E.DELIVER, [S.TRANSFERRING], S.FINISHED),
        (E.FAIL_DELIVERY, [S.TRANSFERRING], S.FAILED),
    ],
    Stage.AGGREGATE: [
        (E.MERGED, [S.READY, S.MERGING], S.FINISHED),
        (E.LEAVE_UNMERGED, [S.READY, S.MERGING], S.NOTMERGED),
        (E.LOSE, [S.READY, S.FINISHED, S.NOTMERGED], S.LOST),
    ],
    Stage.COMMAND: [(E.CANCEL, _EXPECTED | {S.READY, S.MERGING, S.TRANSFERRING}, S.CANCELLED)],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)

REOPENING: frozenset[OutputFileEvent] = frozenset({E.LOSE})
"""May leave a settled status: what was kept is gone."""

_WHY = "job_event.why"
_JOB = Dwell(None, None, _WHY, "as long as its job, which has limits of its own")

DWELL: dict[OutputFileStatus, Dwell] = {
    S.DEFINED: _JOB,
    S.RUNNING: _JOB,
    S.READY: Dwell(None, None, _WHY, "until its merge group is complete; the jobs of the group have limits of their own"),
    S.MERGING: Dwell(None, None, _WHY, "as long as its merge job, which has limits of its own"),
    S.TRANSFERRING: Dwell(2 * DAY, E.FAIL_DELIVERY, _WHY, "as its job in transferring"),
}

OUTPUT_FILE: Machine[OutputFileStatus, OutputFileEvent] = Machine(
    "output file", OutputFileStatus, OutputFileEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING
)
FINAL = OUTPUT_FILE.final
next_status = OUTPUT_FILE.next_status
sources = OUTPUT_FILE.sources


def suffixes(local_name: str) -> str:
    """What a file keeps of its local name: `.tar.gz` of `muons.tar.gz`, nothing of `out`."""
    return "".join(PurePosixPath(local_name).suffixes)


def file_name(task_name: str, stream: str, serial: int, attempt: int, suffix: str, copy: int = 1) -> str:
    """The name of an output in its dataset: no two attempts, and no two copies of a job, ever write the same one. `suffix` comes from `suffixes`."""
    of_copy = f"c{copy}" if copy > 1 else ""
    return f"{task_name}.{stream}.{serial:06d}.{attempt}{of_copy}{suffix}"
