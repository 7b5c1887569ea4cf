"""The life of a task, from submission to its verdict, with all of PanDA's words.

Decisions that differ from PanDA's code, on purpose:
- A task that waited, was throttled or paused does not return to a remembered word but to the first stage whose work may be
  undone: registered (not refined yet), defined (inputs not listed yet) or ready. From ready, generate starts scouts or the full
  flow by what the scouts have shown, so nothing is lost. `return_point` is that rule.
- A kill needs one hop when nothing has to be cleaned elsewhere (aborting, aborted); toabort exists for when something has.
- retry is accepted on failed (PanDA's documents say no, its code says yes) and never on broken.
- pause is refused in the short statuses on the way to a verdict or out of a command, where it could only do harm.
"""

from __future__ import annotations

from pandawms.domain.machine import DAY, HOUR, NEW, Dwell, Flow, Machine, Word, unfold
from pandawms.domain.stages import Stage


class TaskStatus(Word):
    """PanDA's words for where a task is."""

    WAITING = "waiting", "not started: needs an approval or an input that does not exist yet"
    STAGING = "staging", "its inputs are recalled from tape"
    REGISTERED = "registered", "its document is stored and not looked at yet"
    DEFINED = "defined", "understood; its inputs are to be listed"
    ASSIGNING = "assigning", "its destination is to be chosen"
    READY = "ready", "its inputs are listed; jobs may be made"
    TOPREPROCESS = "topreprocess", "a preprocessing job has to run first"
    PREPROCESSING = "preprocessing", "its preprocessing job runs"
    SCOUTING = "scouting", "a few scout jobs measure what its jobs need"
    SCOUTED = "scouted", "the scouts are judged; the full flow comes next"
    RUNNING = "running", "its jobs are made and run"
    MERGING = "merging", "all inputs are processed; outputs are still merged"
    PENDING = "pending", "waits for something temporary: an input, a queue, a parent"
    THROTTLED = "throttled", "held back by policy for some time"
    PAUSED = "paused", "stopped by a user, an operator or too many failures; needs a resume"
    EXHAUSTED = "exhausted", "the system gave up; a person decides: retry, reassign, finish or kill"
    PREPARED = "prepared", "everything is processed; the verdict comes next"
    DONE = "done", "every input was processed"
    FINISHED = "finished", "a part of the inputs was processed"
    FAILED = "failed", "nothing was processed, or less than asked for"
    TOBROKEN = "tobroken", "cannot run; being closed"
    BROKEN = "broken", "cannot run as it is written"
    ABORTING = "aborting", "being killed: its jobs are ended"
    TOABORT = "toabort", "killed; what it left elsewhere is cleaned"
    ABORTED = "aborted", "killed"
    FINISHING = "finishing", "asked to finish early: its jobs are ended or waited for"
    PASSED = "passed", "finished early; the verdict comes next"
    TORETRY = "toretry", "a retry was accepted; failed inputs are opened again"
    TOINCEXEC = "toincexec", "an incremental execution was accepted"
    REREFINE = "rerefine", "its changed document is looked at again"
    TOREASSIGN = "toreassign", "a reassignment was accepted; its queued jobs are withdrawn"
    REASSIGNING = "reassigning", "a new destination is chosen"
    OBSOLETE = "obsolete", "its outputs were declared void"


