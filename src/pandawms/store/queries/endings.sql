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

-- name: stray_outputs(job_ids)
-- Outputs of jobs that are in another dataset than the one that takes them.
SELECT f.file_id, f.dataset_id AS source_id, td.dataset_id AS target_id, f.size_bytes, coalesce(f.events, 0) AS events
FROM job_file jf JOIN task_dataset td USING (task_dataset_id) JOIN file f ON f.file_id = jf.file_id
WHERE jf.job_id = ANY (:job_ids::bigint[]) AND jf.role = 'output' AND f.dataset_id <> td.dataset_id ORDER BY f.file_id;
