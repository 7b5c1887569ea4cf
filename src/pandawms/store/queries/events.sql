-- name: log_entity(entity, entity_id, event, from_status, to_status, who, why)!
INSERT INTO entity_event (entity, entity_id, event, from_status, to_status, who, why)
VALUES (:entity, :entity_id, :event, :from_status, :to_status, :who, :why);

-- name: log_datasets(dataset_ids, event, from_status, to_status, who)!
INSERT INTO entity_event (entity, entity_id, event, from_status, to_status, who)
SELECT 'dataset', d.id, :event, :from_status, :to_status, :who FROM unnest(:dataset_ids::bigint[]) AS d (id);

-- name: of_task(task_id, after, n)
SELECT event_id, 'task' AS entity, task_id AS entity_id, task_id, event, from_status, to_status, at, who, why FROM task_event
WHERE task_id = :task_id AND event_id > :after ORDER BY event_id LIMIT :n;

-- name: of_job(job_id)
SELECT event_id, 'job' AS entity, job_id AS entity_id, task_id, event, from_status, to_status, at, who, why FROM job_event
WHERE job_id = :job_id ORDER BY event_id;

-- name: horizon()^
-- Where a reader that starts now begins: the oldest transaction that may still write.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid, (SELECT last_value FROM event_id) AS event_id;

-- name: tail(after_xid, after_id, n)
-- Changes of tasks and jobs after a position, in an order in which nothing can appear later: up to the oldest open transaction.
SELECT * FROM (
    (SELECT event_id, event_xid::text AS xid, event_xid, 'task' AS entity, task_id AS entity_id, task_id, event, from_status, to_status, at, who, why
     FROM task_event WHERE (event_xid, event_id) > (:after_xid::text::xid8, :after_id::bigint) AND event_xid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY event_xid, event_id LIMIT :n)
    UNION ALL
    (SELECT event_id, event_xid::text AS xid, event_xid, 'job', job_id, task_id, event, from_status, to_status, at, who, why
     FROM job_event WHERE (event_xid, event_id) > (:after_xid::text::xid8, :after_id::bigint) AND event_xid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY event_xid, event_id LIMIT :n)
    UNION ALL
    (SELECT event_id, event_xid::text AS xid, event_xid, entity, entity_id, NULL::bigint, event, from_status, to_status, at, who, why
     FROM entity_event WHERE (event_xid, event_id) > (:after_xid::text::xid8, :after_id::bigint) AND event_xid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY event_xid, event_id LIMIT :n)
) e ORDER BY event_xid, event_id LIMIT :n;
