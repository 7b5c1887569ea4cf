-- name: requirement(cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind, nodes, gpu_model, gpu_memory_mb)$
-- The class of this tuple, made when missing.
WITH made AS (
    INSERT INTO requirement (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind, nodes, gpu_model, gpu_memory_mb)
    VALUES (:cores, :memory_mb, :disk_mb, :wall_seconds, :architecture, :gpus, :kind, :nodes, :gpu_model, :gpu_memory_mb)
    ON CONFLICT DO NOTHING RETURNING requirement_id
)
SELECT requirement_id FROM made
UNION ALL
SELECT requirement_id FROM requirement WHERE (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind, nodes, gpu_model, gpu_memory_mb)
    = (:cores, :memory_mb, :disk_mb, :wall_seconds, :architecture, :gpus, :kind, :nodes, :gpu_model, :gpu_memory_mb)
LIMIT 1;

-- name: next_ids(n)$
SELECT array_agg(nextval('job_id')) FROM generate_series(1, :n);

-- name: create(task_id, version, kind, job_ids, attempts, previous, serials, first_events, n_events, n_inputs, endpoint_id, queue_id, requirement_id, priority, who, predecessor)!
-- Makes jobs in status defined, or waiting where a job comes before them: identity, hot row and first line of the log, in one statement.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :attempts::smallint[], :previous::bigint[], :serials::integer[], :first_events::bigint[], :n_events::bigint[],
        :n_inputs::integer[]) AS a (job_id, attempt, previous_job_id, serial, first_event, n_events, n_inputs)
), spec AS (
    INSERT INTO job_spec (job_id, task_id, version, kind, attempt, previous_job_id, serial, endpoint_id, first_event, n_events, n_inputs)
    SELECT job_id, :task_id::bigint, :version::integer, :kind, attempt, previous_job_id, serial, :endpoint_id::integer, first_event, n_events, n_inputs FROM asked
), hot AS (
    INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status, waits_for)
    SELECT a.job_id, t.task_id, t.community_id, t.share_id, :queue_id::integer, :requirement_id::integer, :priority::integer, a.attempt,
        CASE WHEN :predecessor::bigint IS NULL THEN 'defined' ELSE 'waiting' END, CASE WHEN :predecessor::bigint IS NULL THEN 0 ELSE 1 END
    FROM task t CROSS JOIN asked a WHERE t.task_id = :task_id::bigint
), edges AS (
    INSERT INTO job_edge (predecessor_id, successor_id) SELECT :predecessor::bigint, job_id FROM asked WHERE :predecessor::bigint IS NOT NULL
)
INSERT INTO job_event (job_id, task_id, event, to_status, who)
SELECT job_id, :task_id::bigint, CASE WHEN :predecessor::bigint IS NULL THEN 'create' ELSE 'create_waiting' END,
    CASE WHEN :predecessor::bigint IS NULL THEN 'defined' ELSE 'waiting' END, :who
FROM asked;

-- name: add_inputs(task_id, job_ids, ns, task_dataset_ids, task_file_ids, file_ids)$
-- The inputs of new jobs; their units are running, one attempt more, and counted as used. Returns how many units these were. (As CASE the planner cannot
-- estimate how many units are ready: statistics from before they were listed say none, and then it compares every unit of the table with every input.)
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :ns::integer[], :task_dataset_ids::bigint[], :task_file_ids::bigint[], :file_ids::bigint[])
        AS a (job_id, n, task_dataset_id, task_file_id, file_id)
), given AS (
    UPDATE task_file u SET status = 'running', attempt = u.attempt + 1, job_id = a.job_id FROM asked a
    WHERE u.task_file_id = a.task_file_id AND CASE u.status WHEN 'ready' THEN true ELSE false END RETURNING u.task_dataset_id
), added AS (
    INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id)
    SELECT job_id, n, :task_id::bigint, 'input', task_dataset_id, task_file_id, file_id FROM asked
), totals AS MATERIALIZED (
    SELECT task_dataset_id, count(*) AS n FROM given GROUP BY 1 ORDER BY 1
), counted AS (
    UPDATE task_dataset td SET n_used = n_used + t.n, status = 'running' FROM totals t WHERE td.task_dataset_id = t.task_dataset_id
)
SELECT coalesce(sum(n), 0) FROM totals;

