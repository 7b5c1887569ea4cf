"""Decides what the facts about a job mean. Pure."""

from collections.abc import Iterator
from datetime import datetime

from pandawms.domain.clone import CloneStatus
from pandawms.domain.job import JOB, LEASED, JobStatus
from pandawms.engine.explain import retried
from pandawms.engine.explain.facts import JobFacts
from pandawms.engine.explain.plan import engine_down, waiting_in
from pandawms.wire.why import Cause, Why


def explain(facts: JobFacts, now: datetime) -> Why:
    """Returns why a job is as it is: the most important cause first."""
    causes = tuple(_causes(facts, now))
    return Why(subject=f"job {facts.job_id}", status=facts.status, headline=_headline(facts, causes), causes=causes, advice=tuple(_advice(facts, causes)))


def _causes(facts: JobFacts, now: datetime) -> Iterator[Cause]:
    for asked in facts.asked:
        yield Cause(code="command.pending", text=asked.text, since=asked.asked_at)
    if facts.outcome is not None:
        yield from _ended(facts)
    elif facts.status in LEASED:
        yield from _leased(facts, now)
    else:
        yield from _waiting(facts, now)
    yield from _copies(facts)


def _ended(facts: JobFacts) -> Iterator[Cause]:
    outcome = facts.outcome
    assert outcome is not None, "an ended job has an outcome"
    if outcome.is_success:
        return
    yield Cause(code=f"{outcome.domain}.{outcome.name}", text=outcome.message or outcome.name.replace("_", " "), since=facts.since, value=outcome.exit_code)
    if facts.successor_id is not None:
        yield Cause(code="job.tried_again", text=f"its inputs are tried again by job {facts.successor_id}", value=facts.successor_id)
    yield from retried.of_job(facts.done)
    if facts.successor_id is None and not outcome.retryable:
        yield Cause(code="job.not_retryable", text="another attempt would fail the same way, so there is none")


def _copies(facts: JobFacts) -> Iterator[Cause]:
    """What the other copies of it are doing, and which one counts."""
    others = [copy for copy in facts.copies if copy.job_id != facts.job_id]
    if not others:
        return
    group = others[0]
    winner_id = group.winner_job_id
    told = ", ".join(f"job {copy.job_id} in queue {copy.queue} is {copy.status}" for copy in others)
    if group.group_status == CloneStatus.OPEN:
        text = f"it is one of {len(others) + 1} copies, of which none has won yet: {told}"
    elif winner_id is None:
        text = f"it is one of {len(others) + 1} copies, which have ended without one that won: {told}"
    elif winner_id == facts.job_id:
        text = f"it has won over its other copies: {told}"
    else:
        text = f"job {winner_id}, another copy of it, has won: {told}"
    yield Cause(code="job.copies", text=text, value=winner_id)


def _leased(facts: JobFacts, now: datetime) -> Iterator[Cause]:
    if facts.kill_reason is not None:
        yield Cause(code="job.kill_ordered", text=f"its pilot is told to end it by the next heartbeat: {facts.kill_reason}")
    if facts.lease_expires_at is not None and facts.lease_expires_at < now:
        yield Cause(code="lease.expired", text="its pilot has been silent for too long; it is about to be ended", since=facts.lease_expires_at)
        return
    yield Cause(code="job.running", text=f"a pilot has it{f' in queue {facts.queue.name}' if facts.queue else ''}", since=facts.since)


def _waiting(facts: JobFacts, now: datetime) -> Iterator[Cause]:
    if facts.engines == 0:
        yield engine_down()
    for job in facts.predecessors:
        if job.status != JobStatus.FINISHED:
            yield Cause(code="job.predecessor", text=f"it waits for job {job.job_id}, which is {job.status}", value=job.job_id)
    if facts.missing:
        names = ", ".join(facts.missing[:3])
        yield Cause(code="job.missing_input", text=f"its queue cannot read {names} yet", value=len(facts.missing))
    if facts.status == JobStatus.ACTIVATED and facts.queue is not None:
        yield waiting_in(facts.queue, 1, now)
        if facts.asks_for:
            text = f"only a pilot whose slot has {' and '.join(facts.asks_for)} takes it (options --nodes, --gpu-model and --gpu-memory-mb of the pilot)"
            yield Cause(code="job.slot", text=text)
        if facts.n_ahead:
            yield Cause(code="queue.ahead", text=f"{facts.n_ahead} ready jobs of this queue come first", value=facts.n_ahead)
    if facts.status == JobStatus.MERGING:
        yield Cause(code="job.merging", text="it has run; its output waits to be merged with others", since=facts.since)


def _headline(facts: JobFacts, causes: tuple[Cause, ...]) -> str:
    if facts.status == JobStatus.FINISHED:
        return f"Job {facts.job_id} finished well."
    if not causes:
        return f"Job {facts.job_id} is {facts.status}: its next step is about to happen."
    verb = "ended as" if JOB.is_final(JobStatus(facts.status)) else "is"
    return f"Job {facts.job_id} {verb} {facts.status}: {causes[0].text}{'' if causes[0].text.endswith('.') else '.'}"


def _advice(facts: JobFacts, causes: tuple[Cause, ...]) -> Iterator[str]:
    codes = {cause.code for cause in causes}
    if facts.outcome is not None and not facts.outcome.is_success:
        yield facts.outcome.advice
        yield f"Read what it wrote: `panda logs {facts.job_id}`."
    if "engine.down" in codes:
        yield "Start the engine: `panda up`, or `panda engine`."
    if "queue.no_pilots" in codes:
        yield "Start pilots: `panda provision`, or look why the provisioner starts none (`panda doctor`)."
    if "queue.shut" in codes:
        yield "Ask an operator to open the queue."
