"""Takes what pilots say of the payloads of jobs that have several: while the job runs, and with its end."""

from collections.abc import Iterable, Mapping, Sequence

from pandawms.domain.stages import Stage
from pandawms.engine.blueprints import Blueprint
from pandawms.engine.report import payloads as deciding
from pandawms.engine.report import plan as planning
from pandawms.store import endings, payloads
from pandawms.store.database import Connection
from pandawms.store.leases import Facts, Key, Known
from pandawms.wire.pilot.heartbeat import JobBeat
from pandawms.wire.pilot.report import JobReport, PayloadReport, ReportVerdict

WHO = str(Stage.REPORT)
Told = dict[Key, dict[int, PayloadReport]]
"""What heartbeats tell of payloads, by job and place."""


def told_of(beats: Iterable[tuple[Key, JobBeat]]) -> Told:
    """Returns what heartbeats tell of payloads, each payload once; nothing for most batches."""
    found: Told = {}
    for key, beat in beats:
        if beat.payloads:
            found.setdefault(key, {}).update({payload.n: payload for payload in beat.payloads})
    return found


async def take_early(connection: Connection, told: Told, facts: Mapping[int, Facts], blueprints: Mapping[int, Blueprint]) -> dict[int, tuple[int, ...]]:
    """Takes payloads that succeeded while their jobs go on, in one transaction; returns which of these are done, by job."""
    units = await payloads.units(connection, {key[0] for key in told})
    takings = {key: deciding.early(facts[key[0]], mine.values(), units[key[0]], blueprints[key[0]]) for key, mine in told.items()}
    async with connection.transaction():
        await payloads.take(connection, {key: taking for key, taking in takings.items() if taking.accounts})
    done = await payloads.finished(connection, {key[0] for key in told})
    return {key[0]: tuple([n for n in done[key[0]] if n in mine]) for key, mine in told.items()}


async def end(connection: Connection, reports: Mapping[Key, JobReport], facts: Mapping[int, Facts], blueprints: Mapping[int, Blueprint],
              wakes: Sequence[str]) -> dict[Key, ReportVerdict]:  # fmt: skip
    """Ends those of the jobs that their claim holds: what became of each unit first, then the jobs, in one transaction of their own."""
    units, now = await payloads.units(connection, {key[0] for key in reports}), planning.now()
    before = await payloads.finished(connection, {key[0] for key, report in reports.items() if len(report.payloads) < len(units[key[0]])})
    ends = {key: deciding.decide(facts[key[0]], report, units[key[0]], blueprints[key[0]], now, before.get(key[0], ())) for key, report in reports.items()}
    async with connection.transaction():
        held = await payloads.take(connection, {key: ended.taking for key, ended in ends.items()})
        if held:
            await endings.end_leased(connection, {key: ends[key].ending for key in held}, {}, WHO, wakes)
    return {key: ReportVerdict(key[0], "accepted", ends[key].ending.status.value) for key in held}


async def with_kept(connection: Connection, reports: Mapping[Key, JobReport], verdicts: Mapping[Key, ReportVerdict],
                    unheld: Mapping[int, Known]) -> dict[Key, ReportVerdict]:  # fmt: skip
    """Returns verdicts with the payloads whose outputs are kept, for those of the reports that tell of any."""
    telling = {key: report for key, report in reports.items() if report.payloads}
    kept = await payloads.finished(connection, {key[0] for key in telling})
    accepted = {key[0] for key, verdict in verdicts.items() if verdict.verdict == "accepted"}
    return {key: deciding.answer(report, verdicts[key], None if key[0] in accepted else unheld.get(key[0]), kept[key[0]]) for key, report in telling.items()}