-- name: bear_inputs(task_id, job_ids, ns, task_dataset_ids, numbers, counts, first_events, n_events, max_attempts)!
-- The inputs of new jobs whose units had no row: these are born running, with their first attempt, and counted as used. Each row given stands for so many
-- inputs of a job in succession, of as many events each.
WITH born AS MATERIALIZED (
    SELECT a.job_id, a.n + i AS n, a.task_dataset_id, a.number + i AS number, a.first_event + i * coalesce(a.n_events, 1) AS first_event, a.n_events,
        a.max_attempts, nextval('task_file_task_file_id_seq') AS task_file_id
    FROM unnest(:job_ids::bigint[], :ns::integer[], :task_dataset_ids::bigint[], :numbers::integer[], :counts::integer[], :first_events::bigint[],
        :n_events::bigint[], :max_attempts::smallint[])
        AS a (job_id, n, task_dataset_id, number, count, first_event, n_events, max_attempts), generate_series(0, a.count - 1) AS g (i)
), units AS (
    INSERT INTO task_file (task_file_id, task_id, task_dataset_id, number, first_event, n_events, status, attempt, max_attempts, job_id, is_ranged)
    OVERRIDING SYSTEM VALUE
    SELECT task_file_id, :task_id::bigint, task_dataset_id, number, first_event, n_events, 'running', 1, max_attempts, job_id, true FROM born
), added AS (
    INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id)
    SELECT job_id, n, :task_id::bigint, 'input', task_dataset_id, task_file_id FROM born
)
UPDATE task_dataset td SET n_used = n_used + t.n, status = 'running'
FROM (SELECT task_dataset_id, count(*) AS n FROM born GROUP BY 1 ORDER BY 1) t WHERE td.task_dataset_id = t.task_dataset_id;

-- name: unplaced(n)
-- Jobs that wait for their input data, new ones first, with how many of their files their queue cannot read yet; each for the caller alone.
SELECT j.job_id, j.task_id, j.status, j.queue_id, (
    SELECT count(*) FROM job_file f WHERE f.job_id = j.job_id AND f.role = 'input' AND f.file_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM replica r JOIN queue_storage qs USING (endpoint_id)
        WHERE r.file_id = f.file_id AND qs.queue_id = j.queue_id AND qs.read_order IS NOT NULL)) AS n_missing
FROM job j WHERE j.standing IN ('new', 'assigned') ORDER BY j.standing DESC, j.job_id LIMIT :n FOR NO KEY UPDATE SKIP LOCKED;

-- name: move(job_ids, from_statuses, to_status, event, who)
-- Moves jobs without a lease from one status to another, with their lines in the log. Returns those that moved.
WITH old AS MATERIALIZED (
    SELECT job_id, task_id, status FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND status = ANY (:from_statuses::text[]) ORDER BY job_id FOR NO KEY UPDATE
), moved AS (
    UPDATE job j SET status = :to_status FROM old WHERE j.job_id = old.job_id RETURNING j.job_id, j.task_id, j.queue_id, old.status AS from_status
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, :event, from_status, :to_status, :who FROM moved
)
SELECT job_id, queue_id FROM moved;

-- name: specs(job_ids, low, high)
-- What never changes about jobs, a row for each of their input files (one with nulls where there is none). The ids lie from low to high, which spares
-- the planner all other partitions.
SELECT s.job_id, s.version, s.kind, coalesce(s.serial, (s.delta ->> 'serial')::integer) AS serial,
    coalesce(s.endpoint_id, (s.delta ->> 'endpoint_id')::integer) AS endpoint_id, coalesce(s.first_event, (s.delta ->> 'first_event')::bigint) AS first_event,
    coalesce(s.n_events, (s.delta ->> 'n_events')::bigint) AS n_events,
    coalesce(s.n_inputs, (SELECT count(*) FROM job_file f WHERE f.job_id = s.job_id AND f.role = 'input'))::integer AS n_inputs, s.copy,
    i.stream, i.scope, i.name, i.size_bytes, i.adler32, i.guid, i.events
