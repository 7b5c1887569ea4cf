-- name: without_allocation(n)
-- Active tasks with ready units and no allocation: the broker's work, each for the caller alone until its transaction ends. One that expired counts until
-- watch drops it: whoever consumes it still holds its row.
SELECT t.*, p.document, c.name AS community, u.name AS owner FROM task t
JOIN task_template p USING (task_id, version) JOIN community c USING (community_id) JOIN user_account u ON u.user_id = t.owner_id
WHERE t.status IN ('ready', 'scouting', 'scouted', 'running') AND t.ended_at IS NULL AND t.next_look_at <= now()
    AND (EXISTS (SELECT 1 FROM task_range r WHERE r.task_id = t.task_id AND r.status = 'ready')
        OR EXISTS (SELECT 1 FROM task_file f WHERE f.task_id = t.task_id AND f.standing = 'ready'))
    AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.task_id = t.task_id)
ORDER BY t.priority DESC, t.task_id LIMIT :n FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: may_allocate(task_id)$
-- Holds a task that still has no allocation and may get jobs; no row when another broker was faster, or the task is not open any more.
SELECT t.task_id FROM task t WHERE t.task_id = :task_id AND t.status IN ('ready', 'scouting', 'scouted', 'running')
    AND NOT EXISTS (SELECT 1 FROM allocation a WHERE a.task_id = t.task_id) FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: replace_allocations(task_id, queue_ids, quotas, weights, seconds)!
-- The task's allocations are now these, until they expire; those that expired are gone.
WITH old AS (DELETE FROM allocation WHERE task_id = :task_id AND NOT queue_id = ANY (:queue_ids::integer[]))
INSERT INTO allocation (task_id, queue_id, quota, weight, evaluated_at, expires_at)
SELECT :task_id, a.queue_id, a.quota, a.weight, now(), now() + make_interval(secs => :seconds)
FROM unnest(:queue_ids::integer[], :quotas::integer[], :weights::double precision[]) AS a (queue_id, quota, weight)
ON CONFLICT (task_id, queue_id) DO UPDATE
SET quota = excluded.quota, weight = excluded.weight, evaluated_at = excluded.evaluated_at, expires_at = excluded.expires_at;

-- name: put_brokerage(task_id, candidates, rejections)!
INSERT INTO brokerage (task_id, evaluated_at, candidates, rejections) VALUES (:task_id, now(), :candidates, :rejections)
ON CONFLICT (task_id) DO UPDATE SET evaluated_at = excluded.evaluated_at, candidates = excluded.candidates, rejections = excluded.rejections;

-- name: brokerage(task_id)^
SELECT * FROM brokerage WHERE task_id = :task_id;

-- name: take_allocation()^
-- The heaviest valid allocation that nobody holds, for the caller alone until its transaction ends.
SELECT a.allocation_id, a.task_id, a.queue_id, a.quota FROM allocation a JOIN task t USING (task_id)
WHERE a.expires_at > now() AND t.status IN ('ready', 'scouting', 'scouted', 'running')
ORDER BY t.priority DESC, a.weight DESC, a.allocation_id LIMIT 1 FOR UPDATE OF a SKIP LOCKED;

-- name: use_allocation(allocation_id, used)!
-- Takes what was used off the quota; an allocation with nothing left, or with nothing used, is gone.
WITH rest AS (UPDATE allocation SET quota = quota - :used WHERE allocation_id = :allocation_id AND quota > :used AND :used > 0 RETURNING allocation_id)
DELETE FROM allocation WHERE allocation_id = :allocation_id AND NOT EXISTS (SELECT 1 FROM rest);

-- name: drop_allocations(task_id)!
DELETE FROM allocation WHERE task_id = :task_id;

-- name: drop_expired()$
WITH gone AS (DELETE FROM allocation WHERE expires_at <= now() RETURNING 1) SELECT count(*) FROM gone;
