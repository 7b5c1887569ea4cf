-- name: add_dataset(community_id, owner_id, scope, name, kind, is_transient, producer_task_id)^
-- Makes an open dataset; no row when the name is taken.
INSERT INTO dataset (community_id, owner_id, scope, name, kind, is_transient, producer_task_id)
VALUES (:community_id, :owner_id, :scope, :name, :kind, :is_transient, :producer_task_id)
ON CONFLICT (scope, name) WHERE removed_at IS NULL DO NOTHING RETURNING dataset_id;

-- name: dataset(dataset_id)^
SELECT d.*, u.name AS owner, c.name AS community FROM dataset d JOIN user_account u ON u.user_id = d.owner_id JOIN community c USING (community_id)
WHERE d.dataset_id = :dataset_id;

-- name: dataset_by_name(scope, name)^
SELECT d.*, u.name AS owner, c.name AS community FROM dataset d JOIN user_account u ON u.user_id = d.owner_id JOIN community c USING (community_id)
WHERE d.scope = :scope AND d.name = :name AND d.removed_at IS NULL;

-- name: dataset_names(community)
-- Names to suggest when one is not found, of one community or of all.
SELECT d.scope || ':' || d.name AS did FROM dataset d JOIN community c USING (community_id)
WHERE d.removed_at IS NULL AND (:community::text IS NULL OR c.name = :community) ORDER BY d.dataset_id DESC LIMIT 500;

-- name: close_dataset(dataset_id)$
UPDATE dataset SET is_open = false, closed_at = now() WHERE dataset_id = :dataset_id AND is_open RETURNING dataset_id;

-- name: reopen_datasets(task_id)
UPDATE dataset SET is_open = true, closed_at = NULL WHERE producer_task_id = :task_id AND NOT is_open AND removed_at IS NULL RETURNING dataset_id;

-- name: close_outputs(task_id)
-- Closes what a task wrote; an output without files of a task that never ran frees its name.
UPDATE dataset SET is_open = false, closed_at = now() WHERE producer_task_id = :task_id AND is_open RETURNING dataset_id;

-- name: remove_empty_outputs(task_id)
UPDATE dataset SET removed_at = now() WHERE producer_task_id = :task_id AND n_files = 0 AND removed_at IS NULL RETURNING dataset_id;

-- name: add_files(dataset_id, scope, names, guids, sizes, adlers, events, endpoint_ids, boundaries)
-- Registers files, with a replica where an endpoint is given; names already in the dataset are skipped. Returns what is new.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(:names::text[], :guids::uuid[], :sizes::bigint[], :adlers::bytea[], :events::bigint[], :endpoint_ids::integer[], :boundaries::text[])
        AS n (name, guid, size_bytes, adler32, events, endpoint_id, boundary)
), added AS (
    INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32, events, boundary)
    SELECT :dataset_id, :scope, name, guid, size_bytes, adler32, events, boundary FROM given ORDER BY name
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

-- name: file_by_name(dataset_id, name)^
SELECT f.*, d.name AS dataset, d.owner_id FROM file f JOIN dataset d USING (dataset_id) WHERE f.dataset_id = :dataset_id AND f.name = :name;

-- name: file(file_id)^
SELECT f.*, d.name AS dataset, d.owner_id FROM file f JOIN dataset d USING (dataset_id) WHERE f.file_id = :file_id;

-- name: replicas(file_ids)
SELECT r.file_id, r.endpoint_id FROM replica r WHERE r.file_id = ANY (:file_ids::bigint[]) ORDER BY r.file_id, r.endpoint_id;

-- name: endpoints_of_dataset(dataset_id)
-- The endpoints that hold at least one file of a dataset.
SELECT DISTINCT r.endpoint_id FROM file f JOIN replica r USING (file_id) WHERE f.dataset_id = :dataset_id;

-- name: add_sandbox(sha256, owner_id, size_bytes, expires_at)!
INSERT INTO sandbox (sha256, owner_id, size_bytes, expires_at) VALUES (:sha256, :owner_id, :size_bytes, :expires_at)
ON CONFLICT (sha256, owner_id) DO UPDATE SET expires_at = greatest(sandbox.expires_at, excluded.expires_at);

-- name: sandbox(sha256, owner_id)^
SELECT size_bytes, expires_at FROM sandbox WHERE sha256 = :sha256 AND owner_id = :owner_id AND expires_at > now();

-- name: sandbox_in_use(sha256, queue_id)$
-- True when a job that is leased in this queue needs the sandbox.
SELECT EXISTS (
    SELECT 1 FROM job j JOIN job_spec s USING (job_id) JOIN task_template t ON t.task_id = s.task_id AND t.version = s.version
    WHERE j.queue_id = :queue_id AND j.standing = 'leased' AND t.document #>> '{program,sandbox}' = :sha256
);

-- name: expired_sandboxes(n)
-- Contents that somebody may have no longer and that no active task needs.
SELECT DISTINCT s.sha256 FROM sandbox s WHERE s.expires_at < now() AND NOT EXISTS (
    SELECT 1 FROM task t JOIN task_template p USING (task_id, version) WHERE t.ended_at IS NULL AND p.document #>> '{program,sandbox}' = encode(s.sha256, 'hex'))
LIMIT :n;

-- name: forget_sandbox(sha256)!
DELETE FROM sandbox s WHERE s.sha256 = :sha256 AND s.expires_at < now() AND NOT EXISTS (
    SELECT 1 FROM task t JOIN task_template p USING (task_id, version) WHERE t.ended_at IS NULL AND p.document #>> '{program,sandbox}' = encode(s.sha256, 'hex'));

-- name: open_inputs()
-- Datasets that active tasks read and that may still grow.
SELECT DISTINCT d.scope || ':' || d.name AS did FROM task_dataset td JOIN dataset d USING (dataset_id) JOIN task t USING (task_id)
WHERE td.role = 'input' AND NOT td.is_complete AND d.is_open AND d.producer_task_id IS NULL AND t.ended_at IS NULL;

-- name: lock_sandbox(sha256)!
SELECT pg_advisory_xact_lock(hashtextextended(encode(:sha256::bytea, 'hex'), 0));

-- name: is_owned(sha256)$
SELECT EXISTS (SELECT 1 FROM sandbox WHERE sha256 = :sha256);

-- name: communities(dataset_ids)
SELECT d.dataset_id, c.name AS community FROM dataset d JOIN community c USING (community_id) WHERE d.dataset_id = ANY (:dataset_ids::bigint[]);

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
