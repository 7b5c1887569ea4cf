"""Decides what the facts about a task mean. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from pandawms.domain.job import LEASED, JobStatus
from pandawms.domain.outcome import Outcome
from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.domain.task import TASK, TaskStatus
from pandawms.engine.explain import retried
from pandawms.engine.explain.facts import TaskFacts
from pandawms.store.places import QueueRow
from pandawms.store.reasons import Failure
from pandawms.wire.why import Cause, QueueRejection, Why

SILENT = timedelta(seconds=30)
"""A queue that no pilot, or no provisioner, has asked about for so long has none that is free, or none at all: both ask every few seconds."""
TOLD_VERDICTS = frozenset({"goal_missed", "parent_bad", "parent_incomplete", "input_incomplete"})
"""Lines of the table of verdicts that do not follow from the numbers of units alone."""
HELD = frozenset({TaskStatus.PENDING, TaskStatus.PAUSED, TaskStatus.THROTTLED, TaskStatus.WAITING})
"""Statuses that stop the flow: their reason is always told."""
NEW = frozenset({TaskStatus.REGISTERED, TaskStatus.DEFINED, TaskStatus.ASSIGNING})


def explain(facts: TaskFacts, now: datetime) -> Why:
    """Returns why a task is as it is: the most important cause first."""
    causes = tuple(_causes(facts, now))
    return Why(
        subject=f"task {facts.task_id}", status=facts.status, headline=_headline(facts, causes), causes=causes, advice=tuple(_advice(facts, causes)),
        rejections=_rejections(facts),
    )  # fmt: skip


def _causes(facts: TaskFacts, now: datetime) -> Iterator[Cause]:
    for asked in facts.asked:
        yield Cause(code="command.pending", text=asked.text, since=asked.asked_at)
    if TASK.is_final(TaskStatus(facts.status)):
        yield from _ended(facts)
        return
    if facts.engines == 0:
        yield engine_down()
    yield from _stopped(facts)
    if facts.status in NEW:
        yield Cause(code="task.new", text="it was taken; its inputs are about to be listed", since=facts.since)
    yield from _kept(facts)
    yield from _input(facts)
    yield from _placement(facts)
    yield from _jobs(facts, now)
    yield from _retries(facts)
    yield from retried.of_task(facts.done)


def _kept(facts: TaskFacts) -> Iterator[Cause]:
    """What a stage, a command or the clock wrote down, where nothing here is looked up for it."""
    code = facts.reason_code or ""
    if code.startswith("stuck.") or (facts.status in HELD and not code.startswith(("broker.", "input."))):
        yield Cause(code=code or f"task.{facts.status}", text=facts.reason or f"it is {facts.status}", since=facts.since)


def engine_down() -> Cause:
    """The cause of everything that stands still while no engine runs."""
    return Cause(code="engine.down", text="no engine runs, so nothing moves")


def _stopped(facts: TaskFacts) -> Iterator[Cause]:
    """Scouts that run alone, and tasks that take no more jobs."""
    if facts.scouts is not None:
        text = f"its first {facts.scouts.n_made} jobs run alone, to measure what the others need; {facts.scouts.n_finished} of them succeeded so far"
        yield Cause(code="scouts.running", text=text, since=facts.since, value=facts.scouts.n_finished)
    if facts.status == TaskStatus.EXHAUSTED:
        yield Cause(code=facts.reason_code or "task.exhausted", text=facts.reason or "going on makes no sense; a person decides", since=facts.since)
    if facts.status == TaskStatus.FINISHING:
        why = f": {facts.reason}" if facts.reason else ""
        yield Cause(code="task.finishing", text=f"it was asked to finish, and its jobs are ended or waited for{why}", since=facts.since)


def _ended(facts: TaskFacts) -> Iterator[Cause]:
    if facts.status in (TaskStatus.ABORTED, TaskStatus.BROKEN):
        yield Cause(code=f"task.{facts.status}", text=facts.reason or f"it is {facts.status}", since=facts.since)
    if facts.reason_code in TOLD_VERDICTS and facts.reason:
        yield Cause(code=f"verdict.{facts.reason_code}", text=facts.reason, since=facts.since)
    if facts.status == TaskStatus.FAILED and not facts.n_listed:
        producer = f": task {facts.parent.name} ({facts.parent.task_id}), which makes it, is {facts.parent.status}" if facts.parent else ""
        yield Cause(code="input.none", text=f"there was no input{producer}", value=facts.parent.status if facts.parent else None)
    if facts.n_failed:
        yield Cause(code="units.failed", text=f"{facts.n_failed} of {facts.n_listed} inputs could not be processed")
    yield from (failure_cause(failure) for failure in facts.failures)
    yield from retried.of_task(facts.done)


def _input(facts: TaskFacts) -> Iterator[Cause]:
    if facts.is_complete or facts.n_used < facts.n_listed or facts.status in NEW:
        return
    if facts.parent is None:
        yield Cause(code="input.growing", text="its input dataset is open, and all files in it so far are taken")
        return
    text = f"it waits for more output of task {facts.parent.name} ({facts.parent.task_id}), which is {facts.parent.status}"
    yield Cause(code="input.producer", text=text, value=facts.parent.status)


def _placement(facts: TaskFacts) -> Iterator[Cause]:
    found = facts.brokerage
    if found is None or found.candidates or facts.n_used >= facts.n_listed:
        return
    text = f"no queue can take it now: {len(found.rejections)} rejected it" if found.rejections else "there is no queue"
    yield Cause(code="broker.no_queue", text=text, since=found.evaluated_at, value=len(found.rejections))


def _jobs(facts: TaskFacts, now: datetime) -> Iterator[Cause]:
    queues = {queue.name: queue for queue in facts.queues}
    running = sum(hot.n for hot in facts.hot if hot.status in LEASED)
    if running:
        yield Cause(code="jobs.running", text=f"{_jobs_are(running)} with pilots", value=running)
    for hot in facts.hot:
        if hot.status == JobStatus.ACTIVATED and hot.queue in queues:
            yield waiting_in(queues[hot.queue], hot.n, now)
        elif hot.status == JobStatus.ASSIGNED:
            yield Cause(code="jobs.wait_for_data", text=f"{_jobs_are(hot.n)} waiting for input data that queue {hot.queue} can read", value=hot.n)
        elif hot.status == JobStatus.WAITING:
            yield Cause(code="jobs.wait_for_jobs", text=f"{_jobs_are(hot.n)} waiting for other jobs", value=hot.n)
        elif hot.status == JobStatus.MERGING:
            yield Cause(code="jobs.merging", text=f"the outputs of {hot.n} job{'s' * (hot.n != 1)} wait to be merged", value=hot.n)


def waiting_in(queue: QueueRow, n_jobs: int, now: datetime) -> Cause:
    """Why ready jobs are not taken in a queue: it is shut, nobody asks, or all its slots are busy."""
    who = f"{_jobs_are(n_jobs)} ready in queue {queue.name}"
    if not PERMITS[QueueStatus(queue.status)].dispatched:
        return Cause(code="queue.shut", text=f"{who}, which is {queue.status}", limit="online", value=queue.status)
    if queue.running_jobs == 0 and _is_silent(queue.last_pilot_at, now) and _is_silent(queue.provisioned_at, now):
        return Cause(code="queue.no_provisioner", text=f"{who}, but no pilot asks for work there and no provisioner starts any", since=queue.provisioned_at)
    if queue.running_jobs == 0 and _is_silent(queue.last_pilot_at, now):
        failed = f"; the last one failed: {queue.last_failure}" if queue.last_failure else ""
        return Cause(code="queue.no_pilots", text=f"{who}, but no pilot asks for work there{failed}", since=queue.last_pilot_at, value=queue.workers)
    if queue.running_jobs < queue.slots:
        return Cause(code="queue.starting", text=f"{who}; a pilot is about to start or to ask", value=queue.workers)
    text = f"{who}; all slots are busy: {queue.running_jobs} of {queue.slots}"
    return Cause(code="queue.busy", text=text, limit=queue.slots, value=queue.running_jobs)


def _is_silent(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at > SILENT


def _retries(facts: TaskFacts) -> Iterator[Cause]:
    if facts.units.n_again:
        yield Cause(code="units.again", text=f"{facts.units.n_again} inputs failed and are tried again", value=facts.units.n_again)
    if facts.units.n_final:
        yield Cause(code="units.failed", text=f"{facts.units.n_final} inputs are out of attempts", value=facts.units.n_final)
    yield from (failure_cause(failure) for failure in facts.failures)


def failure_cause(failure: Failure) -> Cause:
    """One way in which jobs failed, as a cause."""
    name = Outcome(failure.error_domain, failure.error_code).name
    times = f"{failure.n} job{'s' * (failure.n != 1)} failed with {name}"
    return Cause(code=f"{failure.error_domain}.{name}", text=f"{times}, last job {failure.last_job_id}: {failure.message}", value=failure.n)


def _jobs_are(n: int) -> str:
    return "1 job is" if n == 1 else f"{n} jobs are"


def _headline(facts: TaskFacts, causes: Sequence[Cause]) -> str:
    name = f"Task {facts.name}"
    if facts.status == TaskStatus.DONE:
        return f"{name} is done: all {facts.n_listed} inputs were processed."
    if TASK.is_final(TaskStatus(facts.status)):
        parts = f": {facts.n_finished} of {facts.n_listed} inputs were processed" if facts.n_listed else ""
        return f"{name} has ended as {facts.status}{parts}."
    if not causes:
        return f"{name} is {facts.status}: its next step is about to happen."
    return f"{name} is {facts.status}: {causes[0].text}."


def _advice(facts: TaskFacts, causes: Sequence[Cause]) -> Iterator[str]:
    codes = {cause.code for cause in causes}
    if "engine.down" in codes:
        yield "Start the engine: `panda up`, or `panda engine`."
    if "queue.no_provisioner" in codes:
        yield "Start the provisioner: `panda up`, or `panda provision`; `panda status` shows what runs."
    if "queue.no_pilots" in codes:
        yield "Start pilots: `panda provision`, or look why the provisioner starts none (`panda doctor`)."
    if "queue.shut" in codes:
        yield "Ask an operator to open the queue."
    if facts.status == TaskStatus.PAUSED:
        yield f"Let it go on: `panda resume {facts.name}`."
    if "broker.no_queue" in codes:
        yield "See below what each queue refuses; ask for less, or for another queue."
    if facts.status == TaskStatus.EXHAUSTED:
        yield f"Go on with what was measured: `panda retry {facts.name}`; end it with what is there: `panda finish {facts.name}`."
    yield from _advice_on_failures(facts)


def _advice_on_failures(facts: TaskFacts) -> Iterator[str]:
    yield from dict.fromkeys(Outcome(failure.error_domain, failure.error_code).advice for failure in facts.failures[:3])
    if facts.failures:
        yield f"Read what the job wrote: `panda logs {facts.failures[0].last_job_id}`."
    if facts.status == TaskStatus.FAILED and not facts.n_listed and facts.parent:
        yield f"Look there first: `panda why {facts.parent.name}`; a retry of it retries this one too."
    elif facts.status in (TaskStatus.FINISHED, TaskStatus.FAILED):
        yield f"When the cause is gone: `panda retry {facts.name}`."


def _rejections(facts: TaskFacts) -> tuple[QueueRejection, ...]:
    if facts.brokerage is None or TASK.is_final(TaskStatus(facts.status)):
        return ()
    return tuple(rejection(found) for found in facts.brokerage.rejections)


def rejection(found: dict[str, Any]) -> QueueRejection:
    """A kept rejection as it is shown."""
    return QueueRejection(queue=found["queue"], rule=found["rule"], reason=found["reason"], limit=found.get("limit"), value=found.get("value"))