class TaskEvent(Word):
    """What may happen to a task."""

    SUBMIT = "submit", "a task document was accepted"
    SUBMIT_STAGING = "submit_staging", "accepted; its inputs must come from tape first"
    SUBMIT_WAITING = "submit_waiting", "accepted; it needs an approval or an input first"
    REFINE = "refine", "its document is complete and makes sense"
    REREFINE = "rerefine", "its document was changed"
    LIST_INPUTS = "list_inputs", "all known inputs are listed"
    LIST_NOTHING = "list_nothing", "there is no input, and the document allows that"
    RELIST = "relist", "an input grew or may have grown"
    SEEK_DESTINATION = "seek_destination", "inputs are listed; where its outputs go is undecided"
    REQUIRE_PREPROCESSING = "require_preprocessing", "a preprocessing job must run first"
    WAIT = "wait", "an input or its parent is not there yet, or a service does not answer"
    FIND_INPUT = "find_input", "an input that it waited for exists now"
    REJECT = "reject", "its document or its inputs can never work"
    ASSIGN = "assign", "its destination is chosen"
    POSTPONE = "postpone", "no queue can take it now"
    START = "start", "jobs are made from all its inputs"
    START_SCOUTS = "start_scouts", "scout jobs are made from its first inputs"
    START_PREPROCESSING = "start_preprocessing", "its preprocessing job is made"
    REFUSE = "refuse", "no valid job can be made from it"
    FINISH_PREPROCESSING = "finish_preprocessing", "its preprocessing job finished"
    FAIL_PREPROCESSING = "fail_preprocessing", "its preprocessing job failed for good"
    JUDGE_SCOUTS = "judge_scouts", "enough scouts finished and what they measured is stored"
    FAIL_SCOUTS = "fail_scouts", "too few scouts succeeded"
    AWAIT_MERGE = "await_merge", "all inputs are processed, merge jobs still run"
    PREPARE = "prepare", "every input is settled and no more will come"
    PASS = "pass", "after a finish: none of its jobs is active any more"
    COMPLETE = "complete", "verdict: every input was processed"
    COMPLETE_PARTLY = "complete_partly", "verdict: a part of the inputs was processed"
    FAIL = "fail", "verdict: nothing was processed, or the goal was missed"
    EXHAUST = "exhaust", "scouts or attempts show that going on makes no sense"
    BREAK = "break", "closed as broken"
    CLEAN_UP = "clean_up", "killed and none of its jobs active; something must be cleaned elsewhere"
    ABORT = "abort", "killed, none of its jobs active, nothing left to clean"
    RECOVER = "recover", "some of its outputs were lost; their inputs are opened again"
    APPROVE = "approve", "an operator lets it start"
    KILL = "kill", "a user or an operator ends it"
    FINISH = "finish", "a user or an operator ends it with what is there"
    RETRY = "retry", "a user asks to process again what failed"
    REOPEN = "reopen", "its failed inputs are open again"
    INCEXEC = "incexec", "a user changes parameters and goes on with new inputs"
    REASSIGN = "reassign", "a user or an operator sends it elsewhere"
    WITHDRAW = "withdraw", "its queued jobs are withdrawn for the reassignment"
    AVALANCHE = "avalanche", "an operator ends the scouting"
    PAUSE = "pause", "a user or an operator stops it for a while"
    RESUME = "resume", "goes on making jobs after a pause or a throttle"
    RESUME_LISTING = "resume_listing", "goes on listing its inputs after a pause"
    RESUME_REFINING = "resume_refining", "goes on from the start after a pause, or without waiting for tape"
    OBSOLETE = "obsolete", "its outputs are declared void"
    STAGED = "staged", "its inputs have come from tape"
    WAKE = "wake", "waited long enough: look for queues again"
    WAKE_LISTING = "wake_listing", "waited long enough: list its inputs again"
    WAKE_REFINING = "wake_refining", "waited long enough: look at its document again"
    EXPIRE = "expire", "waited too long"
    THROTTLE = "throttle", "a cap on transfers, staging or failures was passed"
    UNTHROTTLE = "unthrottle", "the time of the throttle is over"
    AUTO_PAUSE = "auto_pause", "its failure rate is over the limit"
    AUTO_FINISH = "auto_finish", "its goal or its deadline is reached, or nobody decided about it in time"


S, E = TaskStatus, TaskEvent

_LISTING = frozenset({S.DEFINED, S.ASSIGNING, S.TOPREPROCESS, S.PREPROCESSING})
_FLOWING = frozenset({S.READY, S.SCOUTING, S.SCOUTED, S.RUNNING, S.MERGING})
_INTERRUPTED = frozenset({S.PENDING, S.THROTTLED})
_BEGINNING = frozenset({S.WAITING, S.STAGING, S.REGISTERED})
_CHANGING = frozenset({S.TORETRY, S.TOINCEXEC, S.REREFINE, S.TOREASSIGN, S.REASSIGNING})
_ACTIVE = _BEGINNING | _LISTING | _FLOWING | _INTERRUPTED | {S.PAUSED, S.EXHAUSTED} | _CHANGING

FLOWING = _FLOWING
"""Statuses of a task whose inputs are listed and whose jobs are made or run."""

