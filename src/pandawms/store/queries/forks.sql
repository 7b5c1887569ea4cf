-- name: has_archived(task_id)$
-- True when a job that finished units of a task is in an exported range.
SELECT EXISTS (
    SELECT 1 FROM task_file u JOIN archive_range x ON x.state <> 'writing' AND u.job_id >= x.from_id AND u.job_id < x.to_id
    WHERE u.task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND u.status = 'finished');

-- name: share_units(from_dataset_id, task_id, task_dataset_id, max_attempts)!
-- The units of an input in another task, with its counters: those that have rows (finished ones name what they stand for, removed ones stay so and keep
-- their numbers, all others are ready) and those that have none yet. All of it in one statement, so in one snapshot: a range that becomes rows meanwhile is
-- copied as the one or as the other. A unit whose file was lost meanwhile is a removed one here: the original is asked to give it up, its forks are not.
WITH unit AS MATERIALIZED (
    SELECT u.*, u.status <> 'removed' AND EXISTS (SELECT 1 FROM file f JOIN dataset d USING (dataset_id) WHERE f.file_id = u.file_id AND d.holds_lost) AS is_lost
    FROM task_file u WHERE u.task_dataset_id = :from_dataset_id
), made AS (
    INSERT INTO task_file (task_id, task_dataset_id, file_id, number, first_event, n_events, status, max_attempts, shared_from, boundary)
    SELECT :task_id, :task_dataset_id, u.file_id, u.number, u.first_event, u.n_events,
        CASE WHEN u.is_lost THEN 'removed' WHEN u.status IN ('finished', 'removed') THEN u.status ELSE 'ready' END, :max_attempts,
        CASE WHEN u.status = 'finished' AND NOT u.is_lost THEN u.task_file_id END, u.boundary
    FROM unit u ORDER BY u.number RETURNING status, n_events
), ranges AS (
    INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts, first_event, unit_events, end_event)
    SELECT :task_dataset_id, r.from_number, r.to_number, :task_id, false, :max_attempts, r.first_event, r.unit_events, r.end_event
    FROM task_range r WHERE r.task_dataset_id = :from_dataset_id AND NOT r.has_rows ORDER BY r.from_number
), finished AS (
    SELECT count(*) AS n, coalesce(sum(n_events), 0) AS events FROM made WHERE status = 'finished'
), lost AS (
    SELECT count(*) AS n, coalesce(sum(n_events), 0) AS events FROM unit WHERE is_lost
)
UPDATE task_dataset td SET n_listed = o.n_listed - l.n, n_events = o.n_events - l.events, is_complete = o.is_complete, status = o.status,
    n_used = f.n, n_finished = f.n, n_events_finished = f.events
FROM task_dataset o, finished f, lost l WHERE td.task_dataset_id = :task_dataset_id AND o.task_dataset_id = :from_dataset_id;

-- name: share_files(from_task_id, task_id)$
-- What was written for the shared units, by the jobs that processed them or the merge jobs behind these, or shared before: as files of the outputs of the
-- other task, with the same names, content and places. Returns how many.
WITH done AS MATERIALIZED (
    SELECT DISTINCT o.job_id FROM task_file n JOIN task_file o ON o.task_file_id = n.shared_from
    WHERE n.task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND o.job_id IS NOT NULL
), merged AS MATERIALIZED (
    SELECT DISTINCT g.job_id FROM done d JOIN job_file f ON f.job_id = d.job_id AND f.role = 'output' JOIN merge_group g USING (merge_group_id)
    WHERE g.status = 'merged'
), written AS MATERIALIZED (
    SELECT f.file_id, td.stream FROM (SELECT job_id FROM done UNION SELECT job_id FROM merged) j
    JOIN job_file f ON f.job_id = j.job_id AND f.role = 'output' AND f.status = 'finished' AND f.file_id IS NOT NULL AND (f.task_file_id IS NULL OR EXISTS (
        SELECT 1 FROM task_file n WHERE n.shared_from = f.task_file_id AND n.task_id = :task_id))
    JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id AND td.role = 'output'
    UNION
    SELECT s.file_id, td.stream FROM shared_file s JOIN task_dataset td USING (task_dataset_id) WHERE s.task_id = :from_task_id
), targets AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('file', 'file_id')) AS new_id, w.file_id, td.task_dataset_id, td.dataset_id
    FROM written w JOIN task_dataset td ON td.task_id = :task_id AND td.role = 'output' AND td.stream = w.stream
), added AS (
    INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32, events) OVERRIDING SYSTEM VALUE
    SELECT t.new_id, t.dataset_id, f.scope, f.name, f.guid, f.size_bytes, f.adler32, f.events FROM targets t JOIN file f USING (file_id)
    RETURNING dataset_id, size_bytes, events
), placed AS (
    INSERT INTO replica (file_id, endpoint_id) SELECT t.new_id, r.endpoint_id FROM targets t JOIN replica r USING (file_id)
), noted AS (
    INSERT INTO shared_file (file_id, task_id, task_dataset_id, from_file_id) SELECT new_id, :task_id, task_dataset_id, file_id FROM targets
), counted AS (
    UPDATE dataset d SET n_files = n_files + c.n, n_bytes = n_bytes + c.bytes, n_events = d.n_events + c.events
    FROM (SELECT dataset_id, count(*) AS n, sum(size_bytes) AS bytes, coalesce(sum(events), 0) AS events FROM added GROUP BY 1) c
    WHERE d.dataset_id = c.dataset_id
)
SELECT count(*) FROM targets;

-- name: note(from_task_id, task_id)!
UPDATE task SET forked_from = :from_task_id WHERE task_id = :task_id;
