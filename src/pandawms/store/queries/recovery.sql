-- name: outputs(task_id, names)
-- Of these names, the files in the outputs of a task.
SELECT f.file_id, f.name, td.stream FROM task_dataset td JOIN file f ON f.dataset_id = td.dataset_id
WHERE td.task_id = :task_id AND td.role IN ('output', 'transient') AND f.name = ANY (:names::text[]) ORDER BY f.file_id;

-- name: lost_before(task_id, names)
-- Of these names, files that were in the outputs of a task and are lost; of several of a name the newest comes last.
SELECT f.file_id, f.name FROM task_dataset td JOIN dataset d USING (dataset_id)
JOIN dataset g ON g.scope = d.scope AND g.name = d.name AND g.holds_lost JOIN file f ON f.dataset_id = g.dataset_id
WHERE td.task_id = :task_id AND td.role IN ('output', 'transient') AND f.name = ANY (:names::text[]) ORDER BY f.file_id;

-- name: writers(file_ids)
-- The ended jobs that wrote these files, as a whole or with one of their payloads.
SELECT DISTINCT f.job_id FROM job_file f JOIN job_archive a ON a.job_id = f.job_id
WHERE f.file_id = ANY (:file_ids::bigint[]) AND f.role = 'output' AND (a.status = 'finished' OR f.task_file_id IS NOT NULL) ORDER BY 1;

-- name: together(job_ids)
-- These jobs, and those that stand and fall with them: the merge jobs of what they wrote, and all jobs whose files these merged.
WITH given AS MATERIALIZED (
    SELECT unnest(:job_ids::bigint[]) AS job_id
), merges AS MATERIALIZED (
    SELECT s.job_id FROM given JOIN job_spec s USING (job_id) WHERE s.kind = 'merge'
    UNION
    SELECT g.job_id FROM given w JOIN job_file f ON f.job_id = w.job_id AND f.role = 'output' JOIN merge_group g USING (merge_group_id) WHERE g.status = 'merged'
), members AS (
    SELECT f.job_id FROM merges m JOIN merge_group g ON g.job_id = m.job_id JOIN job_file f ON f.merge_group_id = g.merge_group_id AND f.role = 'output'
)
SELECT job_id FROM given UNION SELECT job_id FROM merges UNION SELECT job_id FROM members ORDER BY 1;

-- name: files_of(job_ids)
-- The files that these jobs wrote and that are not lost yet.
SELECT DISTINCT f.file_id FROM job_file f
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'output' AND f.file_id IS NOT NULL AND f.status <> 'lost' ORDER BY 1;

-- name: details(job_ids)^
-- Whether what one of these jobs read and wrote is in files, and no longer in the database or not for long, and whether one of them merged.
SELECT coalesce(bool_or(NOT EXISTS (SELECT 1 FROM job_file f WHERE f.job_id = g.job_id) OR EXISTS (
        SELECT 1 FROM archive_range x WHERE x.state <> 'writing' AND g.job_id >= x.from_id AND g.job_id < x.to_id)), false) AS is_archived,
    coalesce(bool_or(EXISTS (SELECT 1 FROM job_spec s WHERE s.job_id = g.job_id AND s.kind = 'merge')), false) AS has_merge
FROM unnest(:job_ids::bigint[]) AS g (job_id);

-- name: is_unended(file_ids)$
-- True when a job that wrote one of these files has not ended: it waits for its merge, or has payloads that run.
SELECT EXISTS (SELECT 1 FROM job_file f JOIN job j USING (job_id) WHERE f.file_id = ANY (:file_ids::bigint[]) AND f.role = 'output');

-- name: sharing(file_ids)
-- Copies of these files in forks.
SELECT s.file_id, s.task_id FROM shared_file s WHERE s.from_file_id = ANY (:file_ids::bigint[]) ORDER BY 1;

-- name: graves(file_ids)
-- Makes a dataset for the records of lost files beside each that has one of these, where there is none; returns those that were made.
WITH wanted AS (
    SELECT DISTINCT d.community_id, d.owner_id, d.scope, d.name FROM file f JOIN dataset d USING (dataset_id)
    WHERE f.file_id = ANY (:file_ids::bigint[]) AND NOT d.holds_lost ORDER BY d.scope, d.name
)
INSERT INTO dataset (community_id, owner_id, scope, name, is_open, closed_at, removed_at, holds_lost)
SELECT community_id, owner_id, scope, name, false, now(), now(), true FROM wanted ON CONFLICT (scope, name) WHERE holds_lost DO NOTHING RETURNING dataset_id;

