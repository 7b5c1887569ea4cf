-- name: add_task(community_id, owner_id, share_id, name, priority, parent_task_id, expires_after_seconds)$
-- A new task in status registered; no row when the owner has a task of this name.
INSERT INTO task (community_id, owner_id, share_id, name, status, priority, parent_task_id, expires_at)
VALUES (:community_id, :owner_id, :share_id, :name, 'registered', :priority, :parent_task_id,
    now() + make_interval(secs => :expires_after_seconds::double precision))
ON CONFLICT (owner_id, name) WHERE status NOT IN ('aborted', 'broken', 'obsolete') DO NOTHING RETURNING task_id;

-- name: add_template(task_id, version, document)!
INSERT INTO task_template (task_id, version, document) VALUES (:task_id, :version, :document);

-- name: templates(task_ids, versions)
SELECT t.task_id, t.version, t.document FROM task_template t
JOIN unnest(:task_ids::bigint[], :versions::integer[]) AS w (task_id, version) ON w.task_id = t.task_id AND w.version = t.version;

-- name: move(task_id, from_statuses, to_status, event, who, why, is_final, interludes)$
-- The one way a task changes status: compare and set, with its line in the log. No row when the status was not one of those expected.
WITH old AS MATERIALIZED (
    SELECT task_id, status FROM task WHERE task_id = :task_id AND status = ANY (:from_statuses::text[]) FOR NO KEY UPDATE
), moved AS (
    UPDATE task t SET status = :to_status, changed_at = now(), next_look_at = now(), reason = :why,
        previous_status = CASE WHEN old.status = ANY (:interludes::text[]) THEN t.previous_status ELSE old.status END,
        pending_since = CASE WHEN :to_status = 'pending' THEN coalesce(t.pending_since, now())
            WHEN :to_status IN ('ready', 'defined', 'registered', 'paused', 'throttled') THEN t.pending_since END,
        started_at = CASE WHEN :to_status IN ('running', 'scouting') THEN coalesce(t.started_at, now()) ELSE t.started_at END,
        ended_at = CASE WHEN :is_final::boolean THEN now() END
    FROM old WHERE t.task_id = old.task_id RETURNING t.task_id, old.status AS from_status
), logged AS (
    INSERT INTO task_event (task_id, event, from_status, to_status, who, why) SELECT task_id, :event, from_status, :to_status, :who, :why FROM moved
    RETURNING event_id
)
SELECT from_status FROM moved WHERE (SELECT count(*) FROM logged) = 1;

-- name: log_submit(task_id, who)!
INSERT INTO task_event (task_id, event, to_status, who) VALUES (:task_id, 'submit', 'registered', :who);

-- name: blueprints(task_ids, versions)
-- What never changes about versions of tasks: the document, and the datasets that take its outputs by stream.
SELECT p.task_id, p.version, t.name AS task_name, p.document, coalesce((
    SELECT jsonb_object_agg(td.stream, jsonb_build_array(td.task_dataset_id, td.dataset_id, td.role, d.scope))
    FROM task_dataset td JOIN dataset d USING (dataset_id) WHERE td.task_id = p.task_id AND td.role IN ('output', 'transient', 'build')), '{}') AS targets
FROM unnest(:task_ids::bigint[], :versions::integer[]) AS w (task_id, version)
JOIN task_template p ON p.task_id = w.task_id AND p.version = w.version JOIN task t ON t.task_id = p.task_id;

-- name: stays(task_id, statuses)$
-- True when a task is in one of these statuses; it stays there until the transaction of the caller ends.
SELECT true FROM task WHERE task_id = :task_id AND status = ANY (:statuses::text[]) FOR SHARE;

-- name: take(statuses, n)
-- Tasks of these statuses that are due, each for the caller alone until its transaction ends.
SELECT t.*, p.document, c.name AS community, u.name AS owner FROM task t
JOIN task_template p USING (task_id, version) JOIN community c USING (community_id) JOIN user_account u ON u.user_id = t.owner_id
WHERE t.status = ANY (:statuses::text[]) AND t.ended_at IS NULL AND t.next_look_at <= now()
ORDER BY t.priority DESC, t.task_id LIMIT :n FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: task(task_id)^
SELECT t.*, p.document, c.name AS community, u.name AS owner FROM task t
JOIN task_template p USING (task_id, version) JOIN community c USING (community_id) JOIN user_account u ON u.user_id = t.owner_id
WHERE t.task_id = :task_id;

-- name: latest_by_name(owner_id, name)$
-- The newest task of this name that its owner has.
SELECT task_id FROM task WHERE owner_id = :owner_id AND name = :name ORDER BY task_id DESC LIMIT 1;

