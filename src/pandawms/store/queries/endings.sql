-- name: end_jobs(job_ids, events, statuses, domains, codes, exit_codes, exit_signals, messages, retryables, starts, walls, cpus, rsses, who)$
-- Ends jobs that the caller has locked: hot row out; archive row and line in the log in; their tasks are looked at next. Returns how many.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :events::text[], :statuses::text[], :domains::text[], :codes::integer[], :exit_codes::integer[],
        :exit_signals::integer[], :messages::text[], :retryables::boolean[], :starts::timestamptz[], :walls::real[], :cpus::real[], :rsses::integer[])
        AS a (job_id, event, new_status, error_domain, error_code, exit_code, exit_signal, message, is_retryable, started_at, wall_seconds, cpu_seconds, max_rss_mb)
), orders AS (
    DELETE FROM job_order o USING asked a WHERE o.job_id = a.job_id
), used AS (
    DELETE FROM job_usage u USING asked a WHERE u.job_id = a.job_id RETURNING u.*
), gone AS (
    DELETE FROM job j USING asked a WHERE j.job_id = a.job_id
    RETURNING j.task_id, j.worker_id, j.claim_id, j.community_id, j.share_id, j.queue_id, j.requirement_id, j.attempt, j.status, a.*
), archived AS (
    INSERT INTO job_archive (job_id, task_id, worker_id, claim_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain,
        error_code, exit_code, exit_signal, message, is_retryable, started_at, wall_seconds, cpu_seconds, max_rss_mb)
    SELECT g.job_id, g.task_id, g.worker_id, g.claim_id, g.community_id, g.share_id, g.queue_id, g.requirement_id, g.attempt, g.new_status, g.error_domain,
        g.error_code, g.exit_code, g.exit_signal, g.message, g.is_retryable, coalesce(g.started_at, u.started_at), coalesce(g.wall_seconds, u.wall_seconds),
        coalesce(g.cpu_seconds, u.cpu_seconds), coalesce(g.max_rss_mb, u.max_rss_mb)
    FROM gone g LEFT JOIN used u USING (job_id)
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who, why)
    SELECT job_id, task_id, event, status, new_status, :who,
        CASE WHEN new_status = 'finished' THEN NULL ELSE jsonb_build_object('domain', error_domain, 'code', error_code, 'message', message) END
    FROM gone
), touched AS (
    INSERT INTO task_touch (task_id) SELECT DISTINCT task_id FROM gone
)
SELECT count(*) FROM gone;

-- name: keep_outputs(job_ids, ns, task_ids, task_dataset_ids, dataset_ids, endpoint_ids, scopes, names, guids, sizes, adlers, events, statuses)!
-- Puts written outputs into the catalogue, each with a replica, notes them with their jobs, and counts them in their datasets.
WITH written AS MATERIALIZED (
    SELECT a.*, nextval(pg_get_serial_sequence('file', 'file_id')) AS file_id
    FROM unnest(:job_ids::bigint[], :ns::integer[], :task_ids::bigint[], :task_dataset_ids::bigint[], :dataset_ids::bigint[], :endpoint_ids::integer[],
        :scopes::text[], :names::text[], :guids::uuid[], :sizes::bigint[], :adlers::bytea[], :events::bigint[], :statuses::text[])
        AS a (job_id, n, task_id, task_dataset_id, dataset_id, endpoint_id, scope, name, guid, size_bytes, adler32, events, status)
), added AS (
    INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32, events) OVERRIDING SYSTEM VALUE
    SELECT file_id, dataset_id, scope, name, guid, size_bytes, adler32, events FROM written
), placed AS (
    INSERT INTO replica (file_id, endpoint_id) SELECT file_id, endpoint_id FROM written
), kept AS (
    INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, file_id, name, status)
    SELECT job_id, n, task_id, 'output', task_dataset_id, file_id, name, status FROM written
    ON CONFLICT (job_id, n) DO UPDATE SET file_id = excluded.file_id, status = excluded.status
), totals AS (
    SELECT dataset_id, count(*) AS n, sum(size_bytes) AS bytes, coalesce(sum(events), 0) AS events FROM written GROUP BY dataset_id ORDER BY dataset_id
), locked AS MATERIALIZED (
    SELECT d.dataset_id FROM dataset d JOIN totals USING (dataset_id) ORDER BY d.dataset_id FOR NO KEY UPDATE OF d
)
UPDATE dataset d SET n_files = n_files + t.n, n_bytes = n_bytes + t.bytes, n_events = d.n_events + t.events
FROM totals t JOIN locked USING (dataset_id) WHERE d.dataset_id = t.dataset_id;

-- name: hold_for_merge(job_ids, starts, walls, cpus, rsses)!
-- Run jobs whose output must be merged stay hot in status merging, without a lease; what they used is kept aside.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :starts::timestamptz[], :walls::real[], :cpus::real[], :rsses::integer[])
        AS a (job_id, started_at, wall_seconds, cpu_seconds, max_rss_mb)
), kept AS (
    INSERT INTO job_usage (job_id, started_at, wall_seconds, cpu_seconds, max_rss_mb) SELECT * FROM asked
), old AS MATERIALIZED (
    SELECT j.job_id, j.status FROM job j JOIN asked USING (job_id)
), moved AS (
    UPDATE job j SET status = 'merging', lease_expires_at = NULL FROM old WHERE j.job_id = old.job_id RETURNING j.job_id, j.task_id, old.status AS from_status
)
INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who) SELECT job_id, task_id, 'merge', from_status, 'merging', 'report' FROM moved;