-- name: lock_files(file_ids)$
SELECT count(*) FROM (SELECT 1 FROM file WHERE file_id = ANY (:file_ids::bigint[]) ORDER BY file_id FOR NO KEY UPDATE) l;

-- name: strays(file_ids)
-- Of these files, which the caller has locked, those that are not among the lost ones yet: from which dataset to which they go.
SELECT f.file_id, f.dataset_id AS source_id, g.dataset_id AS target_id, f.size_bytes, coalesce(f.events, 0) AS events
FROM file f JOIN dataset d USING (dataset_id) JOIN dataset g ON g.scope = d.scope AND g.name = d.name AND g.holds_lost
WHERE f.file_id = ANY (:file_ids::bigint[]) AND NOT d.holds_lost ORDER BY f.file_id;

-- name: mark_lost(file_ids)!
-- Jobs that wrote these files know that they are lost.
UPDATE job_file SET status = 'lost' WHERE file_id = ANY (:file_ids::bigint[]) AND role = 'output';

-- name: drop_shared(file_ids)!
DELETE FROM shared_file WHERE file_id = ANY (:file_ids::bigint[]);

-- name: forget_replicas(file_ids)!
-- Nobody has these files any more.
DELETE FROM replica WHERE file_id = ANY (:file_ids::bigint[]);

-- name: inputs_of(job_ids)
-- The units that jobs had, with the job; not locked.
SELECT f.task_file_id, f.job_id FROM job_file f WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'input' AND f.task_file_id IS NOT NULL;

-- name: reopen(task_file_ids, job_ids, more_attempts)
-- Units, which the caller has locked, that these jobs had finished are ready again, with more attempts. Returns them by input, with what changes for that.
WITH again AS (
    UPDATE task_file u SET status = 'ready', is_ranged = false, max_attempts = u.attempt + :more_attempts,
        max_failures = u.failed_attempts - u.forgiven_failures + :more_attempts
    FROM unnest(:task_file_ids::bigint[], :job_ids::bigint[]) AS i (task_file_id, job_id)
    WHERE u.task_file_id = i.task_file_id AND u.job_id = i.job_id AND u.status = 'finished' RETURNING u.task_file_id, u.task_dataset_id, u.n_events
)
SELECT task_dataset_id, array_agg(task_file_id) AS unit_ids, count(*) AS n, -count(*) AS used, -count(*) AS finished,
    -coalesce(sum(n_events), 0)::bigint AS events_finished
FROM again GROUP BY 1 ORDER BY 1;

-- name: finished_by(job_ids)
-- The units that these jobs have finished, not locked.
SELECT u.task_file_id FROM job_file f JOIN task_file u USING (task_file_id)
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'input' AND u.job_id = f.job_id AND u.status = 'finished';

-- name: copies(unit_ids)
-- Units of forks that stand for these, by task, not locked.
SELECT task_id, array_agg(task_file_id) AS unit_ids FROM task_file WHERE shared_from = ANY (:unit_ids::bigint[]) AND status = 'finished' GROUP BY 1 ORDER BY 1;

-- name: unshare(task_file_ids, closed)
-- Units of forks, which the caller has locked, are ready to be processed there, or cancelled where the task is closed; returns them by input, with what changes
-- for that.
WITH again AS (
    UPDATE task_file SET status = CASE WHEN task_id = ANY (:closed::bigint[]) THEN 'cancelled' ELSE 'ready' END, shared_from = NULL, is_ranged = false
    WHERE task_file_id = ANY (:task_file_ids::bigint[]) AND shared_from IS NOT NULL AND status = 'finished'
    RETURNING task_file_id, task_id, task_dataset_id, n_events, status
)
SELECT task_id, task_dataset_id, array_agg(task_file_id) AS unit_ids, count(*) AS n, -count(*) FILTER (WHERE status = 'ready') AS used,
    -count(*) AS finished, count(*) FILTER (WHERE status = 'cancelled') AS failed, -coalesce(sum(n_events), 0)::bigint AS events_finished
FROM again GROUP BY 1, 2 ORDER BY 2;

-- name: without_input(task_id)
-- Units of a task whose input file is lost: where they stand, and the job that they name.
SELECT u.task_file_id, u.status, u.job_id FROM task_dataset td JOIN task_file u USING (task_dataset_id) JOIN file f ON f.file_id = u.file_id
JOIN dataset d ON d.dataset_id = f.dataset_id
WHERE td.task_id = :task_id AND td.role = 'input' AND d.holds_lost AND u.status <> 'removed' ORDER BY u.task_file_id;

