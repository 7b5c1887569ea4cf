"""What may never change and what must always add up, beside the rules of the audit: a memory of what a database once said, and a second count of it."""

from dataclasses import dataclass, field
from typing import Any

from pandawms.domain.task import FINAL
from tests.engine import invariants
from tests.engine.play import rows
from tests.world import World

COVERED = """
SELECT u.task_file_id, u.task_id, u.status, n.n_hot, n.n_finished FROM task_file u CROSS JOIN LATERAL (
    SELECT count(h.job_id) FILTER (WHERE (p.status IS NULL OR p.awaits_merge) AND coalesce(c.lead_job_id, h.job_id) = h.job_id) AS n_hot, count(*) FILTER (
        WHERE CASE WHEN p.status IS NULL OR p.awaits_merge THEN a.status = 'finished' ELSE p.status = 'finished' END AND NOT EXISTS (
        SELECT 1 FROM job_file o WHERE o.job_id = f.job_id AND o.role = 'output' AND o.status = 'lost')) AS n_finished
    FROM job_file f LEFT JOIN job h USING (job_id) LEFT JOIN job_archive a USING (job_id) LEFT JOIN clone_group c ON c.clone_group_id = h.clone_group_id
    LEFT JOIN job_payload p ON p.job_id = f.job_id AND p.task_file_id = f.task_file_id WHERE f.role = 'input' AND f.task_file_id = u.task_file_id) n
WHERE n.n_hot > 1 OR n.n_finished > 1 OR n.n_hot + n.n_finished > 1 OR (u.status = 'finished') <> (n.n_finished = 1 OR u.shared_from IS NOT NULL)
    OR (u.status IN ('running', 'merging')) <> (n.n_hot = 1)
"""
"""Units that have more than one job under way or finished, or whose status says something else than their jobs (or than their payloads in these, once they
have told). Jobs whose output was lost are void, and of copies the lead alone answers for the units."""

WITHOUT_INPUT = """
SELECT s.job_id, s.kind, s.task_id FROM job_spec s WHERE s.kind <> 'build' AND NOT EXISTS (
    SELECT 1 FROM job_file f WHERE f.job_id = s.job_id AND f.role = 'input' AND (s.kind = 'merge' AND f.file_id IS NOT NULL OR f.task_file_id IS NOT NULL))
"""
"""Jobs that have nothing to work on."""

COUNTED = """
SELECT td.task_dataset_id, td.task_id, td.n_listed, td.n_finished, td.n_failed, u.listed, u.finished, u.failed, r.untouched, r.cancelled
FROM task_dataset td CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status <> 'removed') AS listed, count(*) FILTER (WHERE status = 'finished') AS finished,
        count(*) FILTER (WHERE status = 'cancelled' OR status = 'failed' AND attempt >= max_attempts) AS failed
    FROM task_file f WHERE f.task_dataset_id = td.task_dataset_id) u CROSS JOIN LATERAL (
    SELECT coalesce(sum(to_number - from_number + 1), 0) AS untouched,
        coalesce(sum(to_number - from_number + 1) FILTER (WHERE status = 'cancelled'), 0) AS cancelled
    FROM task_range g WHERE g.task_dataset_id = td.task_dataset_id AND NOT g.has_rows) r
WHERE td.is_master AND (td.n_listed, td.n_finished, td.n_failed) <> (u.listed + r.untouched, u.finished, u.failed + r.cancelled)
"""

ENDED = """
SELECT a.job_id, md5(a::text) AS row, (SELECT md5(string_agg(e::text, ';' ORDER BY e.event_id)) FROM job_event e WHERE e.job_id = a.job_id) AS log
FROM job_archive a
"""

VERDICTS = """
SELECT v.task_id, v.round, v.status, md5(v::text) AS row, v.round < t.round OR t.status = ANY ($1::text[]) AS is_settled FROM task_round v
JOIN task t USING (task_id)
"""
"""Verdicts that were given; settled are those of earlier rounds, and of tasks that have ended."""


@dataclass
class History:
    """What was seen of jobs that ended and of verdicts that were given."""

    jobs: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    verdicts: dict[tuple[int, int], tuple[Any, ...]] = field(default_factory=dict)

    async def check(self, world: World) -> None:
        """Raises AssertionError for what has changed since the last look, for what does not add up, and for rules of the audit that are broken."""
        await invariants.check(world)
        for what, query in (("units", COVERED), ("jobs without input", WITHOUT_INPUT), ("counters", COUNTED)):
            found = [dict(row) for row in await rows(world, query)]
            assert not found, f"{what}: {found}"
        ended = {row["job_id"]: (row["row"], row["log"]) for row in await rows(world, ENDED)}
        given = await rows(world, VERDICTS, sorted(str(status) for status in FINAL))
        verdicts = {(row["task_id"], row["round"]): (row["status"], row["row"]) for row in given}
        _check_kept("job", self.jobs, ended)
        _check_kept("verdict", self.verdicts, verdicts)
        self.jobs = ended
        self.verdicts |= {(row["task_id"], row["round"]): verdicts[row["task_id"], row["round"]] for row in given if row["is_settled"]}


def _check_kept(what: str, before: dict[Any, Any], now: dict[Any, Any]) -> None:
    changed = {key: (value, now.get(key)) for key, value in before.items() if now.get(key) != value}
    assert not changed, f"a {what} changed after its end: {changed}"
