"""A past made by SQL: ended jobs in narrow partitions, with their tasks, files and events. For tests of the archive and of look-ups in it."""

from pandawms.store.database import Connection
from pandawms.store.partitions import OF_JOBS

PLACES = """
INSERT INTO community (name) SELECT name FROM unnest(ARRAY['local', 'other']) n (name) ON CONFLICT DO NOTHING;
INSERT INTO user_account (issuer, subject, name) SELECT 'past', 'u' || i, 'u' || i FROM generate_series(0, 9) i ON CONFLICT DO NOTHING;
INSERT INTO share (community_id, name, weight) VALUES (1, 'all', 1) ON CONFLICT DO NOTHING;
INSERT INTO site (name) VALUES ('here') ON CONFLICT DO NOTHING;
INSERT INTO queue (community_id, site_id, name, status, cores, memory_mb, disk_mb, max_wall_seconds, slots)
SELECT 1, 1, 'q' || i, 'online', 1, 1, 1, 1, 1 FROM generate_series(1, 5) i ON CONFLICT DO NOTHING;
"""
# Job i belongs to task i / jobs_per_task, ended one second after the job before it, and every hundredth failed.
TASKS = """
INSERT INTO task (community_id, owner_id, share_id, name, status, priority, created_at, started_at, ended_at)
SELECT 1, (SELECT user_id FROM user_account WHERE name = 'u' || (i % 10)), 1, 't' || i, 'done', 1000,
    now() - make_interval(secs => $3) + make_interval(secs => i * $2::integer), now(),
    now() - make_interval(secs => $3) + make_interval(secs => (i + 1) * $2::integer)
FROM generate_series(0, ($1::integer - 1) / $2::integer) i RETURNING task_id
"""
JOBS = {
    "job_spec": """
INSERT INTO job_spec (job_id, task_id, version, kind, attempt, created_at, delta)
SELECT i, $4 + i / $2::integer, 1, 'run', 1 + (i % 100 = 1)::integer, now() - make_interval(secs => $3) + make_interval(secs => i), '{"serial": 1}'
FROM generate_series(0, $1::integer - 1) i""",
    "job_file": """
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, name, status)
SELECT i, n, $4 + i / $2::integer, CASE n WHEN 0 THEN 'input' ELSE 'output' END, 1, CASE n WHEN 0 THEN NULL ELSE 'f.' || i END, 'finished'
FROM generate_series(0, $1::integer - 1) i, generate_series(0, 1) n WHERE $3::float8 > 0""",
    "job_event": """
INSERT INTO job_event (job_id, task_id, event, from_status, to_status, at, who, why)
SELECT i, $4 + i / $2::integer, w.event, w.before, w.after, now() - make_interval(secs => $3) + make_interval(secs => i), 'test', '{"a": "b"}'
FROM generate_series(0, $1::integer - 1) i,
    (VALUES ('create', NULL, 'defined'), ('claim', 'activated', 'sent'), ('finish', 'running', 'finished')) w (event, before, after)""",
    "job_payload": """
INSERT INTO job_payload (job_id, task_file_id, n, task_id, attempt, status, error_domain, error_code, message, is_retryable, wall_seconds, ended_at)
SELECT i, i, 0, $4 + i / $2::integer, 1, 'finished', 'none', 0, '', false, 1.5, now() - make_interval(secs => $3) + make_interval(secs => i + 1)
FROM generate_series(0, $1::integer - 1) i""",
    "job_archive": """
INSERT INTO job_archive (job_id, task_id, claim_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain, error_code, message,
    is_retryable, started_at, ended_at, wall_seconds, cpu_seconds, max_rss_mb)
SELECT i, $4 + i / $2::integer, gen_random_uuid(), 1, 1, 1 + i % 5, 1, 1 + (i % 100 = 1)::integer, CASE WHEN i % 100 = 0 THEN 'failed' ELSE 'finished' END,
    CASE WHEN i % 100 = 0 THEN 'payload' ELSE 'none' END, (i % 100 = 0)::integer, CASE WHEN i % 100 = 0 THEN E'it said "no",\n\\t and ended' ELSE '' END, true,
    now() - make_interval(secs => $3) + make_interval(secs => i), now() - make_interval(secs => $3) + make_interval(secs => i + 1), 1.5, NULL, 100
FROM generate_series(0, $1::integer - 1) i""",
}


async def narrow_partitions(connection: Connection, width: int, n: int) -> None:
    """Replaces the partitions of jobs, which must be empty, by n narrow ones."""
    for parent in OF_JOBS:
        for (child,) in await connection.fetch("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass", parent):
            await connection.execute(f"DROP TABLE {child}")
        await connection.execute("SELECT make_partitions($1, 0, $2, $3)", parent, width, n - 1)


async def fill(connection: Connection, n_jobs: int, *, jobs_per_task: int, days_ago: float, tables: tuple[str, ...] = OF_JOBS) -> int:
    """Makes n ended jobs with ids from 0, the first of them so many days ago, one ended each second; returns the id of the first task."""
    seconds = days_ago * 86_400
    await connection.execute(PLACES)
    first: int = min(row["task_id"] for row in await connection.fetch(TASKS, n_jobs, jobs_per_task, seconds))
    for table in tables:
        await connection.execute(JOBS[table], n_jobs, jobs_per_task, seconds, first)
    await connection.execute(f"SELECT setval('job_id', {n_jobs})")
    return first
