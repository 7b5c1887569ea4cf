-- name: unmerged(task_id)
-- Outputs that wait to be merged, with the queue whose storage holds them; for the caller alone until its transaction ends.
SELECT f.job_id, f.n, j.queue_id, coalesce(c.size_bytes, 0) AS size_bytes FROM job_file f JOIN job j USING (job_id) LEFT JOIN file c ON c.file_id = f.file_id
WHERE f.task_id = :task_id AND f.status = 'ready' AND j.status = 'merging'
ORDER BY f.job_id, f.n FOR UPDATE OF f;

-- name: add_group(task_id, queue_id, max_attempts)$
WITH taken AS (UPDATE task SET next_merge_serial = next_merge_serial + 1 WHERE task_id = :task_id RETURNING next_merge_serial - 1 AS serial)
INSERT INTO merge_group (task_id, queue_id, serial, status, max_attempts) SELECT :task_id, :queue_id, serial, 'mergeable', :max_attempts FROM taken
RETURNING merge_group_id;

-- name: put_in_group(merge_group_id, job_ids, ns)!
UPDATE job_file f SET merge_group_id = :merge_group_id, status = 'merging'
FROM unnest(:job_ids::bigint[], :ns::integer[]) AS a (job_id, n) WHERE f.job_id = a.job_id AND f.n = a.n AND f.status = 'ready';

-- name: mergeable(statuses, n)
-- Groups that need a merge job, of tasks in these statuses.
SELECT g.merge_group_id, g.task_id FROM merge_group g JOIN task t USING (task_id)
WHERE g.status = 'mergeable' AND t.status = ANY (:statuses::text[]) ORDER BY g.merge_group_id LIMIT :n;

-- name: take(merge_group_id)^
-- One of them, for the caller alone until its transaction ends; no row when somebody else has or had it.
SELECT g.merge_group_id, g.task_id, g.queue_id, g.serial, g.attempt, g.job_id FROM merge_group g
WHERE g.merge_group_id = :merge_group_id AND g.status = 'mergeable' FOR NO KEY UPDATE SKIP LOCKED;

-- name: start_group(merge_group_id, job_id)!
UPDATE merge_group SET status = 'merging', attempt = attempt + 1, job_id = :job_id WHERE merge_group_id = :merge_group_id AND status = 'mergeable';

-- name: members(merge_group_id)
-- The files of a group and the run jobs that wrote them.
SELECT f.job_id, f.n, f.file_id, f.task_dataset_id FROM job_file f WHERE f.merge_group_id = :merge_group_id AND f.role = 'output' ORDER BY f.job_id, f.n;

-- name: ended_groups(task_id)
-- Groups whose merge job has ended, with how; locked.
SELECT g.merge_group_id, g.attempt, g.max_attempts, a.status, a.error_domain, a.error_code, a.message, a.is_retryable FROM merge_group g
JOIN job_archive a ON a.job_id = g.job_id WHERE g.task_id = :task_id AND g.status = 'merging' ORDER BY g.merge_group_id FOR NO KEY UPDATE OF g SKIP LOCKED;

-- name: set_group(merge_group_id, status)!
UPDATE merge_group SET status = :status WHERE merge_group_id = :merge_group_id;

-- name: fail_open_groups(task_id)!
UPDATE merge_group SET status = 'failed' WHERE task_id = :task_id AND status = 'mergeable';
