"""Takes heartbeats and reports in batches: one transaction each, answered after its commit."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from pandawms.domain.errors import Denied
from pandawms.domain.job import JobEvent
from pandawms.domain.stages import Stage
from pandawms.engine.blueprints import Blueprints
from pandawms.engine.gathering import Gatherer
from pandawms.engine.report import plan as planning
from pandawms.engine.report.plan import Decision
from pandawms.engine.services import Services
from pandawms.store import endings, leases, wake
from pandawms.store.database import Connection, Pool
from pandawms.store.leases import Beat, Key
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat
from pandawms.wire.pilot.report import JobReport, ReportVerdict

WHO = str(Stage.REPORT)
WAKE_SECONDS = 0.05
"""Stages are woken at most so often: each then looks again after a moment (`engine.loop.REST_SECONDS`), so that what comes in between waits for it."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """One call: the jobs that a pilot of a queue says it holds."""

    queue_id: int
    beats: Sequence[JobBeat]


@dataclass(frozen=True, slots=True)
class Reports:
    """One call: the jobs that a pilot of a queue has ended, each under its key."""

    queue_id: int
    reports: Mapping[Key, JobReport]


@dataclass(slots=True)
class Reporter:
    """The heartbeats and reports of one server process. `gate` bounds the batches that are under way together with those of others who have it."""

    pool: Pool
    services: Services
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    _blueprints: Blueprints = field(default_factory=Blueprints)
    _woke_at: float = float("-inf")
    _beats: Gatherer[Heartbeats, tuple[BeatVerdict, ...]] = field(init=False)
    _reports: Gatherer[Reports, tuple[ReportVerdict, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._beats = Gatherer(self._take_beats, gate=self.gate)
        self._reports = Gatherer(self._take_reports, gate=self.gate)

    async def heartbeat(self, queue_id: int, beats: Sequence[JobBeat]) -> tuple[BeatVerdict, ...]:
        """Renews the leases of a pilot's jobs and returns what it is told about each. Raises Denied for a job of another queue than the pilot's."""
        return await self._beats.do(Heartbeats(queue_id, beats)) if beats else ()

    async def report(self, queue_id: int, reports: Sequence[JobReport]) -> tuple[ReportVerdict, ...]:
        """Ends a pilot's jobs as reported and returns a verdict for each; safe to repeat. Raises Denied for a job of another queue than the pilot's."""
        return await self._reports.do(Reports(queue_id, {planning.key(report): report for report in reports})) if reports else ()

    async def _take_beats(self, calls: Sequence[Heartbeats]) -> list[tuple[BeatVerdict, ...] | Denied]:
        asked = [Beat(b.job_id, planning.claim_of(b), planning.PHASES[b.phase], call.queue_id) for call in calls for b in call.beats]
        async with self.pool.acquire() as connection:
            told = await leases.beat(connection, asked, self.services.options.lease_seconds)
            gone = [(call.queue_id, b.job_id) for call in calls for b in call.beats if b.job_id not in told]
            foreign = await _foreign(connection, gone)
        return [_denied(foreign, call.queue_id, [b.job_id for b in call.beats]) or tuple([_verdict(b, told) for b in call.beats]) for call in calls]

    async def _take_reports(self, calls: Sequence[Reports]) -> list[tuple[ReportVerdict, ...] | Denied]:
        reports = {key: report for call in calls for key, report in call.reports.items()}
        async with self.pool.acquire() as connection, connection.transaction():
            held = await leases.lock_held(connection, {(key, call.queue_id) for call in calls for key in call.reports})
            verdicts = await self._end(connection, held, reports)
            unheld = [(call.queue_id, key[0]) for call in calls for key in call.reports if key not in held]
            foreign = await _foreign(connection, unheld)
            others = await leases.known(connection, {job_id for _, job_id in unheld}) if unheld else {}
        verdicts |= {key: planning.answer_unheld(report, others.get(key[0])) for key, report in reports.items() if key not in held}
        return [_denied(foreign, call.queue_id, [key[0] for key in call.reports]) or tuple([verdicts[key] for key in call.reports]) for call in calls]

    async def _end(self, connection: Connection, held: Mapping[Key, leases.Reported], reports: Mapping[Key, JobReport]) -> dict[Key, ReportVerdict]:
        if not held:
            return {}
        blueprints = await self._blueprints.of(connection, {(job.task_id, job.version) for job in held.values()})
        now = planning.now()
        decisions = {key: planning.decide(job, reports[key], blueprints[job.task_id, job.version], now) for key, job in sorted(held.items())}
        await _apply(connection, list(decisions.values()))
        await self._wake(connection)
        return {key: ReportVerdict(key[0], "accepted", decision.status.value) for key, decision in decisions.items()}

    async def _wake(self, connection: Connection) -> None:
        if time.monotonic() - self._woke_at > WAKE_SECONDS:
            await wake.stages(connection, str(Stage.AGGREGATE), str(Stage.DEFINE))
            self._woke_at = time.monotonic()


def _verdict(beat: JobBeat, told: Mapping[int, leases.Told]) -> BeatVerdict:
    found = told.get(beat.job_id)
    if found is None:
        return BeatVerdict(beat.job_id, "gone", "the lease is over, or another attempt has the job")
    return BeatVerdict(beat.job_id, found.verdict or "ok", found.reason or "")


async def _foreign(connection: Connection, unheld: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Returns which of these (queue, job) name a job of another queue; asked only for jobs that were not held, so that a usual call pays nothing."""
    found: set[tuple[int, int]] = set()
    for queue_id in {queue_id for queue_id, _ in unheld}:
        job_ids = [job_id for asked, job_id in unheld if asked == queue_id]
        found |= {(queue_id, job_id) for job_id in await leases.elsewhere(connection, job_ids, queue_id)}
    return found


def _denied(foreign: Collection[tuple[int, int]], queue_id: int, job_ids: Sequence[int]) -> Denied | None:
    """The error of a call that names a job of another queue than its token's."""
    for job_id in job_ids if foreign else ():
        if (queue_id, job_id) in foreign:
            return Denied(
                f"job {job_id} is not of this token's queue", code="job.foreign", field="job_id", value=job_id, allowed="jobs of the token's queue",
                hint="use the token of the job's queue",
            )  # fmt: skip
    return None


async def _apply(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Outputs first (the dataset's row is locked before the units'), then the ends."""
    await endings.keep_outputs(connection, [written for decision in decisions for written in decision.written])
    merging = [(d.job, d.usage) for d in decisions if d.event is JobEvent.MERGE]
    if merging:
        await endings.hold_for_merge(connection, merging)
    ended = [d for d in decisions if d.event is not JobEvent.MERGE]
    await endings.end(
        connection, [endings.Ending(d.job, d.event, d.status, d.outcome, d.usage) for d in ended], WHO, with_successors=any(d.job.has_successors for d in ended)
    )
