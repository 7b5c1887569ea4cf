-- name: rules()
-- The operators' rules, by name.
SELECT r.*, c.name AS created_by_name, e.name AS changed_by_name FROM retry_rule r
JOIN user_account c ON c.user_id = r.created_by JOIN user_account e ON e.user_id = r.changed_by ORDER BY r.name;

-- name: hold_rule(name)^
-- One rule, for the caller alone until its transaction ends.
SELECT r.*, c.name AS created_by_name, e.name AS changed_by_name FROM retry_rule r
JOIN user_account c ON c.user_id = r.created_by JOIN user_account e ON e.user_id = r.changed_by WHERE r.name = :name FOR UPDATE OF r;

-- name: add_rule(name, mode, action, error_domain, error_code, pattern, community, task_type, task_name, queue, parameters, note, user_id)$
-- A new rule; no row when there is one of this name. Versions go on where an earlier rule of the name ended.
INSERT INTO retry_rule (name, version, mode, action, error_domain, error_code, pattern, community, task_type, task_name, queue, parameters, note, created_by,
    changed_by)
SELECT :name, 1 + coalesce((SELECT max(version) FROM retry_rule_change WHERE name = :name), 0), :mode, :action, :error_domain, :error_code, :pattern,
    :community, :task_type, :task_name, :queue, :parameters, :note, :user_id, :user_id
ON CONFLICT (name) DO NOTHING RETURNING version;

-- name: change_rule(name, mode, action, error_domain, error_code, pattern, community, task_type, task_name, queue, parameters, note, user_id)$
-- A rule is now this, in its next version.
UPDATE retry_rule SET version = version + 1, mode = :mode, action = :action, error_domain = :error_domain, error_code = :error_code, pattern = :pattern,
    community = :community, task_type = :task_type, task_name = :task_name, queue = :queue, parameters = :parameters, note = :note, changed_by = :user_id,
    changed_at = now()
WHERE name = :name RETURNING version;

-- name: remove_rule(name)$
DELETE FROM retry_rule WHERE name = :name RETURNING version + 1;

-- name: note_change(name, version, event, rule, user_id)!
INSERT INTO retry_rule_change (name, version, event, rule, changed_by) VALUES (:name, :version, :event, :rule, :user_id);

-- name: unjudged(task_id, n)
-- Units whose last job failed and that nobody has judged, those of a job together.
SELECT task_file_id, job_id, attempt, max_attempts, failed_attempts, forgiven_failures, free_attempts, max_failures, memory_mb, wall_seconds, units_per_job
FROM task_file WHERE task_id = :task_id AND is_unjudged ORDER BY job_id, task_file_id LIMIT :n;

-- name: has_unjudged(task_id)$
SELECT EXISTS (SELECT 1 FROM task_file WHERE task_id = :task_id AND is_unjudged);

-- name: failures(job_ids, low, high)
-- How jobs ended, where, and what they had been given.
SELECT a.job_id, a.status, a.error_domain, a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable, a.attempt, a.queue_id, q.name AS queue,
    r.cores, r.memory_mb, r.wall_seconds, a.max_rss_mb, coalesce(s.n_inputs, 1) AS n_units
FROM unnest(:job_ids::bigint[]) AS w (job_id)
JOIN job_archive a ON a.job_id = w.job_id AND a.job_id BETWEEN :low AND :high
JOIN requirement r USING (requirement_id) JOIN queue q USING (queue_id)
LEFT JOIN job_spec s ON s.job_id = a.job_id AND s.job_id BETWEEN :low AND :high;

-- name: with_other_copies(job_ids, queue_ids, low, high)
-- Those of the jobs of which an input has a copy that another queue reads and the job's queue does not.
SELECT DISTINCT w.job_id FROM unnest(:job_ids::bigint[], :queue_ids::integer[]) AS w (job_id, queue_id)
JOIN job_file f ON f.job_id = w.job_id AND f.job_id BETWEEN :low AND :high AND f.role = 'input' JOIN replica r ON r.file_id = f.file_id
WHERE NOT EXISTS (SELECT 1 FROM queue_storage qs WHERE qs.queue_id = w.queue_id AND qs.endpoint_id = r.endpoint_id AND qs.read_order IS NOT NULL)
    AND EXISTS (SELECT 1 FROM queue_storage qs WHERE qs.queue_id <> w.queue_id AND qs.endpoint_id = r.endpoint_id AND qs.read_order IS NOT NULL);

