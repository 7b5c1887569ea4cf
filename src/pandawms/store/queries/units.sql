-- name: add_task_dataset(task_id, dataset_id, role, stream, is_master)$
INSERT INTO task_dataset (task_id, dataset_id, role, stream, is_master) VALUES (:task_id, :dataset_id, :role, :stream, :is_master)
RETURNING task_dataset_id;

-- name: task_datasets(task_ids)
SELECT td.*, d.scope, d.name, d.is_open, d.n_files AS dataset_files, d.n_bytes AS dataset_bytes, d.n_events AS dataset_events
FROM task_dataset td LEFT JOIN dataset d USING (dataset_id) WHERE td.task_id = ANY (:task_ids::bigint[]) ORDER BY td.task_dataset_id;

-- name: add_event_chunks(task_id, task_dataset_id, first, count, chunk, max_attempts)$
-- Lists chunks of events as units: number i covers `chunk` events from first + (i-1)*chunk; the last may be shorter. Returns how many.
WITH added AS (
    INSERT INTO task_file (task_id, task_dataset_id, number, first_event, n_events, status, max_attempts)
    SELECT :task_id, :task_dataset_id, i, :first::bigint + (i - 1) * :chunk::bigint, least(:chunk::bigint, :count::bigint - (i - 1) * :chunk::bigint),
        'ready', :max_attempts
    FROM generate_series(1, (:count::bigint + :chunk::bigint - 1) / :chunk::bigint) AS s (i)
    RETURNING 1
), listed AS (
    UPDATE task_dataset SET n_listed = n_listed + (SELECT count(*) FROM added), n_events = :count, is_complete = true, status = 'ready'
    WHERE task_dataset_id = :task_dataset_id RETURNING n_listed
)
SELECT n_listed FROM listed;

-- name: list_files(task_id, task_dataset_id, max_attempts, is_complete)$
-- Lists the files of the input's dataset (or of a container's datasets) that are not units yet, in the catalogue's order. Returns how many are new.
WITH source AS MATERIALIZED (
    SELECT td.dataset_id, td.n_listed FROM task_dataset td WHERE td.task_dataset_id = :task_dataset_id FOR NO KEY UPDATE
), added AS (
    INSERT INTO task_file (task_id, task_dataset_id, file_id, number, n_events, status, max_attempts)
    SELECT :task_id, :task_dataset_id, f.file_id, s.n_listed + row_number() OVER (ORDER BY f.file_id), f.events, 'ready', :max_attempts
    FROM source s JOIN file f ON f.dataset_id = s.dataset_id OR f.dataset_id IN (SELECT m.dataset_id FROM dataset_member m WHERE m.container_id = s.dataset_id)
    WHERE NOT EXISTS (SELECT 1 FROM task_file u WHERE u.task_dataset_id = :task_dataset_id AND u.file_id = f.file_id)
    RETURNING n_events
), listed AS (
    UPDATE task_dataset SET n_listed = n_listed + t.n, n_events = n_events + t.events, is_complete = :is_complete, status = 'ready'
    FROM (SELECT count(*) AS n, coalesce(sum(n_events), 0) AS events FROM added) t
    WHERE task_dataset_id = :task_dataset_id RETURNING t.n
)
SELECT n FROM listed;

-- name: growing(n)
-- Inputs of active tasks whose dataset has grown or closed since they were listed.
SELECT td.task_dataset_id, td.task_id, td.dataset_id, td.n_listed, g.is_open, g.n_files, p.document
FROM task_dataset td JOIN task t USING (task_id) JOIN task_template p USING (task_id, version)
CROSS JOIN LATERAL (
    SELECT d.is_open OR EXISTS (SELECT 1 FROM dataset_member m JOIN dataset e USING (dataset_id) WHERE m.container_id = d.dataset_id AND e.is_open) AS is_open,
        d.n_files + coalesce((SELECT sum(e.n_files) FROM dataset_member m JOIN dataset e USING (dataset_id) WHERE m.container_id = d.dataset_id), 0) AS n_files
    FROM dataset d WHERE d.dataset_id = td.dataset_id
) g
WHERE td.role = 'input' AND NOT td.is_complete AND (g.n_files > td.n_listed OR NOT g.is_open) AND t.status IN ('ready', 'running', 'scouting', 'pending')
ORDER BY td.task_dataset_id LIMIT :n FOR NO KEY UPDATE OF td SKIP LOCKED;

