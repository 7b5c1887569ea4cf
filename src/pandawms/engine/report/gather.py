"""Takes heartbeats and reports in batches, each answered after its commit: one statement each, and more for copies of jobs and jobs of several payloads."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pandawms.domain.errors import Denied
from pandawms.domain.stages import Stage
from pandawms.engine.blueprints import Blueprint, Blueprints
from pandawms.engine.gathering import Gatherer
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.report import clustered
from pandawms.engine.report import plan as planning
from pandawms.engine.services import Services
from pandawms.store import clones, endings, jobs, leases
from pandawms.store.database import Connection, Pool
from pandawms.store.leases import Facts, Key
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat
from pandawms.wire.pilot.report import JobReport, ReportVerdict

WHO = str(Stage.REPORT)
WOKEN = (str(Stage.AGGREGATE), str(Stage.DEFINE))
"""Who follows what jobs leave."""
WAKE_SECONDS = 0.05
"""Stages are woken at most so often: each then looks again after a moment (`engine.loop.RESTS`), so that what comes in between waits for it."""


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
    """The heartbeats and reports of one server process; `facts` are those of the jobs that it gave away."""

    pool: Pool
    services: Services
    facts: JobFacts = field(default_factory=JobFacts)
    _blueprints: Blueprints = field(default_factory=Blueprints)
    _woke_at: float = float("-inf")
    _beats: Gatherer[Heartbeats, tuple[BeatVerdict, ...]] = field(init=False)
    _reports: Gatherer[Reports, tuple[ReportVerdict, ...]] = field(init=False)

    def __post_init__(self) -> None:
        lane = asyncio.Lock()
        self._beats = Gatherer(self._take_beats, lane=lane)
        self._reports = Gatherer(self._take_reports, lane=lane)

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
            if wanted := planning.at_gates(statuses, told):
                told = planning.through_gates(wanted, told, await clones.pass_gates(connection, wanted))
            payloads = clustered.told_of(each for call in calls for each in call.beats if each[0] in told)
            done = await self._take_early(connection, payloads) if payloads else {}
            foreign = await _foreign(connection, statuses.keys() - told.keys())
        return [_denied(foreign, [key for key, _ in call.beats]) or tuple([_verdict(key, told, done) for key, _ in call.beats]) for call in calls]

    async def _take_early(self, connection: Connection, told: clustered.Told) -> dict[int, tuple[int, ...]]:
        facts, blueprints = await self._known(connection, {key[0] for key in told})
        return await clustered.take_early(connection, {key: mine for key, mine in told.items() if _is_clustered(key, facts, blueprints)}, facts, blueprints)

    async def _take_reports(self, calls: Sequence[Reports]) -> list[tuple[ReportVerdict, ...] | Denied]:
        """Of reports that name the same job and claim the first is taken; the others are answered as if they had come after it."""
        taken: dict[Key, JobReport] = {}
        for call in calls:
            for key, report in call.reports:
                taken.setdefault(key, report)
        async with self.pool.acquire() as connection:
            verdicts = await self._end(connection, taken)
            unheld = taken.keys() - verdicts.keys()
            foreign = await _foreign(connection, unheld)
            others = await leases.known(connection, {key[0] for key in unheld}) if unheld else {}
            verdicts |= {key: planning.answer_unheld(taken[key], others.get(key[0])) for key in unheld}
            if any(report.payloads for report in taken.values()):
                verdicts |= await clustered.with_kept(connection, taken, verdicts, others)
        return [
            _denied(foreign, [key for key, _ in call.reports])
            or tuple([planning.answer_beside(report, taken[key], verdicts[key]) for key, report in call.reports])
            for call in calls
        ]

    async def _end(self, connection: Connection, reports: Mapping[Key, JobReport]) -> dict[Key, ReportVerdict]:
        """Ends those of the jobs that their claim still holds, in one transaction, and returns their verdicts. What is decided for the others is not done."""
        facts, blueprints = await self._known(connection, {key[0] for key in reports})
        several = {key: report for key, report in reports.items() if _is_clustered(key, facts, blueprints)}
        verdicts = await clustered.end(connection, several, facts, blueprints, self._wakes()) if several else {}
        now, decisions = planning.now(), {}
        for key, report in reports.items():
            if key[0] in facts and key not in several:
                decisions[key] = planning.decide(facts[key[0]], report, blueprints[key[0]], now)
        if not decisions:
            self.facts.drop(key[0] for key in verdicts)
            return verdicts
        ends, written = {key: d.ending for key, d in decisions.items()}, {key: d.written for key, d in decisions.items()}
        steps = {key[0]: planning.steps(report) for key, report in reports.items() if report.steps}
        if steps:
            async with connection.transaction():
                ended = await endings.end_leased(connection, ends, written, WHO, self._wakes())
                await _keep_steps(connection, {key[0]: steps[key[0]] for key in ended if key[0] in steps})
        else:
            ended = await endings.end_leased(connection, ends, written, WHO, self._wakes())
        self.facts.drop(key[0] for key in (*ended, *verdicts))
        return verdicts | {key: ReportVerdict(key[0], "accepted", decisions[key].ending.status.value) for key in ended}

    async def _known(self, connection: Connection, job_ids: Collection[int]) -> tuple[Mapping[int, Facts], Mapping[int, Blueprint]]:
        """Returns the facts of those of the jobs that exist, and the blueprint of each."""
        found = await self.facts.of(connection, job_ids)
        known = {job_id: found[job_id] for job_id in job_ids if job_id in found}
        blueprints = await self._blueprints.of(connection, {(job.task_id, job.version) for job in known.values()})
        return known, {job_id: blueprints[job.task_id, job.version] for job_id, job in known.items()}

    def _wakes(self) -> Sequence[str]:
        """The stages to wake with this batch: none when they were woken a moment ago."""
        if time.monotonic() - self._woke_at <= WAKE_SECONDS:
            return ()
        self._woke_at = time.monotonic()
        return WOKEN


async def _keep_steps(connection: Connection, steps: Mapping[int, Sequence[Mapping[str, Any]]]) -> None:
    if steps:
        await jobs.keep_steps(connection, steps)


def _is_clustered(key: Key, facts: Mapping[int, Facts], blueprints: Mapping[int, Blueprint]) -> bool:
    return key[0] in facts and blueprints[key[0]].has_payloads(facts[key[0]].kind)


def _verdict(key: Key, told: Mapping[Key, leases.Told], done: Mapping[int, tuple[int, ...]]) -> BeatVerdict:
    found = told.get(key)
    if found is None:
        return BeatVerdict(key[0], "gone", "the lease is over, or another attempt has the job")
    return BeatVerdict(key[0], found.verdict or "ok", found.reason or "", done.get(key[0], ()))


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
