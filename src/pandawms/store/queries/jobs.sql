-- name: requirement(cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind)$
-- The class of this tuple, made when missing.
WITH made AS (
    INSERT INTO requirement (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind)
    VALUES (:cores, :memory_mb, :disk_mb, :wall_seconds, :architecture, :gpus, :kind) ON CONFLICT DO NOTHING RETURNING requirement_id
)
SELECT requirement_id FROM made
UNION ALL
SELECT requirement_id FROM requirement WHERE (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind)
    = (:cores, :memory_mb, :disk_mb, :wall_seconds, :architecture, :gpus, :kind)
LIMIT 1;

-- name: next_ids(n)
SELECT nextval('job_id') AS job_id FROM generate_series(1, :n);

-- name: create(task_id, version, kind, job_ids, attempts, previous, deltas, queue_id, requirement_id, priority, who)!
-- Makes jobs in status defined: identity, hot row and first line of the log, in one statement.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :attempts::smallint[], :previous::bigint[], :deltas::jsonb[]) AS a (job_id, attempt, previous_job_id, delta)
), spec AS (
    INSERT INTO job_spec (job_id, task_id, version, kind, attempt, previous_job_id, delta)
    SELECT job_id, :task_id::bigint, :version::integer, :kind, attempt, previous_job_id, delta FROM asked RETURNING job_id
), hot AS (
    INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status)
    SELECT a.job_id, :task_id::bigint, t.community_id, t.share_id, :queue_id::integer, :requirement_id::integer, :priority::integer, a.attempt, 'defined'
    FROM asked a JOIN task t ON t.task_id = :task_id::bigint RETURNING job_id
)
INSERT INTO job_event (job_id, task_id, event, to_status, who) SELECT job_id, :task_id::bigint, 'create', 'defined', :who FROM asked;

-- name: add_inputs(task_id, job_ids, ns, task_dataset_ids, task_file_ids, file_ids)!
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id, status)
SELECT a.job_id, a.n, :task_id, 'input', a.task_dataset_id, a.task_file_id, a.file_id, 'running'
FROM unnest(:job_ids::bigint[], :ns::integer[], :task_dataset_ids::bigint[], :task_file_ids::bigint[], :file_ids::bigint[])
    AS a (job_id, n, task_dataset_id, task_file_id, file_id);

-- name: add_outputs(task_id, job_ids, ns, task_dataset_ids, names)!
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, name, status)
SELECT a.job_id, a.n, :task_id, 'output', a.task_dataset_id, a.name, 'defined'
FROM unnest(:job_ids::bigint[], :ns::integer[], :task_dataset_ids::bigint[], :names::text[]) AS a (job_id, n, task_dataset_id, name);

-- name: run_units(task_file_ids, job_ids)!
-- The units of new jobs are running, one attempt more, and counted as used.
WITH given AS (
    UPDATE task_file u SET status = 'running', attempt = u.attempt + 1, job_id = a.job_id
    FROM unnest(:task_file_ids::bigint[], :job_ids::bigint[]) AS a (task_file_id, job_id)
    WHERE u.task_file_id = a.task_file_id AND u.status = 'ready' RETURNING u.task_dataset_id
)
UPDATE task_dataset td SET n_used = n_used + c.n, status = 'running'
FROM (SELECT task_dataset_id, count(*) AS n FROM given GROUP BY 1 ORDER BY 1) c WHERE td.task_dataset_id = c.task_dataset_id;

-- name: unplaced(n)
-- Jobs that wait for their input data, new ones first, with how many of their files their queue cannot read yet; each for the caller alone.
SELECT j.job_id, j.task_id, j.status, j.queue_id, (
    SELECT count(*) FROM job_file f WHERE f.job_id = j.job_id AND f.role = 'input' AND f.file_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM replica r JOIN queue_storage qs USING (endpoint_id)
        WHERE r.file_id = f.file_id AND qs.queue_id = j.queue_id AND qs.read_order IS NOT NULL)) AS n_missing
FROM job j WHERE j.status IN ('defined', 'assigned') ORDER BY j.status DESC, j.job_id LIMIT :n FOR UPDATE SKIP LOCKED;

