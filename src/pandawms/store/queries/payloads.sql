-- name: units(job_ids, low, high)
-- The units of jobs of several payloads, in order, each with its file where it is one. The ids of jobs lie from low to high.
SELECT f.job_id, f.n, f.task_file_id, u.number, u.attempt, u.first_event, u.n_events, td.stream, c.scope, c.name, c.size_bytes, c.adler32, c.guid, c.events
FROM unnest(:job_ids::bigint[]) AS a (job_id)
JOIN job_file f ON f.job_id = a.job_id AND f.job_id BETWEEN :low AND :high
JOIN task_file u ON u.task_file_id = f.task_file_id
JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id
LEFT JOIN file c ON c.file_id = f.file_id
WHERE f.role = 'input' AND td.is_master ORDER BY f.job_id, f.n;

-- name: take(job_ids, claim_ids, queue_ids, all_units, of, units, ns, tasks, attempts, statuses, waits, domains, codes, exit_codes, exit_signals, messages, retryables, walls, cpus, rsses, out_of, out_job_ids, out_ns, out_task_ids, out_task_dataset_ids, out_dataset_ids, out_endpoint_ids, out_scopes, out_names, out_guids, out_sizes, out_adlers, out_events, out_statuses)$
-- Takes accounts of payloads, with their outputs and what follows; returns which of the jobs their claims hold. The function is in the migrations.
SELECT take_payloads(:job_ids, :claim_ids, :queue_ids, :all_units, :of, :units, :ns, :tasks, :attempts, :statuses, :waits, :domains, :codes, :exit_codes,
    :exit_signals, :messages, :retryables, :walls, :cpus, :rsses, :out_of, :out_job_ids, :out_ns, :out_task_ids, :out_task_dataset_ids, :out_dataset_ids,
    :out_endpoint_ids, :out_scopes, :out_names, :out_guids, :out_sizes, :out_adlers, :out_events, :out_statuses);

-- name: finished(job_ids, low, high)
-- Which payloads of these jobs finished and were taken.
SELECT p.job_id, p.n FROM job_payload p
WHERE p.job_id = ANY (:job_ids::bigint[]) AND p.job_id BETWEEN :low AND :high AND p.status = 'finished' ORDER BY 1, 2;

-- name: of_job(job_id)
-- The payloads of a job in order, each with its account where there is one.
SELECT f.n, f.task_file_id AS unit_id, u.number, c.name AS file, u.first_event, u.n_events, u.job_id AS last_job_id, p.attempt, p.status, p.error_domain,
    p.error_code, p.exit_code, p.exit_signal, p.message, p.is_retryable, p.wall_seconds, p.cpu_seconds, p.max_rss_mb, p.ended_at
FROM job_file f JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id JOIN task_file u ON u.task_file_id = f.task_file_id
LEFT JOIN file c ON c.file_id = f.file_id LEFT JOIN job_payload p ON p.job_id = f.job_id AND p.task_file_id = f.task_file_id
WHERE f.job_id = :job_id AND f.role = 'input' AND td.is_master ORDER BY f.n;

-- name: failures(job_ids, unit_ids, low, high)
-- How payloads of these units failed in these jobs: what it ran on is what its job ran on, which may wait for its merge still.
SELECT p.job_id, p.task_file_id, p.n, p.error_domain, p.error_code, p.exit_code, p.exit_signal, p.message, p.is_retryable, p.max_rss_mb, p.attempt,
    q.queue_id, q.name AS queue, r.cores, r.memory_mb, r.wall_seconds
FROM unnest(:job_ids::bigint[], :unit_ids::bigint[]) AS w (job_id, task_file_id)
JOIN job_payload p ON p.job_id = w.job_id AND p.task_file_id = w.task_file_id AND p.job_id BETWEEN :low AND :high
LEFT JOIN job h ON h.job_id = p.job_id LEFT JOIN job_archive a ON a.job_id = p.job_id AND a.job_id BETWEEN :low AND :high
JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id) JOIN requirement r ON r.requirement_id = coalesce(h.requirement_id, a.requirement_id)
WHERE p.status = 'failed';