-- name: readers(job_ids, low, high)^
-- Whether these jobs read files, and the queues that read some copy of one of them.
WITH files AS MATERIALIZED (
    SELECT DISTINCT f.file_id FROM job_file f
    WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.job_id BETWEEN :low AND :high AND f.role = 'input' AND f.file_id IS NOT NULL
)
SELECT EXISTS (SELECT 1 FROM files) AS has_files, ARRAY(
    SELECT DISTINCT s.queue_id FROM files JOIN replica r USING (file_id) JOIN queue_storage s USING (endpoint_id) WHERE s.read_order IS NOT NULL) AS queue_ids;

-- name: raised(task_id)
-- How many units of a task were raised to which memory.
SELECT memory_mb, count(*) AS n FROM task_file WHERE task_id = :task_id AND memory_mb IS NOT NULL GROUP BY memory_mb;

-- name: settle(task_file_ids, job_ids, are_again, max_attempts, forgiven, free, memories, walls, sizes)
-- Units, which the caller has locked, are judged: ready again or failed for good, with their limits, where they still are what was judged. Returns how many by
-- input, and what changes for that.
WITH asked AS MATERIALIZED (
    SELECT a.*, u.attempt >= u.max_attempts AS was_counted
    FROM unnest(:task_file_ids::bigint[], :job_ids::bigint[], :are_again::boolean[], :max_attempts::smallint[], :forgiven::smallint[],
        :free::smallint[], :memories::integer[], :walls::integer[], :sizes::integer[])
        AS a (task_file_id, job_id, is_again, max_attempts, forgiven_failures, free_attempts, memory_mb, wall_seconds, units_per_job)
    JOIN task_file u ON u.task_file_id = a.task_file_id WHERE u.is_unjudged AND u.job_id = a.job_id
), judged AS (
    UPDATE task_file u SET status = CASE WHEN a.is_again THEN 'ready' ELSE 'failed' END, max_attempts = a.max_attempts,
        forgiven_failures = a.forgiven_failures, free_attempts = a.free_attempts, memory_mb = a.memory_mb, wall_seconds = a.wall_seconds,
        units_per_job = a.units_per_job, judged_job_id = a.job_id
    FROM asked a WHERE u.task_file_id = a.task_file_id RETURNING u.task_dataset_id, a.is_again, a.was_counted
)
SELECT task_dataset_id, count(*) AS n, -count(*) FILTER (WHERE is_again) AS used,
    count(*) FILTER (WHERE NOT is_again AND NOT was_counted) - count(*) FILTER (WHERE is_again AND was_counted) AS failed
FROM judged GROUP BY 1 ORDER BY 1;

-- name: keep_actions(task_id, job_ids, kinds, actions, rule_names, rule_versions, are_applied, units, befores, afters, reasons)!
INSERT INTO retry_action (task_id, job_id, kind, action, rule_name, rule_version, is_applied, n_units, value_before, value_after, reason)
SELECT :task_id, a.* FROM unnest(:job_ids::bigint[], :kinds::text[], :actions::text[], :rule_names::text[], :rule_versions::integer[], :are_applied::boolean[],
    :units::integer[], :befores::integer[], :afters::integer[], :reasons::text[]) AS a;

-- name: raise_task(task_id, memory_mb)$
-- All jobs of a task that are made from now on have at least this memory; no row where they have it.
UPDATE task SET learned = learned || jsonb_build_object('memory_mb', :memory_mb::integer)
WHERE task_id = :task_id AND coalesce((learned ->> 'memory_mb')::numeric, 0) < :memory_mb::integer RETURNING task_id;

-- name: hold_task(task_id)!
-- Before allocations, as the broker does it.
SELECT 1 FROM task WHERE task_id = :task_id FOR NO KEY UPDATE;

-- name: take_back(task_id, queue_ids)!
-- A task has no allocation for these queues any more.
DELETE FROM allocation WHERE task_id = :task_id AND queue_id = ANY (:queue_ids::integer[]);