-- name: take_ready(task_id, n)
-- Ready units in order, each for the caller alone until its transaction ends.
SELECT u.task_file_id, u.task_dataset_id, u.file_id, u.number, u.first_event, u.n_events, u.attempt, u.job_id, f.size_bytes
FROM task_file u LEFT JOIN file f USING (file_id)
WHERE u.task_id = :task_id AND u.standing = 'ready' ORDER BY u.number LIMIT :n FOR NO KEY UPDATE OF u SKIP LOCKED;

-- name: ready_counts(task_ids, ceiling)
-- How many units of each task are ready (counted no further than the ceiling) and whether more may come.
SELECT w.task_id, (SELECT count(*) FROM (SELECT 1 FROM task_file u WHERE u.task_id = w.task_id AND u.standing = 'ready' LIMIT :ceiling) r) AS n_ready,
    (SELECT bool_and(td.is_complete) FROM task_dataset td WHERE td.task_id = w.task_id AND td.is_master) AS is_complete
FROM unnest(:task_ids::bigint[]) AS w (task_id);

-- name: retry_failed(task_id)$
-- Failed units with attempts left are ready again; returns how many.
WITH again AS (
    UPDATE task_file SET status = 'ready' WHERE task_id = :task_id AND standing = 'retry' RETURNING task_dataset_id
), counted AS (
    UPDATE task_dataset td SET n_used = n_used - c.n FROM (SELECT task_dataset_id, count(*) AS n FROM again GROUP BY 1 ORDER BY 1) c
    WHERE td.task_dataset_id = c.task_dataset_id
)
SELECT count(*) FROM again;

-- name: reopen_failed(task_id, more_attempts)$
-- Units without attempts left get more of them and are ready again; returns how many.
WITH again AS (
    UPDATE task_file SET status = 'ready', max_attempts = attempt + :more_attempts
    WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND status IN ('failed', 'cancelled')
    RETURNING task_dataset_id
), counted AS (
    UPDATE task_dataset td SET n_used = n_used - c.n, n_failed = n_failed - c.n
    FROM (SELECT task_dataset_id, count(*) AS n FROM again GROUP BY 1 ORDER BY 1) c WHERE td.task_dataset_id = c.task_dataset_id
)
SELECT count(*) FROM again;

-- name: cancel_rest(task_id)$
-- Units that nothing will process any more; counted as failed so that the task can end.
WITH stopped AS (
    SELECT task_file_id, task_dataset_id, status AS was FROM task_file
    WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id))
        AND (status IN ('pending', 'ready') OR (status = 'failed' AND attempt < max_attempts)) ORDER BY task_file_id FOR NO KEY UPDATE
), cancelled AS (
    UPDATE task_file u SET status = 'cancelled' FROM stopped WHERE u.task_file_id = stopped.task_file_id RETURNING u.task_dataset_id, stopped.was
), counted AS (
    UPDATE task_dataset td SET n_used = n_used + c.unused, n_failed = n_failed + c.n
    FROM (SELECT task_dataset_id, count(*) AS n, count(*) FILTER (WHERE was <> 'failed') AS unused FROM cancelled GROUP BY 1 ORDER BY 1) c
    WHERE td.task_dataset_id = c.task_dataset_id
)
SELECT count(*) FROM cancelled;

-- name: progress(task_id)^
-- What decides the verdict, in one snapshot: units of the master inputs by outcome, whether more may come, whether units wait for a job, and whether jobs
-- are still hot. (A unit that runs has a hot job, so that the partial indexes of ready units and of units to retry find all others that are open.)
SELECT coalesce(sum(td.n_listed), 0)::bigint AS n_listed, coalesce(sum(td.n_used), 0)::bigint AS n_used, coalesce(sum(td.n_finished), 0)::bigint AS n_finished, coalesce(sum(td.n_failed), 0)::bigint AS n_failed,
    coalesce(sum(td.n_events), 0)::bigint AS n_events, coalesce(sum(td.n_events_finished), 0)::bigint AS n_events_finished, bool_and(td.is_complete) AS is_complete,
    EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'ready')
        OR EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'retry') AS has_waiting_units,
    EXISTS (SELECT 1 FROM job j WHERE j.task_id = :task_id) AS has_jobs,
    EXISTS (SELECT 1 FROM job j WHERE j.task_id = :task_id AND j.status <> 'merging') AS has_working_jobs
FROM task_dataset td WHERE td.task_id = :task_id AND td.is_master;

-- name: reuse_input(task_id)
-- An input that was complete may grow again when its producer is retried.
UPDATE task_dataset td SET is_complete = false FROM dataset d
WHERE td.task_id = :task_id AND td.role = 'input' AND d.dataset_id = td.dataset_id AND d.is_open AND td.is_complete RETURNING td.task_dataset_id;
