-- name: next_ids(n)$
SELECT array_agg(nextval('clone_group_clone_group_id_seq')) FROM generate_series(1, :n);

-- name: add_groups(group_ids, task_id, mode, attempts, counts, leads)!
INSERT INTO clone_group (clone_group_id, task_id, mode, attempt, n_copies, lead_job_id) OVERRIDING SYSTEM VALUE
SELECT a.group_id, :task_id, :mode, a.attempt, a.n, a.lead
FROM unnest(:group_ids::bigint[], :attempts::smallint[], :counts::smallint[], :leads::bigint[]) AS a (group_id, attempt, n, lead);

-- name: join_hot(job_ids, group_ids)!
-- Jobs that the caller has made are copies of groups.
UPDATE job j SET clone_group_id = a.group_id FROM unnest(:job_ids::bigint[], :group_ids::bigint[]) AS a (job_id, group_id) WHERE j.job_id = a.job_id;

-- name: join_specs(job_ids, group_ids, copies, low, high)!
UPDATE job_spec s SET clone_group_id = a.group_id, copy = a.copy FROM unnest(:job_ids::bigint[], :group_ids::bigint[], :copies::smallint[]) AS a (job_id, group_id, copy)
WHERE s.job_id = a.job_id AND s.job_id BETWEEN :low AND :high;

-- name: copy_inputs(from_ids, to_ids, low, high)!
-- Copies read what the first of them reads. The ids of the first ones lie from low to high.
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id)
SELECT a.to_id, f.n, f.task_id, f.role, f.task_dataset_id, f.task_file_id, f.file_id FROM unnest(:from_ids::bigint[], :to_ids::bigint[]) AS a (from_id, to_id)
JOIN job_file f ON f.job_id = a.from_id AND f.job_id BETWEEN :low AND :high WHERE f.role = 'input';

-- name: pass_gates(job_ids, claim_ids, statuses, lost_reason)
-- Which of these copies, where they are still their claim's, may go on. The function is in the migrations.
SELECT passed_job_id AS job_id, passes FROM pass_gates(:job_ids, :claim_ids, :statuses, :lost_reason);

-- name: unswept(n)
-- Groups in which a copy has won, or that are over, and whose other copies were not looked at since.
SELECT clone_group_id FROM clone_group WHERE status <> 'open' AND NOT is_swept ORDER BY clone_group_id LIMIT :n;

-- name: copies(group_ids)
-- The copies of groups that have not ended, in order.
SELECT job_id, clone_group_id AS group_id FROM job WHERE clone_group_id = ANY (:group_ids::bigint[]) ORDER BY job_id;

-- name: hold(group_ids)
-- Groups as they are, for the caller alone until its transaction ends; it has locked their jobs.
SELECT clone_group_id AS group_id, mode, status, lead_job_id FROM clone_group WHERE clone_group_id = ANY (:group_ids::bigint[])
ORDER BY clone_group_id FOR NO KEY UPDATE;

-- name: sweep(group_ids)!
UPDATE clone_group SET is_swept = true WHERE clone_group_id = ANY (:group_ids::bigint[]);

-- name: of_job(job_id)
-- The group of a job and all its copies, in order; nothing for a job that has none.
SELECT c.job_id, c.copy, q.name AS queue, coalesce(h.status, a.status) AS status, g.mode, g.status AS group_status, g.lead_job_id, g.won_at
FROM job_spec s JOIN clone_group g USING (clone_group_id)
JOIN job_spec c ON c.task_id = s.task_id AND c.clone_group_id = s.clone_group_id
LEFT JOIN job h ON h.job_id = c.job_id LEFT JOIN job_archive a ON a.job_id = c.job_id LEFT JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id)
WHERE s.job_id = :job_id ORDER BY c.copy;