-- name: move(job_ids, from_statuses, to_status, event, who)
-- Moves jobs without a lease from one status to another, with their lines in the log. Returns those that moved.
WITH old AS MATERIALIZED (
    SELECT job_id, task_id, status FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND status = ANY (:from_statuses::text[]) ORDER BY job_id FOR UPDATE
), moved AS (
    UPDATE job j SET status = :to_status FROM old WHERE j.job_id = old.job_id RETURNING j.job_id, j.task_id, j.queue_id, old.status AS from_status
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, :event, from_status, :to_status, :who FROM moved RETURNING event_id
)
SELECT job_id, queue_id FROM moved WHERE (SELECT count(*) FROM logged) >= 0;

-- name: fitting(cores, memory_mb, disk_mb, wall_seconds, architecture, gpus)
-- The requirement classes that a slot of this size can run; a limit that is null does not bind.
SELECT requirement_id FROM requirement
WHERE cores <= :cores AND memory_mb <= coalesce(:memory_mb::integer, memory_mb) AND disk_mb <= coalesce(:disk_mb::integer, disk_mb)
    AND wall_seconds <= coalesce(:wall_seconds::integer, wall_seconds) AND architecture IN ('any', :architecture) AND gpus <= :gpus
ORDER BY requirement_id;

-- name: hold_claims(keys)!
-- The same claim at two servers at once goes one after the other.
SELECT pg_advisory_xact_lock(k) FROM (SELECT k FROM unnest(:keys::bigint[]) AS a (k) ORDER BY k) ordered;

-- name: claimed(claim_ids)
-- Jobs that are leased under these claims already: the answer to a repeated claim.
SELECT job_id, claim_id FROM job WHERE claim_id = ANY (:claim_ids::uuid[]) AND lease_expires_at IS NOT NULL ORDER BY job_id;

-- name: claim(queue_id, share_ids, requirement_ids, claim_ids, worker_ids, lease_seconds)
-- Gives the first ready jobs of a queue to claims, one job for each element of claim_ids: shares in the order given, then priority, then age.
WITH picked AS MATERIALIZED (
    SELECT j.job_id, s.rank, j.priority
    FROM unnest(:share_ids::integer[]) WITH ORDINALITY AS s (share_id, rank)
    CROSS JOIN unnest(:requirement_ids::integer[]) AS r (requirement_id)
    CROSS JOIN LATERAL (
        SELECT job_id, priority FROM job
        WHERE status = 'activated' AND queue_id = :queue_id AND share_id = s.share_id AND requirement_id = r.requirement_id
        ORDER BY priority DESC, job_id LIMIT cardinality(:claim_ids::uuid[]) FOR UPDATE SKIP LOCKED
    ) j
    ORDER BY s.rank, j.priority DESC, j.job_id LIMIT cardinality(:claim_ids::uuid[])
), given AS (
    SELECT p.job_id, (:claim_ids::uuid[])[p.place] AS claim_id, (:worker_ids::bigint[])[p.place] AS worker_id
    FROM (SELECT job_id, row_number() OVER (ORDER BY rank, priority DESC, job_id) AS place FROM picked) p
), moved AS (
    UPDATE job j SET status = 'sent', claim_id = g.claim_id, worker_id = g.worker_id, lease_expires_at = now() + make_interval(secs => :lease_seconds)
    FROM given g WHERE j.job_id = g.job_id RETURNING j.job_id, j.task_id, j.claim_id, j.worker_id
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who, why)
    SELECT job_id, task_id, 'claim', 'activated', 'sent', 'dispatch', jsonb_build_object('worker_id', worker_id) FROM moved RETURNING event_id
)
SELECT job_id, claim_id FROM moved WHERE (SELECT count(*) FROM logged) >= 0 ORDER BY job_id;

-- name: resolve(job_ids)
-- What a pilot must know of jobs, apart from the template: identity, delta, class.
SELECT s.job_id, s.task_id, s.version, s.kind, s.attempt, s.delta, t.name AS task_name, u.name AS owner, h.claim_id, h.queue_id,
    r.cores, r.memory_mb, r.disk_mb, r.wall_seconds
FROM job_spec s JOIN job h USING (job_id) JOIN requirement r USING (requirement_id) JOIN task t ON t.task_id = s.task_id
JOIN user_account u ON u.user_id = t.owner_id
WHERE s.job_id = ANY (:job_ids::bigint[]) ORDER BY s.job_id;

-- name: files_of(job_ids)
-- The files of jobs with their catalogue entries, in order.
SELECT jf.job_id, jf.n, jf.role, jf.status, jf.task_dataset_id, jf.task_file_id, jf.merge_group_id, td.stream, coalesce(f.name, jf.name) AS name,
    d.scope, d.name AS dataset, f.file_id, f.size_bytes, f.adler32, f.guid, f.events, u.first_event, u.n_events
