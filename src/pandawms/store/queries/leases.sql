-- name: requirements()
SELECT requirement_id, cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, nodes, gpu_model, gpu_memory_mb FROM requirement ORDER BY requirement_id;

-- name: claimed(claim_ids)
-- Jobs that are leased under these claims already: the answer to a repeated claim.
SELECT job_id, claim_id, task_id, queue_id, requirement_id, attempt, share_id FROM job
WHERE claim_id = ANY (:claim_ids::uuid[]) AND standing = 'leased' ORDER BY claim_id, claim_n;

-- name: claim(queue_ids, slots, counts, starts, class_slots, classes, share_ids, claim_ids, claim_ns, worker_ids, spare, lease_seconds)
-- Gives the first ready jobs of each group (a queue and a slot) to the claims of that group: shares in the order given, then priority, then age.
-- Group g takes the elements starts + 1 to starts + counts of claim_ids. Each part reads at most counts + spare entries of the index of ready jobs
-- and locks no more rows than it gives away; the spare ones stand in for rows that another server holds. A plan that reads more is a trap
-- (docs/explanation/hot-path.md): the connection's settings and a test keep it away. The row to lock is looked up with its status, which no index
-- knows, and not with its standing: else the planner may look for it among all ready ones.
WITH picked AS MATERIALIZED (
    SELECT r.job_id, g.start + row_number() OVER (PARTITION BY g.start ORDER BY r.rank, r.priority DESC, r.job_id) AS place
    FROM unnest(:queue_ids::integer[], :slots::integer[], :counts::integer[], :starts::integer[]) AS g (queue_id, slot, n, start)
    CROSS JOIN LATERAL (
        SELECT c.job_id, c.rank, c.priority FROM (
            SELECT first.job_id, first.priority, s.rank
            FROM unnest(:share_ids::integer[]) WITH ORDINALITY AS s (share_id, rank)
            CROSS JOIN LATERAL (
                SELECT j.job_id, j.priority FROM unnest(:class_slots::integer[], :classes::integer[]) AS k (slot, requirement_id)
                CROSS JOIN LATERAL (
                    SELECT job_id, priority FROM job
                    WHERE standing = 'ready' AND queue_id = g.queue_id AND share_id = s.share_id AND requirement_id = k.requirement_id
                    ORDER BY priority DESC, job_id LIMIT g.n + :spare::integer
                ) j
                WHERE k.slot = g.slot ORDER BY j.priority DESC, j.job_id LIMIT g.n + :spare::integer
            ) first
        ) c
        CROSS JOIN LATERAL (SELECT 1 FROM job l WHERE l.job_id = c.job_id AND l.status = 'activated' FOR NO KEY UPDATE SKIP LOCKED) free
        LIMIT g.n
    ) r
), moved AS (
    UPDATE job j SET status = 'sent', claim_id = (:claim_ids::uuid[])[p.place], claim_n = (:claim_ns::smallint[])[p.place],
        worker_id = (:worker_ids::bigint[])[p.place], lease_expires_at = now() + make_interval(secs => :lease_seconds)
    FROM picked p WHERE j.job_id = p.job_id RETURNING j.job_id, j.claim_id, j.task_id, j.queue_id, j.requirement_id, j.attempt, j.share_id, j.worker_id
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who, why)
    SELECT job_id, task_id, 'claim', 'activated', 'sent', 'dispatch', jsonb_build_object('worker_id', worker_id) FROM moved
)
SELECT job_id, claim_id, task_id, queue_id, requirement_id, attempt, share_id FROM moved;

