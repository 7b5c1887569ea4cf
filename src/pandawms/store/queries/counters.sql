-- name: lock_units(task_file_ids)$
-- Locks units in order, where they stand: what changes them is another statement, which sees them as they are now. Returns how many.
SELECT count(*) FROM (SELECT 1 FROM task_file WHERE task_file_id = ANY (:task_file_ids::bigint[]) ORDER BY task_file_id FOR NO KEY UPDATE) l;

-- name: lock_inputs(task_dataset_ids)$
SELECT count(*) FROM (
    SELECT 1 FROM task_dataset WHERE task_dataset_id = ANY (:task_dataset_ids::bigint[]) ORDER BY task_dataset_id FOR NO KEY UPDATE) l;

-- name: add(task_dataset_ids, listed, used, finished, failed, events, events_finished)!
UPDATE task_dataset td SET n_listed = td.n_listed + a.listed, n_used = td.n_used + a.used, n_finished = td.n_finished + a.finished,
    n_failed = td.n_failed + a.failed, n_events = td.n_events + a.events, n_events_finished = td.n_events_finished + a.events_finished
FROM unnest(:task_dataset_ids::bigint[], :listed::bigint[], :used::bigint[], :finished::bigint[], :failed::bigint[], :events::bigint[],
    :events_finished::bigint[]) AS a (task_dataset_id, listed, used, finished, failed, events, events_finished)
WHERE td.task_dataset_id = a.task_dataset_id;
