-- name: find(task_id, version, queue_id)$
-- Where a build stands, without a lock.
SELECT status FROM task_build WHERE task_id = :task_id AND version = :version AND queue_id = :queue_id;

-- name: add(task_id, version, queue_id)!
-- The build of a version for a queue, which nobody made yet; the caller is the only one who makes jobs of the task.
INSERT INTO task_build (task_id, version, queue_id, serial, status)
SELECT :task_id, :version, :queue_id, coalesce(max(serial), 0) + 1, 'wanted' FROM task_build WHERE task_id = :task_id
ON CONFLICT DO NOTHING;

-- name: adopt(task_id, version, queue_id, of_version)!
-- The same library as that of another version, while nothing was made for this one; the serial stays its own, as the names of its next attempts do.
UPDATE task_build b SET status = 'ready', job_id = o.job_id, attempt = o.attempt, file_id = o.file_id FROM task_build o
WHERE (b.task_id, b.version, b.queue_id) = (:task_id, :version, :queue_id) AND b.status = 'wanted' AND b.attempt = 0
    AND (o.task_id, o.version, o.queue_id) = (:task_id, :of_version, :queue_id) AND o.status = 'ready';

-- name: ready_versions(task_id, queue_id)
-- The other versions of a task that have a library for a queue, with what they were made from; the newest first.
SELECT b.version, p.document FROM task_build b JOIN task_template p USING (task_id, version)
WHERE b.task_id = :task_id AND b.queue_id = :queue_id AND b.status = 'ready' ORDER BY b.version DESC;

-- name: hold(task_id, version, queue_id)^
-- A build, for the caller alone until its transaction ends.
SELECT task_id, version, queue_id, serial, status, attempt, failures, job_id, file_id, reason FROM task_build
WHERE task_id = :task_id AND version = :version AND queue_id = :queue_id FOR NO KEY UPDATE;

-- name: share(task_id, version, queue_id)^
-- A build that nobody changes until the caller's transaction ends.
SELECT task_id, version, queue_id, serial, status, attempt, failures, job_id, file_id, reason FROM task_build
WHERE task_id = :task_id AND version = :version AND queue_id = :queue_id FOR SHARE;

-- name: lock_job(job_id)$
-- Whether a build job has not ended; then it does not until the caller's transaction ends.
SELECT true FROM job WHERE job_id = :job_id FOR SHARE;

-- name: library(task_id, version, queue_id)^
-- What the newest build job left: whether it finished, its file, and whether any storage has that.
SELECT a.status = 'finished' AS is_finished, f.file_id, EXISTS (SELECT 1 FROM replica r WHERE r.file_id = f.file_id) AS is_there
FROM task_build b LEFT JOIN job_archive a ON a.job_id = b.job_id
LEFT JOIN LATERAL (
    SELECT coalesce(b.file_id, (SELECT o.file_id FROM job_file o WHERE o.job_id = b.job_id AND o.role = 'output' LIMIT 1)) AS file_id
) f ON true
WHERE b.task_id = :task_id AND b.version = :version AND b.queue_id = :queue_id;

-- name: start(task_id, version, queue_id, job_id)!
UPDATE task_build SET status = 'building', attempt = attempt + 1, job_id = :job_id, file_id = NULL, reason = NULL
WHERE task_id = :task_id AND version = :version AND queue_id = :queue_id;

-- name: set(task_id, version, queue_id, status, failures, file_id, reason)!
UPDATE task_build SET status = :status, failures = :failures, file_id = :file_id, reason = :reason
WHERE task_id = :task_id AND version = :version AND queue_id = :queue_id;

-- name: again(statuses, n)
-- Builds that need another attempt, of tasks in these statuses.
SELECT b.task_id, b.version, b.queue_id FROM task_build b JOIN task t USING (task_id)
WHERE b.status = 'again' AND t.status = ANY (:statuses::text[]) ORDER BY b.task_id, b.queue_id LIMIT :n;

-- name: pass_on(old_job_id, new_job_id)!
-- Who waited for one job waits for another.
UPDATE job_edge SET predecessor_id = :new_job_id WHERE predecessor_id = :old_job_id;

-- name: ended(task_id)
-- Builds whose job has ended, with how; for the caller alone until its transaction ends.
SELECT b.task_id, b.version, b.queue_id, b.serial, b.status, b.attempt, b.failures, b.job_id, b.file_id, b.reason, a.status AS job_status, a.error_domain,
    a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable
FROM task_build b JOIN job_archive a ON a.job_id = b.job_id
WHERE b.task_id = :task_id AND b.status = 'building' ORDER BY b.version, b.queue_id FOR NO KEY UPDATE OF b;

-- name: lost(task_id, domain)
-- Builds whose library a job could not fetch, as the message of its failure says, which is not judged yet; for the caller alone.
WITH told AS MATERIALIZED (
    SELECT DISTINCT a.queue_id, s.version, a.message FROM task_file u JOIN job_archive a ON a.job_id = u.job_id JOIN job_spec s ON s.job_id = a.job_id
    WHERE u.task_id = :task_id AND u.is_unjudged AND a.error_domain = :domain
)
SELECT b.task_id, b.version, b.queue_id, b.serial, b.status, b.attempt, b.failures, b.job_id, b.file_id, b.reason
FROM task_build b JOIN file f ON f.file_id = b.file_id
WHERE b.task_id = :task_id AND b.status = 'ready' AND EXISTS (
    SELECT 1 FROM told WHERE (told.queue_id, told.version) = (b.queue_id, b.version) AND starts_with(told.message, f.name || ':'))
