-- name: hold(task_id)!
-- Makes the caller the only one who counts the jobs of this task until its transaction ends. The lock is no row's; aggregate has the positive number.
SELECT pg_advisory_xact_lock(-:task_id::bigint);

-- name: traits(task_file_ids)
-- What the split asks of units beyond their size: the group, and what retry rules raised.
SELECT task_file_id, boundary, memory_mb, wall_seconds, units_per_job FROM task_file WHERE task_file_id = ANY (:task_file_ids::bigint[]);

-- name: course(task_id)^
-- How many run jobs of a task are first attempts, how many units wait for another one (up to 1,000), and whether its scouts have been judged,
-- or need not be, as the task has had a verdict. Of a task that keeps the first number, jobs are not counted.
SELECT coalesce((SELECT t.n_first_jobs::bigint FROM task t WHERE t.task_id = :task_id), (SELECT count(*) FROM job j JOIN requirement q USING (requirement_id) WHERE j.task_id = :task_id AND j.attempt = 1 AND q.kind = 'run')
    + (SELECT count(*) FROM job_archive a JOIN requirement q USING (requirement_id) WHERE a.task_id = :task_id AND a.attempt = 1 AND q.kind = 'run')
    - (SELECT coalesce(sum(g.n_copies - 1), 0) FROM clone_group g WHERE g.task_id = :task_id AND g.attempt = 1)) AS n_first,
    (SELECT count(*) FROM (
        SELECT 1 FROM task_file u WHERE u.task_id = :task_id AND u.standing = 'ready' AND u.attempt > 0 LIMIT 1000) a) AS n_again,
    EXISTS (SELECT 1 FROM task_event e WHERE e.task_id = :task_id AND e.event IN ('judge_scouts', 'avalanche', 'exhaust'))
        OR EXISTS (SELECT 1 FROM task t WHERE t.task_id = :task_id AND t.round > 1) AS is_judged;

-- name: count_first(task_id, n_first)!
UPDATE task SET n_first_jobs = :n_first WHERE task_id = :task_id;

-- name: forget_first(task_id, unit_ids)!
-- Jobs that were first attempts at nothing but units which left the task, these among them, are none of those that the task may have.
UPDATE task t SET n_first_jobs = greatest(0, t.n_first_jobs - (
    SELECT count(DISTINCT s.serial) FROM job_file f JOIN job_spec s USING (job_id)
    WHERE f.file_id = ANY (ARRAY(SELECT v.file_id FROM task_file v WHERE v.task_file_id = ANY (:unit_ids::bigint[]))) AND f.task_id = t.task_id AND f.role = 'input' AND s.kind = 'run' AND s.attempt = 1 AND NOT EXISTS (
        SELECT 1 FROM job_file g JOIN task_file u ON u.task_file_id = g.task_file_id WHERE g.job_id = f.job_id AND g.role = 'input' AND u.status <> 'removed')))
WHERE t.task_id = :task_id AND t.n_first_jobs IS NOT NULL;

-- name: number_files(task_dataset_id, file_ids)!
-- Files of a secondary input that have no number get one, in the order given: those of lost files first, then the next ones.
WITH new AS MATERIALIZED (
    SELECT f.file_id, row_number() OVER (ORDER BY f.n) AS n FROM unnest(:file_ids::bigint[]) WITH ORDINALITY AS f (file_id, n)
    WHERE NOT EXISTS (SELECT 1 FROM secondary_file s WHERE s.task_dataset_id = :task_dataset_id AND s.file_id = f.file_id)
), vacant AS MATERIALIZED (
    SELECT number, row_number() OVER (ORDER BY number) AS n FROM secondary_file WHERE task_dataset_id = :task_dataset_id AND file_id IS NULL
), filled AS (
    UPDATE secondary_file s SET file_id = new.file_id FROM vacant v JOIN new USING (n) WHERE s.task_dataset_id = :task_dataset_id AND s.number = v.number
)
INSERT INTO secondary_file (task_dataset_id, number, file_id)
SELECT :task_dataset_id, (SELECT coalesce(max(s.number), 0) FROM secondary_file s WHERE s.task_dataset_id = :task_dataset_id)
    + n - (SELECT count(*) FROM vacant), file_id
FROM new WHERE n > (SELECT count(*) FROM vacant);

-- name: vacate(task_id)
-- Lost files of the secondary inputs of a task, which the caller holds, give up their numbers. Returns the inputs that had some.
WITH lost AS (
    UPDATE secondary_file s SET file_id = NULL, lost_file_ids = array_append(s.lost_file_ids, s.file_id) FROM file f JOIN dataset d USING (dataset_id)
    WHERE s.task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id AND td.role = 'input' AND NOT td.is_master))
        AND f.file_id = s.file_id AND d.holds_lost RETURNING s.task_dataset_id
)
SELECT DISTINCT task_dataset_id FROM lost ORDER BY 1;