FLOW: Flow[TaskEvent, TaskStatus] = {
    Stage.DEFINE: [
        (E.SUBMIT, NEW, S.REGISTERED),
        (E.SUBMIT_STAGING, NEW, S.STAGING),
        (E.SUBMIT_WAITING, NEW, S.WAITING),
        (E.REFINE, [S.REGISTERED, S.REREFINE], S.DEFINED),
        (E.REREFINE, [S.TOINCEXEC], S.REREFINE),
        (E.LIST_INPUTS, [S.DEFINED], S.READY),
        (E.LIST_NOTHING, [S.DEFINED], S.PREPARED),
        (E.RELIST, [S.READY, S.RUNNING, S.MERGING], S.DEFINED),
        (E.SEEK_DESTINATION, [S.DEFINED], S.ASSIGNING),
        (E.REQUIRE_PREPROCESSING, [S.DEFINED], S.TOPREPROCESS),
        (E.WAIT, [S.REGISTERED, S.DEFINED, S.REREFINE], S.PENDING),
        (E.FIND_INPUT, [S.PENDING], S.DEFINED),
        (E.REJECT, [S.REGISTERED, S.DEFINED, S.REREFINE], S.TOBROKEN),
    ],
    Stage.BROKER: [
        (E.ASSIGN, [S.ASSIGNING, S.REASSIGNING], S.READY),
        (E.POSTPONE, _FLOWING | {S.ASSIGNING}, S.PENDING),
    ],
    Stage.GENERATE: [
        (E.START, [S.READY, S.SCOUTED], S.RUNNING),
        (E.START_SCOUTS, [S.READY], S.SCOUTING),
        (E.START_PREPROCESSING, [S.TOPREPROCESS], S.PREPROCESSING),
        (E.REFUSE, [S.READY, S.TOPREPROCESS], S.TOBROKEN),
    ],
    Stage.AGGREGATE: [
        (E.FINISH_PREPROCESSING, [S.PREPROCESSING], S.DEFINED),
        (E.FAIL_PREPROCESSING, [S.PREPROCESSING], S.TOBROKEN),
        (E.JUDGE_SCOUTS, [S.SCOUTING, S.READY], S.SCOUTED),
        (E.FAIL_SCOUTS, [S.SCOUTING, S.READY], S.TOBROKEN),
        (E.AWAIT_MERGE, [S.RUNNING], S.MERGING),
        (E.PREPARE, [S.READY, S.SCOUTED, S.RUNNING, S.MERGING, S.PENDING, S.THROTTLED], S.PREPARED),
        (E.PASS, [S.FINISHING], S.PASSED),
        (E.COMPLETE, [S.PREPARED, S.PASSED], S.DONE),
        (E.COMPLETE_PARTLY, [S.PREPARED, S.PASSED], S.FINISHED),
        (E.FAIL, [S.PREPARED, S.PASSED], S.FAILED),
        (E.EXHAUST, [S.SCOUTING, S.READY, S.RUNNING, S.PREPARED, S.PASSED, S.TORETRY], S.EXHAUSTED),
        (E.BREAK, [S.TOBROKEN], S.BROKEN),
        (E.CLEAN_UP, [S.ABORTING], S.TOABORT),
        (E.ABORT, [S.ABORTING, S.TOABORT], S.ABORTED),
    ],
    Stage.COMMAND: [
        (E.APPROVE, [S.WAITING], S.REGISTERED),
        (E.KILL, _ACTIVE | {S.TOBROKEN, S.FINISHING, S.PASSED}, S.ABORTING),
        (E.FINISH, _ACTIVE, S.FINISHING),
        (E.RETRY, [S.FINISHED, S.FAILED, S.EXHAUSTED], S.TORETRY),
        (E.REOPEN, [S.TORETRY], S.READY),
        (E.RECOVER, [S.DONE, S.FINISHED], S.READY),
        (E.INCEXEC, [S.DONE, S.FINISHED, S.FAILED, S.ABORTED, S.EXHAUSTED], S.TOINCEXEC),
        (E.REASSIGN, [S.DEFINED, S.ASSIGNING, S.READY, S.SCOUTING, S.SCOUTED, S.RUNNING, S.PENDING, S.EXHAUSTED], S.TOREASSIGN),
        (E.WITHDRAW, [S.TOREASSIGN], S.REASSIGNING),
        (E.AVALANCHE, [S.SCOUTING], S.SCOUTED),
        (E.PAUSE, _BEGINNING - {S.WAITING} | _LISTING | _FLOWING | _INTERRUPTED, S.PAUSED),
        (E.RESUME, [S.PAUSED, S.THROTTLED], S.READY),
        (E.RESUME_LISTING, [S.PAUSED], S.DEFINED),
        (E.RESUME_REFINING, [S.PAUSED, S.STAGING], S.REGISTERED),
        (E.OBSOLETE, [S.DONE, S.FINISHED], S.OBSOLETE),
    ],
    Stage.WATCH: [
        (E.STAGED, [S.STAGING], S.REGISTERED),
        (E.WAKE, [S.PENDING], S.READY),
        (E.WAKE_LISTING, [S.PENDING], S.DEFINED),
        (E.WAKE_REFINING, [S.PENDING], S.REGISTERED),
        (E.EXPIRE, [S.PENDING], S.EXHAUSTED),
        (E.THROTTLE, [S.READY, S.SCOUTING, S.RUNNING], S.THROTTLED),
        (E.UNTHROTTLE, [S.THROTTLED], S.READY),
        (E.AUTO_PAUSE, [S.READY, S.SCOUTING, S.RUNNING], S.PAUSED),
        (E.AUTO_FINISH, _FLOWING | _INTERRUPTED | {S.PAUSED, S.EXHAUSTED}, S.FINISHING),
    ],
}
INITIAL, TRANSITIONS, OWNERS = unfold(FLOW)