FROM job_file jf JOIN task_dataset td USING (task_dataset_id) LEFT JOIN file f ON f.file_id = jf.file_id
LEFT JOIN dataset d ON d.dataset_id = coalesce(f.dataset_id, td.dataset_id) LEFT JOIN task_file u ON u.task_file_id = jf.task_file_id
WHERE jf.job_id = ANY (:job_ids::bigint[]) ORDER BY jf.job_id, jf.n;

-- name: beat(job_ids, claim_ids, statuses, lease_seconds)
-- Renews leases and follows the pilot's phase (never backwards). Returns a row for each job that is still this claim's, with what it is told.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :claim_ids::uuid[], :statuses::text[]) AS a (job_id, claim_id, status)
), held AS MATERIALIZED (
    SELECT j.job_id, j.task_id, j.status, a.status AS phase FROM job j JOIN asked a ON a.job_id = j.job_id AND a.claim_id = j.claim_id
    WHERE j.lease_expires_at IS NOT NULL ORDER BY j.job_id FOR UPDATE OF j
), renewed AS (
    UPDATE job j SET lease_expires_at = now() + make_interval(secs => :lease_seconds),
        status = CASE WHEN h.status = 'running' THEN 'running' ELSE h.phase END
    FROM held h WHERE j.job_id = h.job_id RETURNING j.job_id, j.task_id, h.status AS from_status, j.status AS to_status
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, CASE to_status WHEN 'running' THEN 'run' ELSE 'start' END, from_status, to_status, 'report' FROM renewed
    WHERE from_status <> to_status RETURNING event_id
)
SELECT r.job_id, o.verdict, o.reason FROM renewed r LEFT JOIN job_order o USING (job_id) WHERE (SELECT count(*) FROM logged) >= 0;

-- name: lock_held(job_ids, claim_ids)
-- Of the jobs named, those that their claim still holds under a lease, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind, j.claim_id, (s.delta ->> 'endpoint_id')::integer AS endpoint_id FROM job j JOIN job_spec s USING (job_id)
JOIN unnest(:job_ids::bigint[], :claim_ids::uuid[]) AS a (job_id, claim_id) ON a.job_id = j.job_id AND a.claim_id = j.claim_id
WHERE j.lease_expires_at IS NOT NULL ORDER BY j.job_id FOR UPDATE OF j;

-- name: lock(job_ids, statuses)
-- Of the jobs named, those in one of these statuses, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind FROM job j JOIN job_spec s USING (job_id)
WHERE j.job_id = ANY (:job_ids::bigint[]) AND j.status = ANY (:statuses::text[]) ORDER BY j.job_id FOR UPDATE OF j;

-- name: lock_of_task(task_id, statuses, n)
-- Up to n jobs of a task in one of these statuses, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind FROM job j JOIN job_spec s USING (job_id)
WHERE j.task_id = :task_id AND j.status = ANY (:statuses::text[]) ORDER BY j.job_id LIMIT :n FOR UPDATE OF j;

-- name: lock_expired(n)
-- Jobs whose lease ran out by the database's clock, locked in order; others' locks are skipped.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind, EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id) AS is_killed
FROM job j JOIN job_spec s USING (job_id)
WHERE j.status IN ('sent', 'starting', 'stagein', 'running', 'stageout') AND j.lease_expires_at < now() ORDER BY j.job_id LIMIT :n FOR UPDATE OF j SKIP LOCKED;

-- name: lock_orphaned(n)
-- Leased jobs whose worker has ended, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind, EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id) AS is_killed
FROM job j JOIN job_spec s USING (job_id)
JOIN worker w ON w.worker_id = j.worker_id
WHERE j.status IN ('sent', 'starting', 'stagein', 'running', 'stageout') AND w.ended_at < now() - interval '2 s' ORDER BY j.job_id LIMIT :n FOR UPDATE OF j SKIP LOCKED;

