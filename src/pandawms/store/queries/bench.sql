-- name: n_ready(queues)$
-- How many jobs wait in these queues to be claimed.
SELECT count(*) FROM job WHERE queue_id = ANY (ARRAY(SELECT q.queue_id FROM queue q WHERE q.name = ANY (:queues::text[]))) AND status = 'activated';

-- name: n_jobs_of(task_ids)$
-- How many jobs these tasks have, whatever their status.
SELECT count(*) FROM job_spec WHERE task_id = ANY (:task_ids::bigint[]);

-- name: n_archived()$
-- About how many rows the archive has: as of the last ANALYZE of its partitions.
SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'job_archive'::regclass;

-- name: put_task_in_share(task_id, share_id)!
-- Moves a task that has no jobs yet to another share.
UPDATE task SET share_id = :share_id WHERE task_id = :task_id AND NOT EXISTS (SELECT 1 FROM job j WHERE j.task_id = :task_id);

-- name: start_job_ids_at(job_id)!
-- The next job gets this id, unless ids have come further.
SELECT setval('job_id', greatest(:job_id::bigint, (SELECT last_value FROM job_id)), false);

-- name: fill_archive(first_id, last_id, queue_id)!
-- Jobs that ended long ago and whose specs have been exported: rows of the archive alone, 10,000 a task. Nothing when they are there.
INSERT INTO job_archive (job_id, task_id, claim_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain, error_code, exit_code,
    message, is_retryable, started_at, ended_at, wall_seconds, cpu_seconds, max_rss_mb)
SELECT i, 1 + i / 10000, md5(i::text)::uuid, q.community_id, s.share_id, q.queue_id, 1, 1, 'finished', 'none', 0, 0, '', false,
    now() - interval '2 days' + i * interval '1 ms', now() - interval '2 days' + i * interval '1 ms' + interval '60 s', 60, 55, 900
FROM generate_series(:first_id::bigint, :last_id::bigint) AS g (i)
CROSS JOIN (SELECT * FROM queue WHERE queue_id = :queue_id) q CROSS JOIN LATERAL (SELECT min(share_id) AS share_id FROM share WHERE community_id = q.community_id) s
WHERE NOT EXISTS (SELECT 1 FROM job_archive WHERE job_id = :last_id);

-- name: retire(first_id, last_id)!
-- Says of a filled range what is said when its specs, files and events were exported.
INSERT INTO archive_range (from_id, to_id, state, n_jobs, last_ended_at, written_at, retired_at)
SELECT :first_id, :last_id::bigint + 1, 'retired', :last_id::bigint + 1 - :first_id::bigint, a.ended_at, now(), now() FROM job_archive a WHERE a.job_id = :last_id
ON CONFLICT DO NOTHING;

-- name: make_archive_partition(job_id)!
SELECT make_partitions('job_archive', :job_id, 1000000);

-- name: make_partitions_from(job_id)!
-- The partitions of everything that is kept by job id, from this id on.
SELECT make_partitions(p.parent, :job_id, 1000000) FROM unnest(ARRAY['job_spec', 'job_file', 'job_archive', 'job_event', 'job_payload']) AS p (parent);

-- name: wal_bytes()$
-- How many bytes of write-ahead log have ever been written.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: backend_pid()$
SELECT pg_backend_pid();