-- name: avoid(task_id, queue_ids, seconds, reasons)!
-- A task avoids queues for so many seconds, or longer where it did.
INSERT INTO task_avoid AS t (task_id, queue_id, until_at, reason)
SELECT :task_id, a.queue_id, now() + make_interval(secs => a.seconds), a.reason
FROM unnest(:queue_ids::integer[], :seconds::double precision[], :reasons::text[]) AS a (queue_id, seconds, reason)
ON CONFLICT (task_id, queue_id) DO UPDATE SET until_at = greatest(t.until_at, excluded.until_at), reason = excluded.reason;

-- name: avoided(task_ids)
-- The queues that tasks avoid now.
SELECT t.task_id, t.queue_id, q.name AS queue, t.until_at, t.reason FROM task_avoid t JOIN queue q USING (queue_id)
WHERE t.task_id = ANY (:task_ids::bigint[]) AND t.until_at > now() ORDER BY t.task_id, q.name;

-- name: actions_of_job(job_id)
SELECT * FROM retry_action WHERE job_id = :job_id ORDER BY action_id;

-- name: counts_of_task(task_id)
-- What was done about the failures of a task, by rule: how often, and the newest of each.
SELECT rule_name, action, kind, is_applied, count(*) AS n, sum(n_units)::bigint AS n_units, (array_agg(reason ORDER BY action_id DESC))[1] AS reason
FROM retry_action WHERE task_id = :task_id GROUP BY rule_name, action, kind, is_applied ORDER BY n DESC, rule_name LIMIT 20;

-- name: drop_over()!
-- Forgets avoidances that are over.
DELETE FROM task_avoid t USING (SELECT task_id, queue_id FROM task_avoid WHERE until_at <= now() FOR UPDATE SKIP LOCKED) o
WHERE t.task_id = o.task_id AND t.queue_id = o.queue_id;

-- name: drop_old(days)$
-- Forgets what was done about failures long ago.
WITH gone AS (DELETE FROM retry_action WHERE at < now() - make_interval(days => :days) RETURNING 1) SELECT count(*) FROM gone;

-- name: newest_failures(since, n)
-- Failed and closed run jobs that ended since then, the newest first, with the task of each, its limits as they are now, and the attempt that followed.
SELECT a.job_id, a.task_id, a.status, a.error_domain, a.error_code, a.exit_code, a.exit_signal, a.message, a.is_retryable, a.attempt, a.queue_id, q.name AS queue,
    r.cores, r.memory_mb, r.wall_seconds, a.max_rss_mb, coalesce(s.n_inputs, 1) AS n_units, a.ended_at
FROM job_archive a JOIN requirement r USING (requirement_id) JOIN queue q USING (queue_id) LEFT JOIN job_spec s ON s.job_id = a.job_id
WHERE a.status <> 'finished' AND a.status IN ('failed', 'closed') AND a.ended_at >= :since AND r.kind = 'run' ORDER BY a.job_id DESC LIMIT :n;

-- name: next_attempts(job_ids)
-- The jobs that tried again what these had failed to do, and how they ended (null: not yet).
SELECT s.previous_job_id, s.job_id, a.status FROM job_spec s LEFT JOIN job_archive a ON a.job_id = s.job_id
WHERE s.previous_job_id = ANY (:job_ids::bigint[]) ORDER BY s.job_id;

-- name: tasks_of(task_ids)
-- What a simulation needs to know of tasks.
SELECT t.task_id, t.name, c.name AS community, p.document,
    (SELECT coalesce(sum(td.n_listed), 0) FROM task_dataset td WHERE td.task_id = t.task_id AND td.is_master)::bigint AS n_units
FROM task t JOIN task_template p USING (task_id, version) JOIN community c USING (community_id) WHERE t.task_id = ANY (:task_ids::bigint[]);

-- name: slots()
-- What a slot of each queue offers, whether it takes jobs, and whether it writes any storage; without what fills the queues, which costs more.
SELECT q.queue_id, q.name, c.name AS community, q.status, q.cores, q.memory_mb, q.disk_mb, q.max_wall_seconds, q.gpus, q.architecture, q.nodes,
    q.gpu_model, q.gpu_memory_mb,
    EXISTS (SELECT 1 FROM queue_storage s JOIN storage_endpoint e USING (endpoint_id) WHERE s.queue_id = q.queue_id AND s.write_order IS NOT NULL AND e.can_write)
        AS can_write
FROM queue q JOIN community c USING (community_id) ORDER BY q.name;