-- name: vacant(task_dataset_id)
-- The numbers of a secondary input that have no file, in their order.
SELECT number FROM secondary_file WHERE task_dataset_id = :task_dataset_id AND file_id IS NULL ORDER BY 1;

-- name: secondaries(task_id)
-- The secondary inputs of a task, for the caller alone until its transaction ends: who gives their files to jobs, and who numbers them.
SELECT td.task_dataset_id, td.stream, td.is_complete, td.n_given,
    (SELECT coalesce(max(s.number), 0) FROM secondary_file s WHERE s.task_dataset_id = td.task_dataset_id) AS n_files
FROM task_dataset td WHERE td.task_id = :task_id AND td.role = 'input' AND NOT td.is_master ORDER BY td.task_dataset_id FOR NO KEY UPDATE OF td;

-- name: numbered(task_dataset_id, numbers)
-- These files of a secondary input.
SELECT s.number, s.file_id, f.size_bytes FROM secondary_file s JOIN file f USING (file_id)
WHERE s.task_dataset_id = :task_dataset_id AND s.number = ANY (:numbers::integer[]);

-- name: kept(task_dataset_id, job_ids, low, high)
-- The numbers of the files of a secondary input that jobs had, in their order, lost ones too; the ids of the jobs lie from low to high.
SELECT f.job_id, s.number FROM job_file f CROSS JOIN LATERAL (
    SELECT number FROM secondary_file WHERE task_dataset_id = :task_dataset_id AND file_id = f.file_id
    UNION SELECT number FROM secondary_file WHERE task_dataset_id = :task_dataset_id AND lost_file_ids IS NOT NULL AND f.file_id = ANY (lost_file_ids)) s
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.job_id BETWEEN :low AND :high AND f.role = 'input' AND f.task_dataset_id = :task_dataset_id
ORDER BY f.job_id, f.n;

-- name: give(task_dataset_ids, n_given)!
UPDATE task_dataset td SET n_given = a.n FROM unnest(:task_dataset_ids::bigint[], :n_given::bigint[]) AS a (task_dataset_id, n)
WHERE td.task_dataset_id = a.task_dataset_id;

-- name: untried_of_group(task_dataset_id, boundary, after, n)
-- Ready units of a group that no job has had, with numbers above `after`, in their order.
SELECT task_file_id, task_dataset_id, file_id, number, first_event, n_events, attempt, job_id, NULL::bigint AS size_bytes, max_attempts, is_ranged
FROM task_file WHERE task_dataset_id = :task_dataset_id AND number > :after AND boundary = :boundary AND status = 'ready' AND attempt = 0
ORDER BY number LIMIT :n;

-- name: refuse(task_file_ids, values, code, text, limit_value)
-- Ready units of which no job can be made have failed for good, and say why; the caller took them out of their ranges. Returns what changes for their inputs.
WITH refused AS (
    UPDATE task_file u SET status = 'failed', max_attempts = u.attempt, is_ranged = false, judged_job_id = u.job_id, reason = jsonb_strip_nulls(
        jsonb_build_object('code', :code::text, 'text', :text::text, 'limit', :limit_value::double precision, 'value', a.value))
    FROM unnest(:task_file_ids::bigint[], :values::double precision[]) AS a (task_file_id, value)
    WHERE u.task_file_id = a.task_file_id AND u.status = 'ready' RETURNING u.task_dataset_id
)
SELECT task_dataset_id, count(*) AS n, count(*) AS used, count(*) AS failed FROM refused GROUP BY 1 ORDER BY 1;

-- name: refuse_unborn(task_id, task_dataset_id, numbers, first_events, n_events, values, code, text, limit_value)$
-- The same for units without a row: they get one.
WITH refused AS (
    INSERT INTO task_file (task_id, task_dataset_id, number, first_event, n_events, status, max_attempts, reason)
    SELECT :task_id, :task_dataset_id, a.number, a.first_event, a.n_events, 'failed', 0, jsonb_strip_nulls(
        jsonb_build_object('code', :code::text, 'text', :text::text, 'limit', :limit_value::double precision, 'value', a.value))
    FROM unnest(:numbers::integer[], :first_events::bigint[], :n_events::bigint[], :values::double precision[]) AS a (number, first_event, n_events, value)
    RETURNING 1
), counted AS (
    UPDATE task_dataset SET n_used = n_used + (SELECT count(*) FROM refused), n_failed = n_failed + (SELECT count(*) FROM refused)
    WHERE task_dataset_id = :task_dataset_id
)
SELECT count(*) FROM refused;