-- name: waiting_beside(task_id, statuses)
-- Jobs of a task in these statuses of which a file beside their units is lost.
SELECT j.job_id FROM job j WHERE j.task_id = :task_id AND j.status = ANY (:statuses::text[]) AND EXISTS (
    SELECT 1 FROM job_file f JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id JOIN file x ON x.file_id = f.file_id
    JOIN dataset d ON d.dataset_id = x.dataset_id
    WHERE f.job_id = j.job_id AND f.role = 'input' AND td.task_id = :task_id AND NOT td.is_master AND d.holds_lost)
ORDER BY 1;

-- name: hold_ranges_of(unit_ids)$
-- Holds the ranges of the inputs of units that have rows: before the units, as who makes jobs does.
SELECT count(*) FROM (
    SELECT 1 FROM task_range r WHERE r.has_rows
        AND r.task_dataset_id IN (SELECT u.task_dataset_id FROM task_file u WHERE u.task_file_id = ANY (:unit_ids::bigint[]))
    ORDER BY r.task_id, r.from_number FOR UPDATE) l;

-- name: untouched(unit_ids)
-- Of these units, which the caller has locked with their ranges, those that are still in one.
SELECT task_dataset_id, number FROM task_file
WHERE task_file_id = ANY (:unit_ids::bigint[]) AND is_ranged AND attempt = 0 AND status = 'ready' ORDER BY 1, 2;

-- name: remove_units(unit_ids)
-- Takes units, which the caller has locked and whose jobs it has ended, out of their task, as if they had not been listed. Returns how many by input, and
-- what changes for that.
WITH units AS MATERIALIZED (
    SELECT task_file_id, status AS was, attempt, max_attempts FROM task_file
    WHERE task_file_id = ANY (:unit_ids::bigint[]) AND status NOT IN ('running', 'merging', 'removed')
), gone AS (
    UPDATE task_file u SET status = 'removed', is_ranged = false FROM units n
    WHERE u.task_file_id = n.task_file_id RETURNING u.task_dataset_id, u.n_events, n.was, n.attempt, n.max_attempts
)
SELECT task_dataset_id, count(*) AS n, -count(*) AS listed, -coalesce(sum(n_events), 0)::bigint AS events,
    -count(*) FILTER (WHERE was NOT IN ('ready', 'pending')) AS used, -count(*) FILTER (WHERE was = 'finished') AS finished,
    -coalesce(sum(n_events) FILTER (WHERE was = 'finished'), 0)::bigint AS events_finished,
    -count(*) FILTER (WHERE was = 'cancelled' OR (was = 'failed' AND attempt >= max_attempts)) AS failed
FROM gone GROUP BY 1 ORDER BY 1;

-- name: readers(file_ids, task_id)
-- Other tasks with units of these files, or that give them to their jobs beside units. (OFFSET 0 keeps the planner from going through all inputs or all units.)
SELECT DISTINCT td.task_id FROM task_dataset o
CROSS JOIN LATERAL (SELECT i.task_dataset_id FROM task_input_dataset i WHERE i.dataset_id = o.dataset_id OFFSET 0) r
JOIN task_dataset td ON td.task_dataset_id = r.task_dataset_id
WHERE o.task_id = :task_id AND o.role IN ('output', 'transient') AND (
    EXISTS (SELECT 1 FROM task_file u WHERE u.task_dataset_id = td.task_dataset_id AND u.file_id = ANY (:file_ids::bigint[]) AND u.status <> 'removed' OFFSET 0)
    OR EXISTS (SELECT 1 FROM secondary_file s WHERE s.task_dataset_id = td.task_dataset_id AND s.file_id = ANY (:file_ids::bigint[]) OFFSET 0))
ORDER BY 1;

-- name: listed_from(writers)
-- The inputs that read what these tasks wrote, and to which more may come.
SELECT DISTINCT td.task_dataset_id FROM task_dataset o
CROSS JOIN LATERAL (SELECT i.task_dataset_id FROM task_input_dataset i WHERE i.dataset_id = o.dataset_id OFFSET 0) r
JOIN task_dataset td ON td.task_dataset_id = r.task_dataset_id
WHERE o.task_id = ANY (:writers::bigint[]) AND o.role IN ('output', 'transient') AND NOT td.is_complete ORDER BY 1;

-- name: shared_here(file_ids)
-- Of these files, those that were written by another task, with that task.
SELECT s.file_id, o.producer_task_id AS task_id FROM shared_file s JOIN file f ON f.file_id = s.from_file_id JOIN dataset o USING (dataset_id)
WHERE s.file_id = ANY (:file_ids::bigint[]) ORDER BY 1;