REOPENING: frozenset[TaskEvent] = frozenset({E.RETRY, E.INCEXEC, E.RECOVER, E.OBSOLETE})
"""May leave a verdict: the old one stays in the log. `obsolete` withdraws a verdict without running again."""

_WHY = "task.reason"
_PASS = Dwell(HOUR, None, _WHY, "one pass of the engine; reported as stuck after the limit")
_JOBS = Dwell(None, None, _WHY, "as long as its jobs, each with limits of its own")
_ASKED = Dwell(None, None, _WHY, "until a person decides")

DWELL: dict[TaskStatus, Dwell] = {
    **dict.fromkeys((S.REGISTERED, S.DEFINED, S.ASSIGNING, S.TOPREPROCESS, S.SCOUTED, S.PREPARED, S.PASSED, S.TOBROKEN, S.TOABORT, *_CHANGING), _PASS),
    **dict.fromkeys((S.READY, S.PREPROCESSING, S.SCOUTING, S.RUNNING, S.MERGING, S.ABORTING, S.FINISHING), _JOBS),
    S.WAITING: _ASKED,
    S.PAUSED: _ASKED,
    S.STAGING: Dwell(None, None, _WHY, "as long as the tape system keeps its promise; an operator may resume it"),
    S.PENDING: Dwell(7 * DAY, E.EXPIRE, _WHY, "woken every 20 minutes to look again; kept as long as some of its jobs are active"),
    S.THROTTLED: Dwell(DAY, E.UNTHROTTLE, _WHY, "a base time that grows with the square of the number of throttles; this is the longest"),
    S.EXHAUSTED: Dwell(30 * DAY, E.AUTO_FINISH, _WHY, "unless the task forbids an automatic finish"),
}

TASK: Machine[TaskStatus, TaskEvent] = Machine("task", TaskStatus, TaskEvent, INITIAL, TRANSITIONS, OWNERS, DWELL, REOPENING)
FINAL = TASK.final
next_status = TASK.next_status
sources = TASK.sources

INTERLUDES = _INTERRUPTED | {S.PAUSED}
"""Statuses that interrupt the flow: the row's `previous_status` keeps the last status that is not one of these."""


def return_point(previous_status: TaskStatus) -> TaskStatus:
    """Where a task goes on after an interlude that began in `previous_status`: registered, defined or ready."""
    if previous_status in _BEGINNING or previous_status == S.REREFINE:
        return S.REGISTERED
    return S.DEFINED if previous_status in _LISTING else S.READY


def wake_event(previous_status: TaskStatus) -> TaskEvent:
    """The event that ends a pending status which began in `previous_status`."""
    return {S.REGISTERED: E.WAKE_REFINING, S.DEFINED: E.WAKE_LISTING}.get(return_point(previous_status), E.WAKE)


def resume_event(previous_status: TaskStatus) -> TaskEvent:
    """The event that ends a pause which began in `previous_status`."""
    return {S.REGISTERED: E.RESUME_REFINING, S.DEFINED: E.RESUME_LISTING}.get(return_point(previous_status), E.RESUME)
