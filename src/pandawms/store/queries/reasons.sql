-- name: hot_jobs(task_id)
-- The jobs of a task that have not ended, by queue and status.
SELECT q.name AS queue, j.status, count(*) AS n FROM job j JOIN queue q USING (queue_id) WHERE j.task_id = :task_id GROUP BY q.name, j.status ORDER BY 1, 2;

-- name: parent(task_id)^
-- The task whose output a task reads.
SELECT p.task_id, p.name, p.status FROM task t JOIN task p ON p.task_id = t.parent_task_id WHERE t.task_id = :task_id;

-- name: pending_commands(task_id, job_id)
SELECT verb, asked_at, progress FROM command WHERE applied_at IS NULL AND (task_id = :task_id::bigint OR job_id = :job_id::bigint) ORDER BY command_id;

-- name: failed_units(task_id)^
-- Units that failed: how many will be tried again, and how many are out of attempts.
SELECT count(*) FILTER (WHERE attempt < max_attempts) AS n_again, count(*) FILTER (WHERE attempt >= max_attempts) AS n_final
FROM task_file WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND status = 'failed';

-- name: ahead(job_id, ceiling)$
-- How many ready jobs of its queue come before a job by priority and age, counted no further than the ceiling.
SELECT count(*) FROM (
    SELECT 1 FROM job j JOIN job me ON me.job_id = :job_id
    WHERE j.status = 'activated' AND j.queue_id = me.queue_id AND (j.priority > me.priority OR (j.priority = me.priority AND j.job_id < me.job_id))
    LIMIT :ceiling
) before_me;

-- name: kill_order(job_id)$
SELECT reason FROM job_order WHERE job_id = :job_id;

-- name: predecessors(job_id)
SELECT e.predecessor_id AS job_id, coalesce(h.status, a.status) AS status FROM job_edge e LEFT JOIN job h ON h.job_id = e.predecessor_id
LEFT JOIN job_archive a ON a.job_id = e.predecessor_id WHERE e.successor_id = :job_id ORDER BY 1 LIMIT 20;

-- name: missing_inputs(job_id, n)
-- Input files of a job that its queue cannot read from anywhere.
SELECT f.scope || ':' || f.name AS name FROM job_file jf JOIN job j USING (job_id) JOIN file f ON f.file_id = jf.file_id
WHERE jf.job_id = :job_id AND jf.role = 'input' AND NOT EXISTS (
    SELECT 1 FROM replica r JOIN queue_storage qs USING (endpoint_id) WHERE r.file_id = f.file_id AND qs.queue_id = j.queue_id AND qs.read_order IS NOT NULL)
ORDER BY jf.n LIMIT :n;

-- name: successor(task_id, job_id)$
-- The next attempt at what a job failed to do.
SELECT job_id FROM job_spec WHERE task_id = :task_id AND previous_job_id = :job_id ORDER BY job_id LIMIT 1;
