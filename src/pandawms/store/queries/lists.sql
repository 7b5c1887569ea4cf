-- name: claim_holder(job_id)^
-- Which claim had a job, and in which queue; hot or ended.
SELECT j.claim_id, q.name AS queue FROM job j JOIN queue q USING (queue_id) WHERE j.job_id = :job_id
UNION ALL
SELECT a.claim_id, q.name AS queue FROM job_archive a JOIN queue q USING (queue_id) WHERE a.job_id = :job_id LIMIT 1;

-- name: jobs_elsewhere(job_ids, queue)
-- Of the jobs named, those of another queue.
SELECT job_id FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND queue_id IS DISTINCT FROM (SELECT queue_id FROM queue WHERE name = :queue)
UNION ALL
SELECT job_id FROM job_archive WHERE job_id = ANY (:job_ids::bigint[]) AND queue_id IS DISTINCT FROM (SELECT queue_id FROM queue WHERE name = :queue)
ORDER BY job_id;

-- name: see_worker(worker_id, queue)!
-- A worker whose pilot was heard, if it is of the queue that the pilot's token is for; kept at most once in 10 s.
UPDATE worker w SET seen_at = now() FROM queue q
WHERE w.worker_id = :worker_id AND q.queue_id = w.queue_id AND q.name = :queue AND w.ended_at IS NULL
    AND (w.seen_at IS NULL OR w.seen_at < now() - interval '10 s');

-- name: token_owner(token_id)$
SELECT user_id FROM token WHERE token_id = :token_id;

-- name: retries(task_id)$
-- How many jobs of a task were another attempt at what a job before had failed to do.
SELECT count(*) FROM job_spec WHERE task_id = :task_id AND attempt > 1;

-- name: communities_of_tasks(task_ids)
SELECT t.task_id, c.name AS community FROM task t JOIN community c USING (community_id) WHERE t.task_id = ANY (:task_ids::bigint[]);

-- name: communities_of_datasets(dataset_ids)
SELECT d.dataset_id, c.name AS community FROM dataset d JOIN community c USING (community_id) WHERE d.dataset_id = ANY (:dataset_ids::bigint[]);

-- name: jobs_by_status()
SELECT status, count(*) AS n FROM job GROUP BY status ORDER BY status;

-- name: engines()$
-- How many engine processes are connected.
SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE application_name = 'panda-engine' AND datname = current_database();

-- name: schema_version()$
SELECT max(number) FROM migration;

-- name: node_of(worker_id)$
SELECT node FROM worker WHERE worker_id = :worker_id;

-- name: job_of_file(file_id)$
-- The job that wrote a file.
SELECT job_id FROM job_file WHERE file_id = :file_id AND role = 'output' ORDER BY job_id DESC LIMIT 1;

-- name: register_files(dataset_id, scope, names, guids, sizes, adlers, events, endpoint_ids)
-- Registers files, with a replica where an endpoint is given; names already in the dataset are skipped. Returns what is new.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(:names::text[], :guids::uuid[], :sizes::bigint[], :adlers::bytea[], :events::bigint[], :endpoint_ids::integer[])
        AS n (name, guid, size_bytes, adler32, events, endpoint_id)
), added AS (
    INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32, events)
    SELECT :dataset_id, :scope, name, guid, size_bytes, adler32, events FROM given ORDER BY name
    ON CONFLICT (dataset_id, name) DO NOTHING
    RETURNING file_id, name, size_bytes, events
), placed AS (
    INSERT INTO replica (file_id, endpoint_id) SELECT a.file_id, g.endpoint_id FROM added a JOIN given g USING (name) WHERE g.endpoint_id IS NOT NULL
    RETURNING file_id
), counted AS (
    UPDATE dataset SET n_files = n_files + t.n, n_bytes = n_bytes + t.bytes, n_events = n_events + t.events
    FROM (SELECT count(*) AS n, coalesce(sum(size_bytes), 0) AS bytes, coalesce(sum(events), 0) AS events FROM added) t
    WHERE dataset_id = :dataset_id AND t.n > 0
)
SELECT file_id, name FROM added WHERE (SELECT count(*) FROM placed) >= 0;

-- name: lock_open_dataset(dataset_id)$
-- True when a dataset is open; it stays so until the transaction of the caller ends.
SELECT is_open FROM dataset WHERE dataset_id = :dataset_id AND removed_at IS NULL FOR NO KEY UPDATE;

-- name: known_files(dataset_id, names)
-- Of the names given, those that a dataset has.
SELECT name, size_bytes, adler32 FROM file WHERE dataset_id = :dataset_id AND name = ANY (:names::text[]) ORDER BY name;

-- name: add_replica(file_id, endpoint_id)!
INSERT INTO replica (file_id, endpoint_id) VALUES (:file_id, :endpoint_id) ON CONFLICT DO NOTHING;

-- name: sandbox_until(sha256, owner_id)$
SELECT expires_at FROM sandbox WHERE sha256 = :sha256 AND owner_id = :owner_id AND expires_at > now();
