"""Takes heartbeats and reports in batches: one transaction each, answered after its commit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from pandawms.domain.job import JobEvent
from pandawms.domain.stages import Stage
from pandawms.engine.gathering import Gatherer
from pandawms.engine.report import plan as planning
from pandawms.engine.report.plan import Decision
from pandawms.engine.services import Services
from pandawms.store import catalogue, jobs, wake
from pandawms.store.database import Connection, Pool
from pandawms.store.jobs import Ending
from pandawms.wire.pilot.heartbeat import BeatVerdict, JobBeat
from pandawms.wire.pilot.report import JobReport, ReportVerdict

WHO = str(Stage.REPORT)

Key = tuple[int, UUID]


@dataclass(slots=True)
class Reporter:
    """The heartbeats and reports of one server process."""

    pool: Pool
    services: Services
    _beats: Gatherer[Sequence[JobBeat], tuple[BeatVerdict, ...]] = field(init=False)
    _reports: Gatherer[Sequence[JobReport], tuple[ReportVerdict, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._beats = Gatherer(self._take_beats)
        self._reports = Gatherer(self._take_reports)

    async def heartbeat(self, beats: Sequence[JobBeat]) -> tuple[BeatVerdict, ...]:
        """Renews the leases of a pilot's jobs and returns what it is told about each."""
        return await self._beats.do(beats)

    async def report(self, reports: Sequence[JobReport]) -> tuple[ReportVerdict, ...]:
        """Ends a pilot's jobs as reported and returns a verdict for each; safe to repeat."""
        return await self._reports.do(reports)

    async def _take_beats(self, calls: Sequence[Sequence[JobBeat]]) -> list[tuple[BeatVerdict, ...]]:
        asked = [(beat.job_id, UUID(beat.claim_id), str(planning.PHASES[beat.phase])) for beats in calls for beat in beats]
        async with self.pool.acquire() as connection, connection.transaction():
            told = await jobs.beat(connection, asked, self.services.options.lease_seconds)
        return [tuple(_verdict(beat, told) for beat in beats) for beats in calls]

    async def _take_reports(self, calls: Sequence[Sequence[JobReport]]) -> list[tuple[ReportVerdict, ...]]:
        reports = {_key(report): report for call in calls for report in call}
        async with self.pool.acquire() as connection, connection.transaction():
            verdicts = await _end(connection, reports)
        return [tuple(verdicts[_key(report)] for report in call) for call in calls]


def _verdict(beat: JobBeat, told: dict[int, jobs.Told]) -> BeatVerdict:
    found = told.get(beat.job_id)
    if found is None:
        return BeatVerdict(beat.job_id, "gone", "the lease is over, or another attempt has the job")
    return BeatVerdict(beat.job_id, found.verdict or "ok", found.reason or "")


def _key(report: JobReport) -> Key:
    """What a report is known by: two claims may name the same job, and only one of them holds it."""
    return report.job_id, UUID(report.claim_id)


async def _end(connection: Connection, reports: dict[Key, JobReport]) -> dict[Key, ReportVerdict]:
    held = await jobs.lock_held(connection, reports.keys())
    unheld = reports.keys() - held.keys()
    others = await jobs.known(connection, {job_id for job_id, _ in unheld})
    verdicts = {key: planning.answer_unheld(reports[key], others.get(key[0])) for key in unheld}
    expected = await jobs.expected_outputs(connection, {job_id for job_id, _ in held})
    now = planning.now()
    decisions = {key: planning.decide(job, reports[key], expected[key[0]], now) for key, job in sorted(held.items())}
    await _apply(connection, list(decisions.values()))
    return verdicts | {key: ReportVerdict(key[0], "accepted", _status(d)) for key, d in decisions.items()}


def _status(decision: Decision) -> str:
    return str(Ending(decision.job, decision.event, decision.outcome).status)


async def _apply(connection: Connection, decisions: Sequence[Decision]) -> None:
    if not decisions:
        return
    await _register(connection, decisions)
    merging = [(d.job, d.usage) for d in decisions if d.event == JobEvent.MERGE]
    if merging:
        await jobs.hold_for_merge(connection, merging)
    ending = [Ending(d.job, d.event, d.outcome, d.usage) for d in decisions if d.event != JobEvent.MERGE]
    await jobs.end(connection, ending, WHO)
    await wake.stages(connection, str(Stage.AGGREGATE), str(Stage.DEFINE))


async def _register(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Puts what was written into the catalogue and notes which file each output became.

    All files of a job that waits for a merge go to its transient dataset: the others move to where they belong when the merge has succeeded, so that
    no reader sees the output of a job that may have to run again.
    """
    batches: dict[tuple[int, str, int], list[tuple[jobs.Expected, catalogue.NewFile]]] = {}
    for decision in decisions:
        aside = next((expected.dataset_id for expected, _ in decision.outputs if expected.dataset_role == "transient"), None)
        for expected, file in decision.outputs:
            batches.setdefault((aside or expected.dataset_id, expected.scope, decision.job.endpoint_id or 0), []).append((expected, file))
    bound: list[tuple[int, int, int, str]] = []
    for (dataset_id, scope, endpoint_id), outputs in sorted(batches.items()):
        ids = await catalogue.add_files(connection, dataset_id, scope, [file for _, file in outputs], endpoint_id)
        bound += [(e.job_id, e.n, ids[file.name], "ready" if e.dataset_role == "transient" else "finished") for e, file in outputs]
    if bound:
        await jobs.bind_outputs(connection, bound)
