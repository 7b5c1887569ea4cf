-- name: take_mark(name)^
-- How far a look has come, and when the last one was whole; for the caller alone until its transaction ends. No row while another looks.
SELECT after_id, looked_at FROM watch_mark WHERE name = :name FOR UPDATE SKIP LOCKED;

-- name: set_mark(name, after_id, looked_at)!
UPDATE watch_mark SET after_id = :after_id, looked_at = coalesce(:looked_at::timestamptz, looked_at) WHERE name = :name;

-- name: next_jobs(after, n)
SELECT job_id FROM job WHERE job_id > :after ORDER BY job_id LIMIT :n;

-- name: overdue_jobs(low, high, statuses, seconds, queue_statuses, now)
-- Of the jobs with these ids, those that have been in their status for longer than it may last: since their last line in the log. Time does not run in a queue
-- that stops it, nor for jobs that are held while their task is paused, nor for those whose merge job is under way; a job that was just sent has its lease,
-- which was made longer when nobody could hear.
SELECT j.job_id, j.task_id, j.status, e.at AS since FROM (SELECT * FROM job WHERE job_id BETWEEN :low AND :high) j
JOIN unnest(:statuses::text[], :seconds::double precision[]) AS l (status, seconds) ON l.status = j.status
JOIN queue q ON q.queue_id = j.queue_id AND q.status = ANY (:queue_statuses::text[])
JOIN task t ON t.task_id = j.task_id AND NOT (t.status = 'paused' AND j.status = 'throttled')
CROSS JOIN LATERAL (
    SELECT at FROM job_event e WHERE e.job_id = j.job_id AND e.job_id BETWEEN :low AND :high ORDER BY e.event_id DESC LIMIT 1
) e
WHERE e.at <= :now::timestamptz - make_interval(secs => l.seconds) AND NOT (j.status = 'sent' AND j.lease_expires_at > :now) AND NOT (j.status = 'merging' AND EXISTS (
    SELECT 1 FROM job_file f JOIN merge_group g USING (merge_group_id) JOIN job m ON m.job_id = g.job_id
    WHERE f.job_id = j.job_id AND f.job_id BETWEEN :low AND :high))
ORDER BY j.job_id;

-- name: void_readers(statuses)
-- Tasks in these statuses that have units of lost files which are to be processed, or that give lost files to their jobs beside units: by the datasets that have
-- lost files, which are few. (OFFSET 0 keeps the planner from going through all inputs or all units instead.)
SELECT DISTINCT t.task_id, t.owner_id FROM dataset g JOIN dataset d ON d.scope = g.scope AND d.name = g.name AND d.removed_at IS NULL
CROSS JOIN LATERAL (SELECT i.task_dataset_id FROM task_input_dataset i WHERE i.dataset_id = d.dataset_id OFFSET 0) i
JOIN task_dataset td ON td.task_dataset_id = i.task_dataset_id JOIN task t ON t.task_id = td.task_id
WHERE g.holds_lost AND t.status = ANY (:statuses::text[]) AND EXISTS (
    SELECT 1 FROM file f WHERE f.dataset_id = g.dataset_id AND (
        EXISTS (SELECT 1 FROM task_file u WHERE u.task_dataset_id = td.task_dataset_id AND u.file_id = f.file_id AND u.status IN ('pending', 'ready', 'running') OFFSET 0)
        OR EXISTS (SELECT 1 FROM secondary_file s WHERE s.task_dataset_id = td.task_dataset_id AND s.file_id = f.file_id OFFSET 0)))
ORDER BY t.task_id;

-- name: resting_tasks(after, n, statuses, seconds, now, oldest)
-- Tasks that have not ended and have been in their status for longer than it needs no look, or whose time is over; each for the caller alone until its
-- transaction ends.
SELECT t.task_id, t.owner_id, t.status, t.previous_status, t.reason, t.created_at, t.changed_at, t.pending_since, t.expires_at,
    EXISTS (SELECT 1 FROM job j WHERE j.task_id = t.task_id) AS has_jobs,
    EXISTS (SELECT 1 FROM task_touch x WHERE x.task_id = t.task_id) OR EXISTS (SELECT 1 FROM allocation a WHERE a.task_id = t.task_id) AS is_next,
    EXISTS (SELECT 1 FROM command c WHERE c.task_id = t.task_id AND c.applied_at IS NULL) AS is_commanded
FROM task t JOIN unnest(:statuses::text[], :seconds::double precision[]) AS l (status, seconds) ON l.status = t.status
WHERE t.ended_at IS NULL AND t.task_id > :after AND (t.changed_at <= :now::timestamptz - make_interval(secs => l.seconds)
    OR t.expires_at <= :now::timestamptz OR t.created_at <= :oldest::timestamptz)
ORDER BY t.task_id LIMIT :n FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: set_reason(task_id, reason)!
-- Keeps a reason, or takes it away; when the task is looked at next stays.
UPDATE task SET reason = :reason WHERE task_id = :task_id;

-- name: set_reasons(task_ids, reasons)!
-- Keeps reasons of tasks that have none.
UPDATE task t SET reason = r.reason FROM unnest(:task_ids::bigint[], :reasons::jsonb[]) AS r (task_id, reason)
WHERE t.task_id = r.task_id AND t.ended_at IS NULL AND t.reason ->> 'code' IS NULL;
