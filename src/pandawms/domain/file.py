"""The life of a file in a task: an input unit, which is a whole file or a chunk of its events. Outputs are in `output_file`.

Decisions, on purpose:
- picked is the reservation while jobs are being sized; run follows when the job row exists. Both belong to generate, so that a
  claim never touches a file row: the hot path stays narrow. A generator that sizes and writes in one transaction may go from
  ready to running at once.
- PanDA leaves a file without attempts on "ready" and counts it as failed. Here it is failed, and `retry` (attempts left, the same
  round) and `reopen` (a command, a new round) are the two ways back. A verdict therefore looks at failed files with attempts
  left as open.
- The job's end moves its files in the same statement, whoever ends the job, so finish, fail, give_back and the like belong to
  report; command and watch end jobs through that statement.
- missing, lost, corrupted, broken and cancelled are settled too, so that a task can be judged; each has a way back.
- While the outputs of a job wait to be merged, its inputs are merging: they count as processed only when the merge succeeded.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class FileStatus(Word):
    """PanDA's words for where a file in a task is."""

    PENDING = "pending", "an input that is not to be used yet (outside the scout window, held back)"
    STAGING = "staging", "an input that is recalled from tape"
    READY = "ready", "an input that may be taken for a job"
    PICKED = "picked", "reserved for a job that is being made"
    RUNNING = "running", "a job works on it"
    PARTIAL = "partial", "a part of its events is processed"
    MERGING = "merging", "processed; the output of its job waits to be merged"
    FINISHED = "finished", "processed"
    FAILED = "failed", "not processed"
    MISSING = "missing", "an input that is not where it should be"
    LOST = "lost", "was there and is gone"
    CORRUPTED = "corrupted", "does not match its checksum or size"
    BROKEN = "broken", "its record cannot be used"
    CANCELLED = "cancelled", "not processed because its task was ended"
    REMOVED = "removed", "taken out of the dataset before it was used"


class FileEvent(Word):
    """What may happen to a file in a task."""

    ADD = "add", "found in an input dataset"
    ADD_PENDING = "add_pending", "found, but not to be used yet"
    ADD_STAGING = "add_staging", "found on tape; a recall was asked for"
    ADD_MISSING = "add_missing", "listed in an input dataset, but nowhere to be found"
    OPEN = "open", "may be used now"
    STAGED = "staged", "has come from tape"
    MISS = "miss", "disappeared before it was used"
    FIND = "find", "is there again"
    REJECT = "reject", "its record cannot be used"
    REMOVE = "remove", "was taken out of the dataset"
    PICK = "pick", "reserved for a job"
    RUN = "run", "its job exists"
    FINISH = "finish", "its job succeeded"
    FINISH_PART = "finish_part", "its job ended with a part of its events processed"
    FAIL = "fail", "its job failed"
    GIVE_BACK = "give_back", "its job ended without a try that counts (closed, cancelled alone, nothing left to do)"
    CORRUPT = "corrupt", "its job found that checksum or size do not match"
    AWAIT_MERGE = "await_merge", "its job succeeded; the merge is to come"
    MERGED = "merged", "the merge succeeded"
    FAIL_MERGE = "fail_merge", "the merge failed for good: it must be processed again"
    RETRY = "retry", "failed with attempts left"
    GIVE_UP = "give_up", "no attempt is left, or no more will be made"
    REOPEN = "reopen", "opened again by a retry of the task or a recovery"
    LOSE = "lose", "was destroyed after it was finished"
    CANCEL = "cancel", "its task was ended"
    RESCUE = "rescue", "reserved for too long and no job holds it"


S, E = FileStatus, FileEvent

_UNUSED = frozenset({S.PENDING, S.STAGING, S.READY})
_TAKEN = frozenset({S.PICKED, S.RUNNING})

FLOW: Flow[FileEvent, FileStatus] = {
    Stage.DEFINE: [
        (E.ADD, NEW, S.READY),
        (E.ADD_PENDING, NEW, S.PENDING),
        (E.ADD_STAGING, NEW, S.STAGING),
        (E.ADD_MISSING, NEW, S.MISSING),
        (E.OPEN, [S.PENDING], S.READY),
        (E.STAGED, [S.STAGING], S.READY),
        (E.MISS, _UNUSED | {S.PARTIAL}, S.MISSING),
        (E.FIND, [S.MISSING], S.READY),
        (E.REJECT, _UNUSED, S.BROKEN),
        (E.REMOVE, _UNUSED | {S.MISSING}, S.REMOVED),
    ],
    Stage.GENERATE: [
        (E.PICK, [S.READY, S.PARTIAL], S.PICKED),
        (E.RUN, [S.READY, S.PARTIAL, S.PICKED], S.RUNNING),
    ],
    Stage.REPORT: [
        (E.FINISH, [S.RUNNING], S.FINISHED),
        (E.FINISH_PART, [S.RUNNING], S.PARTIAL),
        (E.FAIL, [S.RUNNING], S.FAILED),
        (E.GIVE_BACK, _TAKEN, S.READY),
        (E.CORRUPT, [S.RUNNING], S.CORRUPTED),
        (E.AWAIT_MERGE, [S.RUNNING], S.MERGING),
    ],
    Stage.AGGREGATE: [
        (E.MERGED, [S.MERGING], S.FINISHED),
        (E.FAIL_MERGE, [S.MERGING], S.FAILED),
        (E.RETRY, [S.FAILED], S.READY),
        (E.GIVE_UP, _UNUSED | {S.PARTIAL}, S.FAILED),
        (E.REOPEN, [S.FINISHED, S.FAILED, S.LOST, S.CORRUPTED, S.BROKEN, S.CANCELLED], S.READY),
        (E.LOSE, [S.FINISHED], S.LOST),
    ],
    Stage.COMMAND: [(E.CANCEL, _UNUSED | _TAKEN | {S.PARTIAL, S.MERGING}, S.CANCELLED)],
    Stage.WATCH: [(E.RESCUE, [S.PICKED], S.READY)],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)

REOPENING: frozenset[FileEvent] = frozenset({E.RETRY, E.REOPEN, E.FIND, E.LOSE, E.REMOVE})
"""May leave a settled status: retry in the same round; reopen and find begin a new one; lose and remove correct what was true."""

_WHY = "task_event.why"
DWELL: dict[FileStatus, Dwell] = {
    S.RUNNING: Dwell(None, None, "job_event.why", "as long as its job, which has limits of its own"),
    S.MERGING: Dwell(None, None, _WHY, "as long as its merge group; the merge job has limits of its own"),
    S.PENDING: Dwell(None, None, _WHY, "until the scouts are judged or the hold is lifted; the task has limits of its own"),
    S.STAGING: Dwell(30 * DAY, None, _WHY, "reported as stuck; the tape system decides"),
    S.READY: Dwell(None, None, _WHY, "until an allocation takes it; the task says why there is none"),
    S.PICKED: Dwell(HOUR, E.RESCUE, _WHY),
    S.PARTIAL: Dwell(None, None, _WHY, "until a job takes the rest of its events"),
}

FILE: Machine[FileStatus, FileEvent] = Machine("file", FileStatus, FileEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = FILE.final
next_status = FILE.next_status
sources = FILE.sources
