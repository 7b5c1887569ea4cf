"""Takes heartbeats and reports in batches: one transaction each, answered after its commit."""

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
from pandawms.store.leases import Key
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat
from pandawms.wire.pilot.report import JobReport, ReportVerdict

WHO = str(Stage.REPORT)
WAKE_SECONDS = 0.05
"""Stages are woken at most so often: each then looks again after a moment (`engine.loop.REST_SECONDS`), so that what comes in between waits for it."""


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """One call: the jobs that a pilot says it holds, each under its key."""

    beats: Sequence[tuple[Key, JobBeat]]


@dataclass(frozen=True, slots=True)
class Reports:
    """One call: the jobs that a pilot has ended, each under its key."""

    reports: Sequence[tuple[Key, JobReport]]


@dataclass(slots=True)
class Reporter:
    """The heartbeats and reports of one server process."""

    pool: Pool
    services: Services
    _blueprints: Blueprints = field(default_factory=Blueprints)
    _woke_at: float = float("-inf")
    _beats: Gatherer[Heartbeats, tuple[BeatVerdict, ...]] = field(init=False)
    _reports: Gatherer[Reports, tuple[ReportVerdict, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._beats = Gatherer(self._take_beats)
        self._reports = Gatherer(self._take_reports)

    async def heartbeat(self, queue_id: int, beats: Sequence[JobBeat]) -> tuple[BeatVerdict, ...]:
        """Renews the leases of a pilot's jobs and returns what it is told about each. Raises Denied for a job of another queue than the pilot's."""
        return await self._beats.do(Heartbeats([(planning.key(beat, queue_id), beat) for beat in beats])) if beats else ()

    async def report(self, queue_id: int, reports: Sequence[JobReport]) -> tuple[ReportVerdict, ...]:
        """Ends a pilot's jobs as reported and returns a verdict for each; safe to repeat. Raises Denied for a job of another queue than the pilot's."""
        return await self._reports.do(Reports([(planning.key(report, queue_id), report) for report in reports])) if reports else ()

    async def _take_beats(self, calls: Sequence[Heartbeats]) -> list[tuple[BeatVerdict, ...] | Denied]:
        statuses = planning.statuses(each for call in calls for each in call.beats)
        async with self.pool.acquire() as connection:
            told = await leases.beat(connection, statuses, self.services.options.lease_seconds)
            foreign = await _foreign(connection, statuses.keys() - told.keys())
        return [_denied(foreign, [key for key, _ in call.beats]) or tuple([_verdict(key, told) for key, _ in call.beats]) for call in calls]

    async def _take_reports(self, calls: Sequence[Reports]) -> list[tuple[ReportVerdict, ...] | Denied]:
        """Of reports that name the same job and claim the first is taken; the others are answered as if they had come after it."""
        taken: dict[Key, JobReport] = {}
        for call in calls:
            for key, report in call.reports:
                taken.setdefault(key, report)
        async with self.pool.acquire() as connection, connection.transaction():
            held = await leases.lock_held(connection, taken.keys())
            verdicts = await self._end(connection, held, taken)
            unheld = taken.keys() - held.keys()
            foreign = await _foreign(connection, unheld)
            others = await leases.known(connection, {key[0] for key in unheld}) if unheld else {}
        verdicts |= {key: planning.answer_unheld(taken[key], others.get(key[0])) for key in unheld}
        return [
            _denied(foreign, [key for key, _ in call.reports])
            or tuple([planning.answer_beside(report, taken[key], verdicts[key]) for key, report in call.reports])
            for call in calls
        ]

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


def _verdict(key: Key, told: Mapping[Key, leases.Told]) -> BeatVerdict:
    found = told.get(key)
    if found is None:
        return BeatVerdict(key[0], "gone", "the lease is over, or another attempt has the job")
    return BeatVerdict(key[0], found.verdict or "ok", found.reason or "")


async def _foreign(connection: Connection, unheld: Collection[Key]) -> set[Key]:
    """Returns which of these name a job of another queue; asked only for jobs that were not held, so that a usual call pays nothing."""
    found: set[Key] = set()
    for asked in {queue_id for _, _, queue_id in unheld}:
        elsewhere = set(await leases.elsewhere(connection, [job_id for job_id, _, queue_id in unheld if queue_id == asked], asked))
        found |= {key for key in unheld if key[2] == asked and key[0] in elsewhere}
    return found


def _denied(foreign: Collection[Key], keys: Sequence[Key]) -> Denied | None:
    """The error of a call that names a job of another queue than its token's."""
    job_id = next((key[0] for key in keys if key in foreign), None) if foreign else None
    if job_id is None:
        return None
    return Denied(
        f"job {job_id} is not of this token's queue", code="job.foreign", field="job_id", value=job_id, allowed="jobs of the token's queue",
        hint="use the token of the job's queue",
    )  # fmt: skip


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
