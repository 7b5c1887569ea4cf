"""One round of a command: one transaction that does a part of it, and says how far it has come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pandawms.domain.command import Verb
from pandawms.domain.job import JobEvent, JobStatus
from pandawms.domain.outcome import outcome
from pandawms.domain.stages import Stage
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Fate
from pandawms.engine.services import Services
from pandawms.store import commands, endings, jobs, leases, wake
from pandawms.store.commands import Pending
from pandawms.store.database import Connection
from pandawms.store.endings import ending
from pandawms.store.leases import Held
from pandawms.store.tasks import Task

WHO = str(Stage.COMMAND)


@dataclass(frozen=True, slots=True)
class Done:
    """The command is applied (or refused), with what came of it in words and numbers."""

    answer: str
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class More:
    """There is more to do, after so many seconds; the next round is given this progress. None: no round has begun, and the command may still be withdrawn."""

    progress: Mapping[str, Any] | None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Round:
    """What a round is given: the command, and its task as it is now."""

    connection: Connection
    services: Services
    command: Pending
    task: Task

    @property
    def verb(self) -> Verb:
        """What is asked."""
        return Verb(self.command.verb)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """How it is asked."""
        return self.command.arguments

    @property
    def qualifiers(self) -> frozenset[str]:
        """The qualifiers that are given."""
        return planning.qualifiers(self.verb, self.arguments)

    @property
    def progress(self) -> Mapping[str, Any]:
        """What the last round left; empty in the first."""
        return self.command.progress or {}

    @property
    def reason(self) -> str:
        """Why it is asked, for the history of task and jobs."""
        return str(self.arguments.get("reason") or f"{self.verb} by {self.command.asker}")

    @property
    def why(self) -> dict[str, Any]:
        """The reason as it is kept with the task."""
        return {"code": f"command.{self.verb}", "text": self.reason}

    @property
    def tries(self) -> int:
        """How often an input may be tried in all."""
        return int((self.task.document.get("retry") or {}).get("max_attempts") or 1)

    @property
    def counts(self) -> dict[str, int]:
        """What was done so far, by word."""
        return dict(self.progress.get("counts", {}))


def begun(given: Round, **more: Any) -> More:
    """The first round is over: the task is where the command takes it, its jobs come next."""
    return More({"is_begun": True, "after": 0, "counts": {}} | more)


async def sweep(given: Round) -> More | None:
    """Does to the next thousand jobs of the task what the command does to jobs; None when there was no job left.

    All of them are locked before any is ended, as a report holds its jobs when it comes to the counters of the task.
    """
    after, size = int(given.progress.get("after", 0)), given.services.options.jobs_per_round
    found = await commands.job_ids(given.connection, given.task.task_id, planning.swept(given.verb, given.qualifiers), after, size)
    if not found:
        return None
    counts = given.counts
    held = await leases.lock(given.connection, found, planning.swept(given.verb, given.qualifiers))
    by_fate: dict[Fate, list[Held]] = {}
    for job in held:
        by_fate.setdefault(planning.fate(given.verb, given.qualifiers, JobStatus(job.status), job.kind), []).append(job)
    await _end(given, by_fate)
    await _move(given, by_fate)
    for what, concerned in by_fate.items():
        counts[what] = counts.get(what, 0) + len(concerned)
    return More(dict(given.progress) | {"after": found[-1], "counts": counts})


async def _end(given: Round, by_fate: Mapping[Fate, list[Held]]) -> None:
    ends = []
    for what, event in ((Fate.CANCEL, JobEvent.CANCEL), (Fate.CLOSE, JobEvent.CLOSE)):
        how = outcome(planning.ending_code(given.verb, what), given.reason)
        ends += [ending(job, event, how) for job in by_fate.get(what, ())]
    await endings.end(given.connection, ends, given.command.asker)
    if given.verb is Verb.REASSIGN:
        await commands.give_back(given.connection, [each.job_id for each in ends], given.tries)
    await leases.order_kill(given.connection, [job.job_id for job in by_fate.get(Fate.TELL, ())], given.reason, given.command.asked_by)


async def _move(given: Round, by_fate: Mapping[Fate, list[Held]]) -> None:
    for what, event in ((Fate.HOLD, JobEvent.PAUSE), (Fate.FREE, JobEvent.RESUME)):
        if what in by_fate:
            await jobs.move(given.connection, [job.job_id for job in by_fate[what]], event, given.command.asker)
    await wake.queues(given.connection, {job.queue_id for job in by_fate.get(Fate.FREE, ())})
    if Fate.CHANGE in by_fate:
        ids = [job.job_id for job in by_fate[Fate.CHANGE]]
        await commands.set_jobs(given.connection, ids, given.arguments.get("priority"), given.progress.get("share_id"))
