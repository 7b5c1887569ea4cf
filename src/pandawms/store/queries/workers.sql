-- name: add(queue_id, provisioner)$
INSERT INTO worker (queue_id, status, provisioner) VALUES (:queue_id, 'pending', :provisioner) RETURNING worker_id;

-- name: change(worker_id, from_statuses, to_status, is_final, native_id, node, diagnosis)^
-- The one way a worker changes status: compare and set. No row when the status was not one of those expected.
WITH old AS MATERIALIZED (SELECT worker_id, status FROM worker WHERE worker_id = :worker_id AND status = ANY (:from_statuses::text[]) FOR UPDATE)
UPDATE worker w SET status = :to_status, seen_at = now(), native_id = coalesce(:native_id, w.native_id), node = coalesce(:node, w.node),
    diagnosis = coalesce(:diagnosis, w.diagnosis), ended_at = CASE WHEN :is_final::boolean THEN now() END
FROM old WHERE w.worker_id = old.worker_id RETURNING w.worker_id, old.status AS from_status;

-- name: alive(queue_id)
SELECT w.*, q.name AS queue FROM worker w JOIN queue q USING (queue_id) WHERE w.queue_id = :queue_id AND w.ended_at IS NULL ORDER BY w.worker_id;

-- name: worker(worker_id)^
SELECT w.*, q.name AS queue FROM worker w JOIN queue q USING (queue_id) WHERE w.worker_id = :worker_id;

-- name: states(worker_ids)
-- What pilots' calls need to know of these workers.
SELECT worker_id, queue_id, ended_at IS NOT NULL AS has_ended FROM worker WHERE worker_id = ANY (:worker_ids::bigint[]);

-- name: hear(worker_ids, queue_ids)!
-- Living workers whose pilots were heard, each for its own queue. Those that somebody else changes now are left out: that says as much.
WITH heard AS MATERIALIZED (
    SELECT w.worker_id FROM worker w JOIN unnest(:worker_ids::bigint[], :queue_ids::integer[]) AS h (worker_id, queue_id) USING (worker_id, queue_id)
    WHERE w.ended_at IS NULL AND (w.seen_at IS NULL OR w.seen_at < now() - interval '10 s') ORDER BY w.worker_id FOR UPDATE OF w SKIP LOCKED
)
UPDATE worker w SET seen_at = now() FROM heard WHERE w.worker_id = heard.worker_id;

-- name: node_of(worker_id)$
SELECT node FROM worker WHERE worker_id = :worker_id;
