-- name: add_task_dataset(task_id, dataset_id, role, stream, is_master)$
INSERT INTO task_dataset (task_id, dataset_id, role, stream, is_master) VALUES (:task_id, :dataset_id, :role, :stream, :is_master)
RETURNING task_dataset_id;

-- name: task_datasets(task_ids)
SELECT td.*, d.scope, d.name, d.is_open, d.n_files AS dataset_files, d.n_bytes AS dataset_bytes, d.n_events AS dataset_events
FROM task_dataset td LEFT JOIN dataset d USING (dataset_id) WHERE td.task_id = ANY (:task_ids::bigint[]) ORDER BY td.task_dataset_id;

-- name: add_numbers(task_id, task_dataset_id, n_units, width, first_event, unit_events, n_events, max_attempts)$
-- Lists units of a pseudo input after those that it has, as ranges of `width` numbers: each of `unit_events` events from first_event on, of which there are
-- n_events (the last unit may have less), or (without unit_events) of none. Returns how many units the input has now.
WITH source AS MATERIALIZED (
    SELECT td.task_dataset_id, greatest((SELECT max(u.number) FROM task_file u WHERE u.task_dataset_id = td.task_dataset_id),
        (SELECT max(r.to_number) FROM task_range r WHERE r.task_dataset_id = td.task_dataset_id), 0) AS last_number
    FROM task_dataset td WHERE td.task_dataset_id = :task_dataset_id FOR NO KEY UPDATE
), added AS (
    INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts, first_event, unit_events, end_event)
    SELECT s.task_dataset_id, s.last_number + i + 1, s.last_number + least(i + :width::bigint, :n_units::bigint), :task_id, false, :max_attempts,
        CASE WHEN :unit_events::bigint IS NULL THEN s.last_number + i + 1 ELSE :first_event::bigint + i * :unit_events::bigint END, :unit_events::bigint,
        :first_event::bigint + least((i + :width::bigint) * :unit_events::bigint, :n_events::bigint)
    FROM source s CROSS JOIN generate_series(0, :n_units::bigint - 1, :width::bigint) AS g (i) RETURNING to_number - from_number + 1 AS n
)
UPDATE task_dataset SET n_listed = n_listed + t.n, n_events = n_events + coalesce(:n_events::bigint, 0), is_complete = true, status = 'ready'
FROM (SELECT sum(n) AS n FROM added) t WHERE task_dataset_id = :task_dataset_id RETURNING n_listed;

-- name: add_range_of_rows(task_id, task_dataset_id, from_number, to_number, width, max_attempts)!
-- Notes that no job has had these units, whose rows the caller has made (ready, is_ranged).
INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts)
SELECT :task_dataset_id, i, least(i + :width::integer - 1, :to_number::integer), :task_id, true, :max_attempts
FROM generate_series(:from_number::integer, :to_number::integer, :width::integer) AS g (i);

-- name: take_again(task_id, n)
-- Units in order that are ready and in no range (a job had them), each for the caller alone until its transaction ends.
SELECT u.task_file_id, u.task_dataset_id, u.file_id, u.number, u.first_event, u.n_events, u.attempt, u.job_id, f.size_bytes, u.max_attempts
FROM task_file u LEFT JOIN file f USING (file_id)
WHERE u.task_id = :task_id AND u.standing = 'ready' ORDER BY u.number LIMIT :n FOR NO KEY UPDATE OF u SKIP LOCKED;

-- name: take_ranges(task_id, n, may_wait)
-- Ranges of untouched units that are n together (or all there are), in order, for the caller alone until its transaction ends. Who holds units that were
-- ready again must not wait here: who holds ranges may wait for units.
SELECT task_dataset_id, from_number, to_number, has_rows, max_attempts, first_event, unit_events, end_event FROM take_ranges(:task_id, :n, :may_wait);

-- name: take_listed(task_dataset_ids, from_numbers, to_numbers)
-- The untouched units of ranges that the caller holds, where they have rows.
SELECT u.task_file_id, u.task_dataset_id, u.file_id, u.number, u.first_event, u.n_events, u.attempt, u.job_id, f.size_bytes, u.max_attempts, u.is_ranged
FROM unnest(:task_dataset_ids::bigint[], :from_numbers::integer[], :to_numbers::integer[]) AS r (task_dataset_id, low, high)
JOIN task_file u ON u.task_dataset_id = r.task_dataset_id AND u.number BETWEEN r.low AND r.high LEFT JOIN file f USING (file_id)
WHERE u.status = 'ready' AND u.attempt = 0 AND u.is_ranged ORDER BY u.number;

-- name: use_ranges(task_dataset_ids, from_numbers, to_numbers)$
-- Takes these numbers out of their ranges, and returns how many there were.
SELECT sum(use_range(r.task_dataset_id, r.low, r.high))
FROM (SELECT * FROM unnest(:task_dataset_ids::bigint[], :from_numbers::integer[], :to_numbers::integer[]) AS a (task_dataset_id, low, high) ORDER BY 1, 2) r;

-- name: ready_counts(task_ids, ceiling)
-- How many units of each task are ready (counted no further than the ceiling) and whether more may come.
SELECT w.task_id, least(:ceiling::bigint, (SELECT count(*) FROM (SELECT 1 FROM task_file u WHERE u.task_id = w.task_id AND u.standing = 'ready' LIMIT :ceiling) r)
        + (SELECT coalesce(sum(r.to_number - r.from_number + 1), 0) FROM task_range r WHERE r.task_id = w.task_id AND r.status = 'ready')) AS n_ready,
    (SELECT bool_and(td.is_complete) FROM task_dataset td WHERE td.task_id = w.task_id AND td.is_master) AS is_complete
