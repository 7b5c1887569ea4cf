"""What must hold in the database whatever happened. Each query returns the rows that break its rule; all must be empty."""

from typing import Any

from pandawms.domain.job import JOB, JobEvent, JobStatus
from pandawms.domain.machine import Machine
from pandawms.domain.task import TASK, TaskEvent, TaskStatus
from tests.engine.play import rows
from tests.world import World

RULES = {
    "the counters of a dataset in a task are those of its units": """
        SELECT td.task_dataset_id, td.n_listed, td.n_used, td.n_finished, td.n_failed, u.* FROM task_dataset td JOIN LATERAL (
            SELECT count(*) AS listed, count(*) FILTER (WHERE status NOT IN ('pending', 'ready')) AS used,
                count(*) FILTER (WHERE status = 'finished') AS finished,
                count(*) FILTER (WHERE status = 'cancelled' OR (status = 'failed' AND attempt >= max_attempts)) AS failed,
                coalesce(sum(n_events) FILTER (WHERE status = 'finished'), 0) AS events
            FROM task_file f WHERE f.task_dataset_id = td.task_dataset_id) u ON true
        WHERE td.is_master AND (td.n_listed, td.n_used, td.n_finished, td.n_failed, td.n_events_finished)
            <> (u.listed, u.used, u.finished, u.failed, u.events)""",
    "0 <= finished + failed <= used <= listed": """
        SELECT * FROM task_dataset WHERE n_finished < 0 OR n_failed < 0 OR n_finished + n_failed > n_used OR n_used > n_listed""",
    "a unit is finished exactly when one finished job covers it, and never two": """
        SELECT u.task_file_id, u.status, c.n FROM task_file u JOIN LATERAL (
            SELECT count(*) AS n FROM job_file f JOIN job_archive a USING (job_id)
            WHERE f.role = 'input' AND f.task_file_id = u.task_file_id AND a.status = 'finished') c ON true
        WHERE c.n <> (u.status = 'finished')::integer""",
    "a unit is running or merging exactly while a hot job has it": """
        SELECT u.task_file_id, u.status, u.job_id, j.status AS job_status FROM task_file u LEFT JOIN job j ON j.job_id = u.job_id
        WHERE (u.status IN ('running', 'merging')) <> (j.job_id IS NOT NULL) OR (u.status = 'merging') <> coalesce(j.status = 'merging', false)""",
    "no unit had more attempts than jobs that name it": """
        SELECT u.task_file_id, u.attempt, c.n FROM task_file u
        JOIN LATERAL (SELECT count(*) AS n FROM job_file f WHERE f.role = 'input' AND f.task_file_id = u.task_file_id) c ON true WHERE c.n <> u.attempt""",
    "an output dataset holds the outputs of finished jobs and nothing else": """
        SELECT coalesce(f.name, w.name) AS name, f.name IS NULL AS is_missing FROM (
            SELECT f.dataset_id, f.name FROM file f JOIN task_dataset td USING (dataset_id) WHERE td.role = 'output') f
        FULL JOIN (
            SELECT td.dataset_id, jf.name FROM job_file jf JOIN task_dataset td USING (task_dataset_id) JOIN job_archive a USING (job_id)
            WHERE jf.role = 'output' AND td.role = 'output' AND a.status = 'finished') w ON w.dataset_id = f.dataset_id AND w.name = f.name
        WHERE f.name IS NULL OR w.name IS NULL""",
    "what a finished merge job merged came from finished jobs, each file once": """
        SELECT m.file_id, count(*) AS n, bool_and(a.status = 'finished') FROM job_file m JOIN job_spec s USING (job_id) JOIN job_archive e USING (job_id)
        JOIN job_file o ON o.file_id = m.file_id AND o.role = 'output' LEFT JOIN job_archive a ON a.job_id = o.job_id
        WHERE s.kind = 'merge' AND m.role = 'input' AND e.status = 'finished'
            AND NOT EXISTS (SELECT 1 FROM job h WHERE h.job_id = o.job_id AND h.status = 'merging')
        GROUP BY m.file_id HAVING count(*) > 1 OR NOT coalesce(bool_and(a.status = 'finished'), false)""",
    "no merge group is empty": """
        SELECT g.* FROM merge_group g WHERE NOT EXISTS (SELECT 1 FROM job_file f WHERE f.merge_group_id = g.merge_group_id)""",
    "a task that has ended has no hot job and no open unit": """
        SELECT t.task_id, t.status, j.job_id FROM task t JOIN job j USING (task_id) WHERE t.ended_at IS NOT NULL
        UNION ALL
        SELECT t.task_id, t.status, u.task_file_id FROM task t JOIN task_file u USING (task_id)
        WHERE t.ended_at IS NOT NULL AND (u.status NOT IN ('finished', 'failed', 'cancelled') OR (u.status = 'failed' AND u.attempt < u.max_attempts))""",
    "a job is hot or in the archive, never both and never neither": """
        SELECT s.job_id FROM job_spec s LEFT JOIN job h USING (job_id) LEFT JOIN job_archive a USING (job_id)
        WHERE (h.job_id IS NULL) = (a.job_id IS NULL)""",
    "the counters of a dataset are those of its files": """
        SELECT d.dataset_id, d.n_files, f.n FROM dataset d JOIN LATERAL (
            SELECT count(*) AS n, coalesce(sum(size_bytes), 0) AS bytes FROM file f WHERE f.dataset_id = d.dataset_id) f ON true
        WHERE (d.n_files, d.n_bytes) <> (f.n, f.bytes)""",
}


async def check(world: World) -> None:
    """Raises AssertionError that names the rule that is broken and shows its rows."""
    for rule, query in RULES.items():
        broken = await rows(world, query)
        assert not broken, f"{rule}: {broken[:5]}"
    await check_logs(world)


async def check_logs(world: World) -> None:
    """Replays the logs: every step is a move of the table, each begins where the one before ended, and the last one is the row's status."""
    jobs = {row["id"]: row["status"] for row in await rows(world, "SELECT job_id AS id, status FROM job UNION ALL SELECT job_id, status FROM job_archive")}
    tasks = {row["id"]: row["status"] for row in await rows(world, "SELECT task_id AS id, status FROM task")}
    query = "SELECT {0}_id AS id, event, from_status, to_status FROM {0}_event ORDER BY event_id"
    assert replay(await rows(world, query.format("job")), JOB, JobStatus, JobEvent) == jobs
    assert replay(await rows(world, query.format("task")), TASK, TaskStatus, TaskEvent) == tasks


def replay(log: list[Any], machine: Machine[Any, Any], status: type[Any], event: type[Any]) -> dict[int, str]:
    """The status of every entity by its log alone."""
    now: dict[int, str] = {}
    for row in log:
        assert now.get(row["id"]) == row["from_status"], f"{machine.entity} {dict(row)} begins in {now.get(row['id'])}"
        before, happening = row["from_status"], event(row["event"])
        after = machine.initial[happening] if before is None else machine.next_status(status(before), happening)
        assert str(after) == row["to_status"], f"{machine.entity} {dict(row)}"
        now[row["id"]] = row["to_status"]
    return now
