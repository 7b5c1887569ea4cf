-- name: hold()$
-- Makes this session the only one that archives; false when another does.
SELECT pg_try_advisory_lock(hashtext('panda archive'));

-- name: release()!
SELECT pg_advisory_unlock(hashtext('panda archive'));

-- name: look(from_id, to_id, keep_seconds)^
-- What stands in the way of taking a range out. The sequence is past it, so that no job will come.
SELECT (SELECT last_value FROM job_id) >= :to_id::bigint AS is_full,
    EXISTS (SELECT 1 FROM job WHERE job_id >= :from_id AND job_id < :to_id) AS has_hot_jobs,
    EXISTS (SELECT 1 FROM job_archive WHERE job_id >= :from_id AND job_id < :to_id AND ended_at > now() - make_interval(secs => :keep_seconds)) AS has_young_jobs,
    EXISTS (SELECT 1 FROM task t WHERE (t.ended_at IS NULL OR t.ended_at > now() - make_interval(secs => :keep_seconds)) AND EXISTS (
        SELECT 1 FROM job_archive a WHERE a.task_id = t.task_id AND a.job_id >= :from_id AND a.job_id < :to_id)) AS has_young_tasks;

-- name: count_ended(from_id, to_id)^
-- How many jobs of a range have a spec, how many have ended, and when the last did.
SELECT (SELECT count(*) FROM job_spec WHERE job_id >= :from_id AND job_id < :to_id) AS n_specs, count(*) AS n_ended, max(ended_at) AS last_ended_at
FROM job_archive WHERE job_id >= :from_id AND job_id < :to_id;

-- name: begin(from_id, to_id, n_jobs, last_ended_at)!
INSERT INTO archive_range (from_id, to_id, state, n_jobs, last_ended_at) VALUES (:from_id, :to_id, 'writing', :n_jobs, :last_ended_at);

-- name: forget_files(from_id)!
DELETE FROM archive_file WHERE from_id = :from_id;

-- name: forget(from_id)!
-- A range that was being written stays in the database.
DELETE FROM archive_range WHERE from_id = :from_id AND state = 'writing';

-- name: add_file(from_id, table_name, path, n_rows, size_bytes, sha256)!
INSERT INTO archive_file (from_id, table_name, path, n_rows, size_bytes, sha256)
VALUES (:from_id, :table_name, :path, :n_rows, :size_bytes, :sha256);

-- name: drop_file(from_id, table_name)!
DELETE FROM archive_file WHERE from_id = :from_id AND table_name = :table_name;

-- name: written(from_id)!
UPDATE archive_range SET state = 'written', written_at = now() WHERE from_id = :from_id AND state = 'writing';

-- name: retired(from_id)!
UPDATE archive_range SET state = 'retired', retired_at = now() WHERE from_id = :from_id AND state = 'written';

-- name: gone(from_id)!
UPDATE archive_range SET state = 'gone', gone_at = now() WHERE from_id = :from_id AND state = 'retired';

-- name: ranges()
SELECT from_id, to_id, state, n_jobs, last_ended_at FROM archive_range ORDER BY from_id;

-- name: files(from_id)
SELECT table_name, path, n_rows, size_bytes, sha256 FROM archive_file WHERE from_id = :from_id ORDER BY table_name;

-- name: old_rows(keep_seconds)
-- Ranges without details whose youngest job ended so long ago that its narrow row may go, too.
SELECT from_id, to_id, state, n_jobs, last_ended_at FROM archive_range
WHERE state = 'retired' AND coalesce(last_ended_at, '-infinity') < now() - make_interval(secs => :keep_seconds) ORDER BY from_id;

-- name: floor()$
-- The id below which every job has at most its narrow archive row left.
SELECT coalesce(max(r.to_id), 0) FROM (
    SELECT to_id, sum(to_id - from_id) OVER (ORDER BY from_id) AS reach FROM archive_range WHERE state IN ('retired', 'gone')
) r WHERE r.reach = r.to_id;

-- name: columns(table_name)
-- The columns of a table with their types, in order.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type FROM pg_attribute a
WHERE a.attrelid = (:table_name::text)::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

-- name: exported(job_id)^
-- A job whose details are in files: its range, where the files are, and its narrow archive row as far as that is left.
SELECT r.from_id, r.to_id, (SELECT min(f.path) FROM archive_file f WHERE f.from_id = r.from_id AND f.table_name = 'job_spec') AS path,
    a.task_id, t.name AS task_name, t.owner_id, c.name AS community, q.name AS queue, a.attempt, a.status, a.worker_id, a.error_domain, a.error_code, a.exit_code,
    a.exit_signal, a.message, a.is_retryable, a.started_at, a.ended_at, a.wall_seconds, a.cpu_seconds, a.max_rss_mb
FROM (
    SELECT from_id, to_id FROM archive_range WHERE from_id <= :job_id AND state IN ('written', 'retired', 'gone') ORDER BY from_id DESC LIMIT 1
) r LEFT JOIN job_archive a ON a.job_id = :job_id LEFT JOIN task t ON t.task_id = a.task_id LEFT JOIN community c ON c.community_id = a.community_id
LEFT JOIN queue q ON q.queue_id = a.queue_id
WHERE r.to_id > :job_id;