FROM unnest(:job_ids::bigint[]) AS a (job_id) JOIN job_spec s ON s.job_id = a.job_id AND s.job_id BETWEEN :low AND :high
LEFT JOIN LATERAL (
    SELECT jf.n, td.stream, f.scope, f.name, f.size_bytes, f.adler32, f.guid, f.events
    FROM job_file jf JOIN file f ON f.file_id = jf.file_id JOIN task_dataset td ON td.task_dataset_id = jf.task_dataset_id
    WHERE jf.job_id = s.job_id AND jf.job_id BETWEEN :low AND :high AND jf.role = 'input' ORDER BY jf.n
) i ON true;

-- name: files_of(job_id)
-- The files of one job with their catalogue entries, in order: all inputs, and the outputs that were written.
SELECT jf.job_id, jf.n, jf.role, jf.status, jf.task_dataset_id, jf.task_file_id, jf.merge_group_id, td.stream, coalesce(f.name, jf.name) AS name,
    d.scope, d.name AS dataset, f.file_id, f.size_bytes, f.adler32, f.guid, f.events, u.first_event, u.n_events
FROM job_file jf JOIN task_dataset td USING (task_dataset_id) LEFT JOIN file f ON f.file_id = jf.file_id
LEFT JOIN dataset d ON d.dataset_id = coalesce(f.dataset_id, td.dataset_id) LEFT JOIN task_file u ON u.task_file_id = jf.task_file_id
WHERE jf.job_id = :job_id ORDER BY jf.n;

-- name: write_endpoint(queue_ids)
-- Where each queue writes: its first writable endpoint.
SELECT DISTINCT ON (qs.queue_id) qs.queue_id, qs.endpoint_id FROM queue_storage qs JOIN storage_endpoint e USING (endpoint_id)
WHERE qs.queue_id = ANY (:queue_ids::integer[]) AND qs.write_order IS NOT NULL AND e.can_write ORDER BY qs.queue_id, qs.write_order;

-- name: job(job_id)^
-- One job, hot or ended.
SELECT s.job_id, s.task_id, t.name AS task_name, s.kind, s.attempt, s.previous_job_id, s.created_at, coalesce(s.serial, (s.delta ->> 'serial')::integer) AS serial,
    coalesce(s.first_event, (s.delta ->> 'first_event')::bigint) AS first_event, coalesce(s.n_events, (s.delta ->> 'n_events')::bigint) AS n_events,
    s.version, q.name AS queue, coalesce(h.status, a.status) AS status, coalesce(h.priority, t.priority) AS priority, coalesce(h.worker_id, a.worker_id) AS worker_id,
    coalesce(h.claim_id, a.claim_id) AS claim_id, h.lease_expires_at, h.waits_for, r.cores, r.memory_mb, r.disk_mb, r.wall_seconds AS limit_wall_seconds,
    a.error_domain, a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable, a.started_at, a.ended_at, a.wall_seconds, a.cpu_seconds, a.max_rss_mb,
    t.owner_id, c.name AS community, s.steps, r.nodes, r.gpus, r.gpu_model, r.gpu_memory_mb, s.copy
FROM job_spec s JOIN task t USING (task_id) LEFT JOIN job h USING (job_id) LEFT JOIN job_archive a USING (job_id)
LEFT JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id) LEFT JOIN requirement r ON r.requirement_id = coalesce(h.requirement_id, a.requirement_id)
JOIN community c ON c.community_id = t.community_id
WHERE s.job_id = :job_id;

-- name: keep_steps(job_ids, steps, low, high)!
-- (As texts: a list of lists would be taken for an array of two dimensions.)
UPDATE job_spec s SET steps = a.steps::jsonb FROM unnest(:job_ids::bigint[], :steps::text[]) AS a (job_id, steps)
WHERE s.job_id = a.job_id AND s.job_id BETWEEN :low AND :high;

-- name: highest_id()$
SELECT last_value FROM job_id;
