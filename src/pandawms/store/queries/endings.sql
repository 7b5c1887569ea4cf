-- name: end_jobs(low, high, who, wakes, job_ids, claim_ids, queue_ids, events, statuses, domains, codes, exit_codes, exit_signals, messages, retryables, starts, walls, cpus, rsses, disks, unit_statuses, are_failed, are_final, out_of, out_job_ids, out_ns, out_task_ids, out_task_dataset_ids, out_dataset_ids, out_endpoint_ids, out_scopes, out_names, out_guids, out_sizes, out_adlers, out_events, out_statuses)$
-- Ends jobs, each only when it is still hot (and its claim's, where claims are given), with all that follows; returns which elements. The function is in the
-- migrations.
SELECT end_jobs(:low, :high, :who, :wakes, :job_ids, :claim_ids, :queue_ids, :events, :statuses, :domains, :codes, :exit_codes, :exit_signals,
    :messages, :retryables, :starts, :walls, :cpus, :rsses, :disks, :unit_statuses, :are_failed, :are_final, :out_of, :out_job_ids, :out_ns, :out_task_ids,
    :out_task_dataset_ids, :out_dataset_ids, :out_endpoint_ids, :out_scopes, :out_names, :out_guids, :out_sizes, :out_adlers, :out_events,
    :out_statuses);

-- name: settle_outputs(job_ids, status)!
-- Outputs of jobs that were written, or will never be.
UPDATE job_file f SET status = :status
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.role = 'output' AND f.status IN ('defined', 'ready', 'merging', 'finished') AND f.status <> :status;

-- name: adopt_outputs(job_ids)!
-- Outputs of jobs that are in another dataset than the one that takes them move there, and the counters of both follow.
WITH stray AS MATERIALIZED (
    SELECT f.file_id, f.dataset_id AS source_id, td.dataset_id AS target_id, f.size_bytes, coalesce(f.events, 0) AS events
    FROM job_file jf JOIN task_dataset td USING (task_dataset_id) JOIN file f ON f.file_id = jf.file_id
    WHERE jf.job_id = ANY (:job_ids::bigint[]) AND jf.role = 'output' AND f.dataset_id <> td.dataset_id
), locked AS MATERIALIZED (
    SELECT d.dataset_id FROM dataset d WHERE d.dataset_id IN (SELECT source_id FROM stray UNION SELECT target_id FROM stray)
    ORDER BY d.dataset_id FOR NO KEY UPDATE
), moved AS (
    UPDATE file f SET dataset_id = s.target_id FROM stray s WHERE f.file_id = s.file_id
), changes AS (
    SELECT c.dataset_id, sum(c.sign) AS files, sum(c.sign * c.size_bytes) AS bytes, sum(c.sign * c.events) AS events
    FROM (SELECT target_id AS dataset_id, 1 AS sign, size_bytes, events FROM stray UNION ALL SELECT source_id, -1, size_bytes, events FROM stray) c
    GROUP BY c.dataset_id
)
UPDATE dataset d SET n_files = d.n_files + c.files, n_bytes = d.n_bytes + c.bytes, n_events = d.n_events + c.events
FROM changes c JOIN locked USING (dataset_id) WHERE d.dataset_id = c.dataset_id;
