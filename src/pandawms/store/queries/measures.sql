-- name: scouts(task_id)^
-- How many run jobs a task has made for the first time, how many of those it has had succeeded (by their serials; a job that waits for its merge has),
-- and whether one is under way or to be tried again.
WITH made AS MATERIALIZED (
    SELECT s.job_id, s.attempt, s.serial, coalesce(j.status, a.status) AS status
    FROM job_spec s LEFT JOIN job j USING (job_id) LEFT JOIN job_archive a ON a.job_id = s.job_id WHERE s.task_id = :task_id AND s.kind = 'run'
)
SELECT count(*) FILTER (WHERE attempt = 1) AS n_made, count(DISTINCT serial) FILTER (WHERE status IN ('finished', 'merging')) AS n_finished,
    count(*) FILTER (WHERE status = 'failed') AS n_failed,
    count(*) FILTER (WHERE status NOT IN ('finished', 'failed', 'cancelled', 'closed', 'merging')) > 0
        OR EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'ready' AND u.attempt > 0)
        OR EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'retry') AS is_under_way
FROM made;

-- name: has_scouts_out(task_id)$
-- Whether a task in its first round has begun to scout and was not judged: an interruption of the scouting ends in status ready.
SELECT t.round = 1 AND EXISTS (SELECT 1 FROM task_event e WHERE e.task_id = t.task_id AND e.event = 'start_scouts')
    AND NOT EXISTS (SELECT 1 FROM task_event e WHERE e.task_id = t.task_id AND e.event IN ('judge_scouts', 'avalanche', 'exhaust'))
FROM task t WHERE t.task_id = :task_id;

-- name: samples(task_id, kind, n)
-- What the newest n jobs of a kind that succeeded used, and the size of what they read and wrote. A run job that waits for its merge has succeeded.
WITH ended AS MATERIALIZED (
    SELECT a.job_id, a.wall_seconds, a.cpu_seconds, a.max_rss_mb, a.disk_mb FROM job_archive a JOIN job_spec s ON s.job_id = a.job_id
    WHERE a.task_id = :task_id AND a.status = 'finished' AND s.kind = :kind
    UNION ALL
    SELECT j.job_id, u.wall_seconds, u.cpu_seconds, u.max_rss_mb, u.disk_mb FROM job j JOIN job_usage u ON u.job_id = j.job_id
    JOIN job_spec s ON s.job_id = j.job_id WHERE j.task_id = :task_id AND j.status = 'merging' AND s.kind = :kind
    ORDER BY job_id DESC LIMIT :n
)
SELECT e.*, i.n_units, i.n_events, i.input_bytes, o.output_bytes FROM ended e
CROSS JOIN LATERAL (
    SELECT count(f.task_file_id) AS n_units, CASE WHEN bool_and(u.n_events IS NOT NULL) THEN sum(u.n_events)::bigint END AS n_events,
        coalesce(sum(c.size_bytes), 0)::bigint AS input_bytes
    FROM job_file f LEFT JOIN task_file u ON u.task_file_id = f.task_file_id LEFT JOIN file c ON c.file_id = f.file_id
    WHERE f.job_id = e.job_id AND f.role = 'input'
) i CROSS JOIN LATERAL (
    SELECT coalesce(sum(c.size_bytes), 0)::bigint AS output_bytes FROM job_file f JOIN file c ON c.file_id = f.file_id WHERE f.job_id = e.job_id AND f.role = 'output'
) o ORDER BY e.job_id DESC;

-- name: finished_jobs(task_id, ceiling)$
-- How many jobs of a task have finished, counted no further than the ceiling.
SELECT (SELECT count(*) FROM (SELECT 1 FROM job_archive WHERE task_id = :task_id AND status = 'finished' LIMIT :ceiling) a)
    + (SELECT count(*) FROM (SELECT 1 FROM job WHERE task_id = :task_id AND status = 'merging' LIMIT :ceiling) h);

-- name: add(task_id, n_jobs, n_finished, n_failed, verdict, quantities, findings)$
-- Keeps a measurement of the present round of a task; returns its number.
INSERT INTO task_measurement (task_id, round, number, n_jobs, n_finished, n_failed, verdict, quantities, findings)
SELECT t.task_id, t.round, 1 + coalesce((SELECT max(m.number) FROM task_measurement m WHERE m.task_id = t.task_id AND m.round = t.round), 0),
    :n_jobs, :n_finished, :n_failed, :verdict, :quantities, :findings
FROM task t WHERE t.task_id = :task_id RETURNING number;

-- name: learn(task_id, learned)!
UPDATE task SET learned = :learned WHERE task_id = :task_id;

-- name: of_task(task_id)
-- All measurements of a task, oldest first.
SELECT round, number, measured_at, n_jobs, n_finished, n_failed, verdict, quantities, findings FROM task_measurement
WHERE task_id = :task_id ORDER BY round, number;

-- name: failures(task_id, n)
-- How the failed jobs of a task ended (of a job of which payloads failed, how these did), most frequent first, by queue and by message with all numbers alike:
-- how many, since when, some jobs and the newest.
-- Takes 0.3 s of a core for 100,000 jobs with as many messages.
SELECT a.error_domain AS domain, a.error_code AS code, a.message, q.name AS queue, a.n, a.first_at, a.last_at, a.job_ids || a.last_id AS job_ids, a.total FROM (
    SELECT error_domain, error_code, max(message) AS message, queue_id, count(*) AS n, min(ended_at) AS first_at, max(ended_at) AS last_at,
        (array_agg(job_id))[1: 4] AS job_ids, max(job_id) AS last_id, (sum(count(*)) OVER ())::bigint AS total
    FROM (
        SELECT j.error_domain, j.error_code, j.message, j.queue_id, j.ended_at, j.job_id FROM job_archive j
        WHERE j.task_id = :task_id AND j.status <> 'finished' AND j.status = 'failed' AND NOT EXISTS (
            SELECT 1 FROM job_payload p WHERE p.task_id = :task_id AND p.status = 'failed' AND p.job_id = j.job_id)
        UNION ALL
        SELECT p.error_domain, p.error_code, p.message, coalesce(a.queue_id, h.queue_id), p.ended_at, p.job_id
        FROM job_payload p LEFT JOIN job_archive a USING (job_id) LEFT JOIN job h USING (job_id) WHERE p.task_id = :task_id AND p.status = 'failed'
    ) f GROUP BY error_domain, error_code, regexp_replace(message, '[0-9]+', '0', 'g'), queue_id ORDER BY count(*) DESC LIMIT :n
) a JOIN queue q USING (queue_id);

-- name: rounds(task_id)
-- The verdicts of a task, oldest first.
SELECT round, status, ended_at, verdict FROM task_round WHERE task_id = :task_id ORDER BY round;