ORDER BY b.version, b.queue_id FOR NO KEY UPDATE OF b;

-- name: of_task(task_id)
SELECT b.task_id, b.version, b.queue_id, b.serial, b.status, b.attempt, b.failures, b.job_id, b.file_id, b.reason, q.name AS queue
FROM task_build b JOIN queue q USING (queue_id) WHERE b.task_id = :task_id ORDER BY q.name, b.version;

-- name: has_waiting(job_id)$
-- Whether jobs wait for a build job.
SELECT EXISTS (SELECT 1 FROM job_edge e JOIN job j ON j.job_id = e.successor_id WHERE e.predecessor_id = :job_id AND j.status = 'waiting');

-- name: left_waiting(task_id)
-- Jobs that still wait for a build that is ready or was given up.
SELECT j.job_id, b.status = 'ready' AS is_ready, b.reason FROM task_build b JOIN job_edge e ON e.predecessor_id = b.job_id JOIN job j ON j.job_id = e.successor_id
WHERE b.task_id = :task_id AND b.status IN ('ready', 'failed') AND j.status = 'waiting' ORDER BY j.job_id;

-- name: queued(task_id, version, queue_id)
-- The jobs of a task for a queue that use its build and that no pilot has: they wait for nothing but a pilot or data.
SELECT j.job_id FROM job j JOIN job_spec s USING (job_id)
WHERE j.task_id = :task_id AND j.queue_id = :queue_id AND j.lease_expires_at IS NULL AND j.status <> 'merging' AND s.version = :version AND s.kind = 'run'
ORDER BY 1;

-- name: drop_edges(task_id)!
-- Nobody waits any more for what is ready or was given up, nor for what was ended with all who waited.
DELETE FROM job_edge e USING task_build b WHERE b.task_id = :task_id AND b.status IN ('ready', 'failed', 'wanted') AND e.predecessor_id = b.job_id
    AND NOT EXISTS (SELECT 1 FROM job j WHERE j.job_id = e.successor_id AND j.status = 'waiting');

-- name: forgive(task_id)
-- What failed may be tried again; returns where that was.
UPDATE task_build SET status = 'wanted', failures = 0 WHERE task_id = :task_id AND status = 'failed' RETURNING queue_id;

-- name: avoid_no_more(task_id, queue_ids)!
DELETE FROM task_avoid WHERE task_id = :task_id AND queue_id = ANY (:queue_ids::integer[]);

-- name: libraries(task_ids, versions, queue_ids)
-- The libraries of versions of tasks for queues, where there is one, with an endpoint that has it.
SELECT b.task_id, b.version, b.queue_id, d.scope, f.name, f.size_bytes, f.adler32, f.guid,
    (SELECT min(r.endpoint_id) FROM replica r WHERE r.file_id = f.file_id) AS endpoint_id
FROM unnest(:task_ids::bigint[], :versions::integer[], :queue_ids::integer[]) AS w (task_id, version, queue_id)
JOIN task_build b USING (task_id, version, queue_id)
CROSS JOIN LATERAL (
    SELECT coalesce(b.file_id, (SELECT o.file_id FROM job_file o WHERE o.job_id = b.job_id AND o.role = 'output' LIMIT 1)) AS file_id
) l
JOIN file f ON f.file_id = l.file_id JOIN dataset d USING (dataset_id);

-- name: library_of(job_id)$
-- The full name of the library that the queue of a job has for the version of its task.
SELECT d.scope || ':' || f.name FROM job_spec s LEFT JOIN job h ON h.job_id = s.job_id LEFT JOIN job_archive a ON a.job_id = s.job_id
JOIN task_build b ON (b.task_id, b.version, b.queue_id) = (s.task_id, s.version, coalesce(h.queue_id, a.queue_id))
CROSS JOIN LATERAL (
    SELECT coalesce(b.file_id, (SELECT o.file_id FROM job_file o WHERE o.job_id = b.job_id AND o.role = 'output' LIMIT 1)) AS file_id
) l
JOIN file f ON f.file_id = l.file_id JOIN dataset d USING (dataset_id) WHERE s.job_id = :job_id;

-- name: unmergeable(task_id)
-- Groups that need a merge job, which cannot be made because it needs a build that has failed in their queue; for the caller alone.
SELECT g.merge_group_id, g.attempt, g.max_attempts, b.reason FROM merge_group g JOIN task t USING (task_id)
JOIN task_build b ON (b.task_id, b.version, b.queue_id) = (t.task_id, t.version, g.queue_id)
WHERE g.task_id = :task_id AND g.status = 'mergeable' AND b.status = 'failed' ORDER BY g.merge_group_id FOR NO KEY UPDATE OF g SKIP LOCKED;