FROM unnest(:task_ids::bigint[]) AS w (task_id);

-- name: hold_ranges(task_id)!
-- Holds the ranges of a task: before units, as who makes jobs does.
SELECT 1 FROM task_range WHERE task_id = :task_id ORDER BY from_number FOR UPDATE;

-- name: failed(task_id)
-- The failed and cancelled units of a task, not locked.
SELECT task_file_id FROM task_file
WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND status IN ('failed', 'cancelled');

-- name: reopen_failed(task_file_ids, more_attempts)
-- Failed and cancelled units, which the caller has locked, get more attempts and are ready again, in no range. Returns what changes for their inputs. A failed
-- unit that had attempts left was not counted as failed.
WITH units AS MATERIALIZED (
    SELECT task_file_id, status = 'cancelled' OR attempt >= max_attempts AS was_counted FROM task_file
    WHERE task_file_id = ANY (:task_file_ids::bigint[]) AND status IN ('failed', 'cancelled')
), again AS (
    UPDATE task_file u SET status = 'ready', max_attempts = u.attempt + :more_attempts, is_ranged = false
    FROM units o WHERE u.task_file_id = o.task_file_id RETURNING u.task_dataset_id, o.was_counted
)
SELECT task_dataset_id, count(*) AS n, -count(*) AS used, -count(*) FILTER (WHERE was_counted) AS failed FROM again GROUP BY 1 ORDER BY 1;

-- name: reopen_ranges(task_id)
-- The cancelled ranges of a task, which the caller holds, are ready again; returns what changes for their inputs.
WITH again AS (
    UPDATE task_range SET status = 'ready' WHERE task_id = :task_id AND status = 'cancelled' RETURNING task_dataset_id, to_number - from_number + 1 AS n
)
SELECT task_dataset_id, sum(n) AS n, -sum(n) AS used, -sum(n) AS failed FROM again GROUP BY 1 ORDER BY 1;

-- name: open_units(task_id)
-- Units of a task that wait for a job, not locked.
SELECT task_file_id FROM task_file
WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id))
    AND (status IN ('pending', 'ready') OR (status = 'failed' AND attempt < max_attempts));

-- name: cancel_units(task_file_ids)
-- Units, which the caller has locked, that wait for a job are cancelled; they are counted as failed so that the task can end. Returns what changes for their
-- inputs.
WITH units AS MATERIALIZED (
    SELECT task_file_id, status AS was FROM task_file WHERE task_file_id = ANY (:task_file_ids::bigint[])
        AND (status IN ('pending', 'ready') OR (status = 'failed' AND attempt < max_attempts))
), cancelled AS (
    UPDATE task_file u SET status = 'cancelled' FROM units n WHERE u.task_file_id = n.task_file_id RETURNING u.task_dataset_id, n.was
)
SELECT task_dataset_id, count(*) AS n, count(*) FILTER (WHERE was <> 'failed') AS used, count(*) AS failed FROM cancelled GROUP BY 1 ORDER BY 1;

-- name: drop_ranges_of_rows(task_id)!
-- The ranges of a task, which the caller holds, whose units have rows of their own that say what became of them.
DELETE FROM task_range WHERE task_id = :task_id AND has_rows;

-- name: cancel_ranges(task_id)
-- Untouched units without rows are cancelled as ranges, which the caller holds; returns what changes for their inputs.
WITH cancelled AS (
    UPDATE task_range SET status = 'cancelled' WHERE task_id = :task_id AND NOT has_rows AND status = 'ready'
    RETURNING task_dataset_id, to_number - from_number + 1 AS n
)
SELECT task_dataset_id, sum(n) AS n, sum(n) AS used, sum(n) AS failed FROM cancelled GROUP BY 1 ORDER BY 1;

-- name: progress(task_id)^
-- What decides the verdict, in one snapshot: units of the master inputs by outcome, whether more may come, whether units wait for a job, and whether jobs
-- are still hot. (A unit that runs has a hot job, so that ranges and the partial indexes of ready units and of units to retry find all others that are open.)
SELECT coalesce(sum(td.n_listed), 0)::bigint AS n_listed, coalesce(sum(td.n_used), 0)::bigint AS n_used, coalesce(sum(td.n_finished), 0)::bigint AS n_finished, coalesce(sum(td.n_failed), 0)::bigint AS n_failed,
    coalesce(sum(td.n_events), 0)::bigint AS n_events, coalesce(sum(td.n_events_finished), 0)::bigint AS n_events_finished, bool_and(td.is_complete) AS is_complete,
    EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'ready')
        OR EXISTS (SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'retry')
        OR EXISTS (SELECT 1 FROM task_range r WHERE r.task_id = :task_id AND r.status = 'ready') AS has_waiting_units,
    EXISTS (SELECT 1 FROM job j WHERE j.task_id = :task_id) AS has_jobs,
    EXISTS (SELECT 1 FROM job j WHERE j.task_id = :task_id AND j.status <> 'merging') AS has_working_jobs
FROM task_dataset td WHERE td.task_id = :task_id AND td.is_master;

-- name: reuse_input(task_id)
-- An input that was complete may grow again when the producer of one of its datasets is retried, unless its task takes it as it was found.
UPDATE task_dataset td SET is_complete = false FROM task t JOIN task_template p USING (task_id, version)
WHERE t.task_id = :task_id AND td.task_id = t.task_id AND td.role = 'input' AND td.is_complete
    AND coalesce((p.document -> 'inputs' -> td.stream ->> 'grow')::boolean, true)
    AND EXISTS (SELECT 1 FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = td.task_dataset_id AND d.is_open)
RETURNING td.task_dataset_id;