-- name: names_of(owner_id)
SELECT name FROM task WHERE owner_id = :owner_id ORDER BY task_id DESC LIMIT 200;

-- name: explain(task_id, reason, seconds, unless)!
-- Keeps why a task waits (unless it is in one of these statuses) and when to look again; not a change of status.
UPDATE task SET reason = CASE WHEN status = ANY (:unless::text[]) THEN reason ELSE :reason::jsonb END, next_look_at = now() + make_interval(secs => :seconds) WHERE task_id = :task_id;

-- name: touch(task_ids)!
INSERT INTO task_touch (task_id) SELECT DISTINCT task_id FROM unnest(:task_ids::bigint[]) AS t (task_id);

-- name: touches(n)
-- The oldest touches; they stay until what follows from them is committed.
SELECT touch_id, task_id FROM task_touch ORDER BY touch_id LIMIT :n;

-- name: drop_touches(touch_ids)!
DELETE FROM task_touch t USING (SELECT touch_id FROM task_touch WHERE touch_id = ANY (:touch_ids::bigint[]) ORDER BY touch_id FOR UPDATE SKIP LOCKED) d
WHERE t.touch_id = d.touch_id;

-- name: hold(task_id)!
-- Waits until no other aggregate follows this task and no round of a command of it is under way; the lock is no row's, so that nobody else waits for it.
SELECT pg_advisory_xact_lock(:task_id);

-- name: add_round(task_id, status, verdict)!
INSERT INTO task_round (task_id, round, status, ended_at, verdict) SELECT task_id, round, :status, now(), :verdict FROM task WHERE task_id = :task_id
ON CONFLICT (task_id, round) DO UPDATE SET status = excluded.status, ended_at = excluded.ended_at, verdict = excluded.verdict;

-- name: next_round(task_id)!
-- A round has the whole time of its document.
UPDATE task t SET round = round + 1, expires_at = now() + make_interval(secs => (p.document ->> 'expires_after_seconds')::double precision)
FROM task_template p WHERE t.task_id = :task_id AND p.task_id = t.task_id AND p.version = t.version;

-- name: children(task_id)
SELECT task_id, status, owner_id FROM task WHERE parent_task_id = :task_id ORDER BY task_id;

-- name: counts(task_ids)
-- Jobs of tasks by status, hot and ended, with what they used and how many were another attempt at what a job before had failed to do; `counted_at` is when
-- the counting began.
SELECT task_id, status, count(*) AS n, count(*) FILTER (WHERE attempt > 1) AS retries, 0::double precision AS wall_seconds, 0::double precision AS cpu_seconds,
    statement_timestamp() AS counted_at
FROM job WHERE task_id = ANY (:task_ids::bigint[]) GROUP BY task_id, status
UNION ALL
SELECT task_id, status, count(*), count(*) FILTER (WHERE attempt > 1), coalesce(sum(wall_seconds), 0), coalesce(sum(cpu_seconds), 0),
    statement_timestamp()
FROM job_archive WHERE task_id = ANY (:task_ids::bigint[]) GROUP BY task_id, status;

-- name: kept_counts(task_ids, final_statuses)
-- What was counted of large tasks and is still believed: for 10 us a job, or for ever when the task had ended before the counting began, and all its jobs too.
SELECT f.task_id, f.counts FROM task_fill f JOIN task t USING (task_id)
WHERE f.task_id = ANY (:task_ids::bigint[]) AND (f.counted_at > clock_timestamp() - f.n * interval '10 us' OR t.ended_at < f.counted_at
    AND NOT EXISTS (SELECT 1 FROM jsonb_array_elements(f.counts) c WHERE c ->> 'status' <> ALL (:final_statuses::text[])));

-- name: keep_counts(task_id, counted_at, n, counts)!
INSERT INTO task_fill (task_id, counted_at, n, counts) VALUES (:task_id, :counted_at, :n, :counts)
ON CONFLICT (task_id) DO UPDATE SET counted_at = excluded.counted_at, n = excluded.n, counts = excluded.counts;

-- name: may_write()$
SELECT NOT current_setting('transaction_read_only')::boolean;

-- name: ended_lately(task_id, n)
-- Wall times of the newest ended run jobs, for an estimate of what is left.
SELECT wall_seconds, ended_at, started_at FROM job_archive WHERE task_id = :task_id AND status = 'finished' ORDER BY job_id DESC LIMIT :n;

-- name: communities(task_ids)
SELECT t.task_id, c.name AS community FROM task t JOIN community c USING (community_id) WHERE t.task_id = ANY (:task_ids::bigint[]);