-- name: end_jobs(job_ids, events, statuses, domains, codes, exit_codes, exit_signals, messages, retryables, starts, walls, cpus, rsses, who)
-- Ends jobs that the caller has locked: hot row out; archive row and line in the log in. Returns those ended.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :events::text[], :statuses::text[], :domains::text[], :codes::integer[], :exit_codes::integer[],
        :exit_signals::integer[], :messages::text[], :retryables::boolean[], :starts::timestamptz[], :walls::real[], :cpus::real[], :rsses::integer[])
        AS a (job_id, event, status, error_domain, error_code, exit_code, exit_signal, message, is_retryable, started_at, wall_seconds, cpu_seconds, max_rss_mb)
), orders AS (
    DELETE FROM job_order o USING asked a WHERE o.job_id = a.job_id
), used AS (
    DELETE FROM job_usage u USING asked a WHERE u.job_id = a.job_id RETURNING u.*
), gone AS (
    DELETE FROM job j USING asked a WHERE j.job_id = a.job_id RETURNING j.*
), archived AS (
    INSERT INTO job_archive (job_id, task_id, worker_id, claim_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain,
        error_code, exit_code, exit_signal, message, is_retryable, started_at, wall_seconds, cpu_seconds, max_rss_mb)
    SELECT g.job_id, g.task_id, g.worker_id, g.claim_id, g.community_id, g.share_id, g.queue_id, g.requirement_id, g.attempt, a.status, a.error_domain,
        a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable, coalesce(a.started_at, u.started_at), coalesce(a.wall_seconds, u.wall_seconds),
        coalesce(a.cpu_seconds, u.cpu_seconds), coalesce(a.max_rss_mb, u.max_rss_mb)
    FROM gone g JOIN asked a USING (job_id) LEFT JOIN used u USING (job_id) RETURNING job_id
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who, why)
    SELECT g.job_id, g.task_id, a.event, g.status, a.status, :who,
        CASE WHEN a.status = 'finished' THEN NULL ELSE jsonb_build_object('domain', a.error_domain, 'code', a.error_code, 'message', a.message) END
    FROM gone g JOIN asked a USING (job_id) RETURNING event_id
)
SELECT a.job_id FROM archived a WHERE (SELECT count(*) FROM logged) >= 0;

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

-- name: settle_inputs(job_ids, file_statuses, unit_statuses, are_failed, are_final)
-- The inputs of jobs follow their jobs: each unit gets its status, failures are counted, a final failure leaves no attempts. Returns the tasks whose
-- counters changed; where none does, their rows are not locked.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :file_statuses::text[], :unit_statuses::text[], :are_failed::boolean[], :are_final::boolean[])
        AS a (job_id, file_status, unit_status, is_failed, is_final)
), files AS (
    UPDATE job_file f SET status = a.file_status FROM asked a WHERE f.job_id = a.job_id AND f.role = 'input' RETURNING f.task_file_id, f.job_id
), units AS MATERIALIZED (
    SELECT u.task_file_id, a.unit_status, a.is_failed, a.is_final FROM task_file u JOIN files f USING (task_file_id) JOIN asked a ON a.job_id = f.job_id
    WHERE u.job_id = f.job_id AND u.status IN ('running', 'merging') ORDER BY u.task_file_id FOR NO KEY UPDATE OF u
), settled AS (
    UPDATE task_file u SET status = n.unit_status, failed_attempts = u.failed_attempts + n.is_failed::integer,
        max_attempts = CASE WHEN n.is_final THEN u.attempt ELSE u.max_attempts END
    FROM units n WHERE u.task_file_id = n.task_file_id
    RETURNING u.task_id, u.task_dataset_id, u.status, u.n_events, u.attempt >= u.max_attempts AS is_exhausted
), totals AS (
    SELECT task_dataset_id, count(*) FILTER (WHERE status = 'finished') AS finished, count(*) FILTER (WHERE status <> 'finished') AS failed,
        coalesce(sum(n_events) FILTER (WHERE status = 'finished'), 0) AS events
    FROM settled WHERE status = 'finished' OR (status IN ('failed', 'cancelled') AND is_exhausted) GROUP BY task_dataset_id ORDER BY task_dataset_id
), locked AS MATERIALIZED (
    SELECT td.task_dataset_id FROM task_dataset td JOIN totals USING (task_dataset_id) ORDER BY td.task_dataset_id FOR NO KEY UPDATE OF td
), counted AS (
    UPDATE task_dataset td SET n_finished = n_finished + t.finished, n_failed = n_failed + t.failed, n_events_finished = n_events_finished + t.events
    FROM totals t JOIN locked USING (task_dataset_id) WHERE td.task_dataset_id = t.task_dataset_id RETURNING td.task_id
)
SELECT DISTINCT task_id FROM counted;

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