-- name: settle_units(job_ids, unit_statuses, are_failed, are_final, low, high)!
-- The units of jobs follow their jobs: each gets its status, failures are counted, a final failure leaves no attempts. The counters of their tasks' inputs
-- are locked only where they change. The part that locks units reads no partitioned table: with one PostgreSQL 18.6 crashed now and then, when it looked at a
-- changed row again.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :unit_statuses::text[], :are_failed::boolean[], :are_final::boolean[]) AS a (job_id, unit_status, is_failed, is_final)
), inputs AS MATERIALIZED (
    SELECT f.task_file_id, a.job_id, a.unit_status, a.is_failed, a.is_final
    FROM asked a JOIN job_file f ON f.job_id = a.job_id AND f.job_id BETWEEN :low AND :high AND f.role = 'input'
), units AS MATERIALIZED (
    SELECT u.task_file_id, i.unit_status, i.is_failed, i.is_final FROM inputs i JOIN task_file u ON u.task_file_id = i.task_file_id
    WHERE u.job_id = i.job_id AND u.status IN ('running', 'merging') ORDER BY u.task_file_id FOR NO KEY UPDATE OF u
), settled AS (
    UPDATE task_file u SET status = n.unit_status, failed_attempts = u.failed_attempts + n.is_failed::integer,
        max_attempts = CASE WHEN n.is_final THEN u.attempt ELSE u.max_attempts END
    FROM units n WHERE u.task_file_id = n.task_file_id
    RETURNING u.task_dataset_id, u.status, u.n_events, u.attempt >= u.max_attempts AS is_exhausted
), totals AS (
    SELECT task_dataset_id, count(*) FILTER (WHERE status = 'finished') AS finished, count(*) FILTER (WHERE status <> 'finished') AS failed,
        coalesce(sum(n_events) FILTER (WHERE status = 'finished'), 0) AS events
    FROM settled WHERE status = 'finished' OR (status IN ('failed', 'cancelled') AND is_exhausted) GROUP BY task_dataset_id ORDER BY task_dataset_id
), locked AS MATERIALIZED (
    SELECT td.task_dataset_id FROM task_dataset td JOIN totals USING (task_dataset_id) ORDER BY td.task_dataset_id FOR NO KEY UPDATE OF td
)
UPDATE task_dataset td SET n_finished = n_finished + t.finished, n_failed = n_failed + t.failed, n_events_finished = n_events_finished + t.events
FROM totals t JOIN locked USING (task_dataset_id) WHERE td.task_dataset_id = t.task_dataset_id;

-- name: settle_outputs(job_ids, status)!
-- Outputs of jobs that were written, or will never be.
UPDATE job_file f SET status = :status
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'output' AND f.status IN ('defined', 'ready', 'merging', 'finished') AND f.status <> :status;

-- name: adopt_outputs(job_ids)!
-- Outputs of jobs that are in another dataset than the one that takes them move there, and the counters of both follow.
WITH stray AS MATERIALIZED (
    SELECT f.file_id, f.dataset_id AS source_id, td.dataset_id AS target_id, f.size_bytes, coalesce(f.events, 0) AS events
    FROM job_file jf JOIN task_dataset td USING (task_dataset_id) JOIN file f ON f.file_id = jf.file_id
    WHERE jf.job_id = ANY (:job_ids::bigint[]) AND jf.role = 'output' AND f.dataset_id <> td.dataset_id
), locked AS MATERIALIZED (
    SELECT d.dataset_id FROM dataset d WHERE d.dataset_id IN (SELECT source_id FROM stray UNION SELECT target_id FROM stray)
    ORDER BY d.dataset_id FOR NO KEY UPDATE
), moved AS (
    UPDATE file f SET dataset_id = s.target_id FROM stray s WHERE f.file_id = s.file_id
), changes AS (
    SELECT c.dataset_id, sum(c.sign) AS files, sum(c.sign * c.size_bytes) AS bytes, sum(c.sign * c.events) AS events
    FROM (SELECT target_id AS dataset_id, 1 AS sign, size_bytes, events FROM stray UNION ALL SELECT source_id, -1, size_bytes, events FROM stray) c
    GROUP BY c.dataset_id
)
UPDATE dataset d SET n_files = d.n_files + c.files, n_bytes = d.n_bytes + c.bytes, n_events = d.n_events + c.events
FROM changes c JOIN locked USING (dataset_id) WHERE d.dataset_id = c.dataset_id;

-- name: release(job_ids)
-- Successors of jobs that finished wait for one less; returns those that wait for nothing any more.
WITH less AS (
    SELECT e.successor_id, count(*) AS n FROM job_edge e WHERE e.predecessor_id = ANY (:job_ids::bigint[]) GROUP BY 1 ORDER BY 1
), released AS (
    UPDATE job j SET waits_for = greatest(0, j.waits_for - l.n), status = CASE WHEN j.waits_for <= l.n THEN 'defined' ELSE 'waiting' END
    FROM less l WHERE j.job_id = l.successor_id AND j.status = 'waiting' RETURNING j.job_id, j.task_id, j.status
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, 'release', 'waiting', 'defined', 'place' FROM released WHERE status = 'defined'
)
SELECT job_id FROM released WHERE status = 'defined';