-- name: beat(job_ids, claim_ids, statuses, queue_ids, lease_seconds)
-- Renews leases and follows the pilot's phase (never backwards; a copy runs and stores when its gate has let it pass, see pass_gates). Returns a row for each job that is still this claim's, with what it is told.
-- Jobs are looked up by their ids alone (as in lock_held): with the claim, a join may go through all claimed jobs when it takes them for few.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(:job_ids::bigint[], :claim_ids::uuid[], :statuses::text[], :queue_ids::integer[]) AS a (job_id, claim_id, status, queue_id)
), locked AS MATERIALIZED (
    SELECT job_id, task_id, claim_id, queue_id, status, clone_group_id FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND lease_expires_at IS NOT NULL
    ORDER BY job_id FOR NO KEY UPDATE
), held AS MATERIALIZED (
    SELECT j.job_id, j.task_id, j.status AS from_status, j.clone_group_id IS NOT NULL AS is_copy,
        CASE WHEN j.clone_group_id IS NOT NULL AND a.status <> 'starting' THEN CASE j.status WHEN 'sent' THEN 'starting' ELSE j.status END
            WHEN j.status = 'stageout' OR (j.status, a.status) = ('running', 'starting') THEN j.status ELSE a.status END AS to_status
    FROM asked a JOIN locked j ON j.job_id = a.job_id AND j.claim_id = a.claim_id AND j.queue_id = a.queue_id
), renewed AS (
    UPDATE job j SET lease_expires_at = now() + make_interval(secs => :lease_seconds), status = h.to_status FROM held h WHERE j.job_id = h.job_id
    RETURNING j.job_id, j.claim_id, j.queue_id, h.is_copy
), logged AS (
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT job_id, task_id, CASE to_status WHEN 'stageout' THEN 'stage_out' WHEN 'running' THEN 'run' ELSE 'start' END, from_status, to_status, 'report'
    FROM held WHERE from_status <> to_status
)
SELECT r.job_id, r.claim_id, r.queue_id, o.verdict, o.reason, r.is_copy FROM renewed r LEFT JOIN job_order o USING (job_id);

-- name: elsewhere(job_ids, queue_id)
-- Of the jobs named, those of another queue.
SELECT job_id FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND queue_id <> :queue_id
UNION ALL
SELECT job_id FROM job_archive WHERE job_id = ANY (:job_ids::bigint[]) AND queue_id <> :queue_id
ORDER BY job_id;

-- name: facts(job_ids, low, high)
-- What never changes about jobs and a report must know. The ids lie from low to high.
SELECT s.job_id, s.task_id, s.version, s.kind, s.attempt, coalesce(s.serial, (s.delta ->> 'serial')::integer) AS serial,
    coalesce(s.endpoint_id, (s.delta ->> 'endpoint_id')::integer) AS endpoint_id,
    coalesce(s.n_inputs, (SELECT count(*) FROM job_file f WHERE f.job_id = s.job_id AND f.role = 'input'))::integer AS n_inputs, s.copy
FROM unnest(:job_ids::bigint[]) AS a (job_id) JOIN job_spec s ON s.job_id = a.job_id AND s.job_id BETWEEN :low AND :high;

-- name: lock(job_ids, statuses)
-- Of the jobs named, those in one of these statuses, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind FROM job j JOIN job_spec s USING (job_id)
WHERE j.job_id = ANY (:job_ids::bigint[]) AND j.status = ANY (:statuses::text[]) ORDER BY j.job_id FOR NO KEY UPDATE OF j;

-- name: lock_of_task(task_id, statuses, n)
-- Up to n jobs of a task in one of these statuses, locked in order; not those whose output is in the hands of a merge job, which end as it does.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind FROM job j JOIN job_spec s USING (job_id)
WHERE j.task_id = :task_id AND j.status = ANY (:statuses::text[]) AND NOT (j.status = 'merging' AND EXISTS (
    SELECT 1 FROM job_file f JOIN merge_group g USING (merge_group_id) WHERE f.job_id = j.job_id AND f.role = 'output' AND g.status = 'merging'))
ORDER BY j.job_id LIMIT :n FOR NO KEY UPDATE OF j;

-- name: lock_expired(n)
-- Jobs whose lease ran out by the database's clock, locked in order; others' locks are skipped.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind, EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id) AS is_killed
FROM job j JOIN job_spec s USING (job_id)
WHERE j.standing = 'leased' AND j.lease_expires_at < now() ORDER BY j.job_id LIMIT :n FOR NO KEY UPDATE OF j SKIP LOCKED;

-- name: lock_orphaned(n)
-- Leased jobs whose worker has ended, locked in order.
SELECT j.job_id, j.task_id, j.status, j.queue_id, j.attempt, s.kind, EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id) AS is_killed
FROM job j JOIN job_spec s USING (job_id)
JOIN worker w ON w.worker_id = j.worker_id
WHERE j.standing = 'leased' AND w.ended_at < now() - interval '2 s' ORDER BY j.job_id LIMIT :n FOR NO KEY UPDATE OF j SKIP LOCKED;

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
    SELECT job_id FROM job WHERE standing = 'leased' ORDER BY job_id FOR NO KEY UPDATE
), extended AS (
    UPDATE job j SET lease_expires_at = greatest(j.lease_expires_at, now() + make_interval(secs => :seconds)) FROM held WHERE j.job_id = held.job_id
    RETURNING 1
)
SELECT count(*) FROM extended;