-- name: expected_outputs(job_ids)
-- The outputs that jobs were told to write, with the datasets that take them.
SELECT f.job_id, f.n, f.name, td.stream, td.dataset_id, td.role AS dataset_role, d.scope FROM job_file f
JOIN task_dataset td USING (task_dataset_id) JOIN dataset d USING (dataset_id)
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'output' ORDER BY f.job_id, f.n;

-- name: bind_outputs(job_ids, ns, file_ids, statuses)!
UPDATE job_file f SET file_id = a.file_id, status = a.status
FROM unnest(:job_ids::bigint[], :ns::integer[], :file_ids::bigint[], :statuses::text[]) AS a (job_id, n, file_id, status)
WHERE f.job_id = a.job_id AND f.n = a.n;

-- name: write_endpoint(queue_ids)
-- Where each queue writes: its first writable endpoint.
SELECT DISTINCT ON (qs.queue_id) qs.queue_id, qs.endpoint_id FROM queue_storage qs JOIN storage_endpoint e USING (endpoint_id)
WHERE qs.queue_id = ANY (:queue_ids::integer[]) AND qs.write_order IS NOT NULL AND e.can_write ORDER BY qs.queue_id, qs.write_order;

-- name: known(job_ids)
-- What is known of jobs that a report names and that are not leased: from the archive or, in merging, from the hot row.
SELECT job_id, claim_id, status, error_domain, error_code FROM job_archive WHERE job_id = ANY (:job_ids::bigint[])
UNION ALL
SELECT job_id, claim_id, status, 'none', 0 FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND lease_expires_at IS NULL;

-- name: order_kill(job_ids, reason, asked_by)!
INSERT INTO job_order (job_id, verdict, reason, asked_by) SELECT job_id, 'kill', :reason, :asked_by FROM unnest(:job_ids::bigint[]) AS a (job_id)
ON CONFLICT DO NOTHING;

-- name: extend_leases(seconds)$
-- Gives every lease a full period from now, after a time in which the system could not hear. Locked in order, as reports lock them.
WITH held AS MATERIALIZED (
    SELECT job_id FROM job WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout') ORDER BY job_id FOR UPDATE
), extended AS (
    UPDATE job j SET lease_expires_at = greatest(j.lease_expires_at, now() + make_interval(secs => :seconds)) FROM held WHERE j.job_id = held.job_id
    RETURNING 1
)
SELECT count(*) FROM extended;

-- name: job(job_id)^
-- One job, hot or ended.
SELECT s.job_id, s.task_id, t.name AS task_name, s.kind, s.attempt, s.previous_job_id, s.created_at, s.delta, s.version, q.name AS queue,
    coalesce(h.status, a.status) AS status, coalesce(h.priority, t.priority) AS priority, coalesce(h.worker_id, a.worker_id) AS worker_id,
    coalesce(h.claim_id, a.claim_id) AS claim_id, h.lease_expires_at, h.waits_for, r.cores, r.memory_mb, r.disk_mb, r.wall_seconds AS limit_wall_seconds,
    a.error_domain, a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable, a.started_at, a.ended_at, a.wall_seconds, a.cpu_seconds, a.max_rss_mb,
    t.owner_id, c.name AS community
FROM job_spec s JOIN task t USING (task_id) LEFT JOIN job h USING (job_id) LEFT JOIN job_archive a USING (job_id)
LEFT JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id) LEFT JOIN requirement r ON r.requirement_id = coalesce(h.requirement_id, a.requirement_id)
JOIN community c ON c.community_id = t.community_id
WHERE s.job_id = :job_id;

-- name: release(job_ids)
-- Successors of jobs that finished wait for one less; returns those that wait for nothing any more.
WITH less AS (
    SELECT e.successor_id, count(*) AS n FROM job_edge e WHERE e.predecessor_id = ANY (:job_ids::bigint[]) GROUP BY 1 ORDER BY 1
), released AS (
    UPDATE job j SET waits_for = greatest(0, j.waits_for - l.n), status = CASE WHEN j.waits_for <= l.n THEN 'defined' ELSE 'waiting' END
    FROM less l WHERE j.job_id = l.successor_id AND j.status = 'waiting' RETURNING j.job_id, j.task_id, j.status
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, 'release', 'waiting', 'defined', 'place' FROM released WHERE status = 'defined' RETURNING event_id
)
SELECT job_id FROM released WHERE status = 'defined' AND (SELECT count(*) FROM logged) >= 0;

-- name: highest_id()$
SELECT last_value FROM job_id;
