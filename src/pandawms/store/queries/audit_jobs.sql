-- name: job_rows(low, high, is_exported, leased, queued, final)
-- Where each job is, whether its lease is what its status says, whether what it names exists and agrees with its identity. Of a range that was exported
-- only the archive is left, or nothing.
SELECT r.rule, r.job_id AS id, r.task_id, r.hot_status, r.archive_status FROM (
    SELECT job_id, coalesce(s.task_id, h.task_id, a.task_id) AS task_id, h.status AS hot_status, a.status AS archive_status, CASE
        WHEN (h.job_id IS NULL) = (a.job_id IS NULL) OR (h.job_id IS NOT NULL AND :is_exported::boolean) THEN 'one_place'
        WHEN a.status <> ALL (:final::text[]) OR h.status = ANY (:final::text[]) OR (a.status = 'finished') <> (a.error_domain = 'none') THEN 'final_once'
        WHEN (h.lease_expires_at IS NOT NULL) <> (h.status = ANY (:leased::text[])) OR (h.claim_id IS NULL) <> (h.status = ANY (:queued::text[]))
            OR (a.status = 'finished' AND a.claim_id IS NULL) THEN 'lease'
        WHEN NOT :is_exported::boolean AND (s.job_id IS NULL OR t.task_id IS NULL OR p.task_id IS NULL) THEN 'job_refs'
        WHEN q.queue_id IS NULL OR sh.share_id IS NULL OR rq.requirement_id IS NULL OR c.community_id IS NULL THEN 'job_refs'
        WHEN (s.task_id, s.attempt) <> (coalesce(h.task_id, a.task_id), coalesce(h.attempt, a.attempt)) THEN 'job_agrees'
        WHEN h.job_id IS NOT NULL AND t.ended_at IS NOT NULL THEN 'ended_task'
        END AS rule
    FROM (SELECT * FROM job_spec WHERE job_id >= :low AND job_id < :high) s
    FULL JOIN (SELECT * FROM job WHERE job_id >= :low AND job_id < :high) h USING (job_id)
    FULL JOIN (SELECT * FROM job_archive WHERE job_id >= :low AND job_id < :high) a USING (job_id)
    LEFT JOIN task t ON t.task_id = s.task_id
    LEFT JOIN task_template p ON p.task_id = s.task_id AND p.version = s.version
    LEFT JOIN queue q ON q.queue_id = coalesce(h.queue_id, a.queue_id)
    LEFT JOIN share sh ON sh.share_id = coalesce(h.share_id, a.share_id)
    LEFT JOIN requirement rq ON rq.requirement_id = coalesce(h.requirement_id, a.requirement_id)
    LEFT JOIN community c ON c.community_id = coalesce(h.community_id, a.community_id)
) r WHERE r.rule IS NOT NULL;

-- name: job_log(low, high, job_moves)
-- The log of jobs, replayed: each line with the one before it, the last one with the row.
SELECT r.rule, r.job_id AS id, r.event_id AS part, r.event, r.from_status, r.to_status, r.status_before, r.status FROM (
    SELECT job_id, l.event_id, l.event, l.from_status, l.to_status, l.status_before, f.status, CASE
        WHEN l.from_status IS DISTINCT FROM l.status_before THEN 'log_chain'
        WHEN NOT coalesce(l.from_status, '') || ' ' || l.event || ' ' || l.to_status = ANY (:job_moves::text[]) THEN 'log_move'
        WHEN l.at < l.at_before - interval '1 s' THEN 'log_order'
        WHEN (l.is_last IS NULL OR l.is_last) AND l.to_status IS DISTINCT FROM f.status THEN 'log_status'
        WHEN l.task_id <> f.task_id THEN 'job_agrees'
        END AS rule
    FROM (
        SELECT e.task_id, e.event_id, e.event, e.from_status, e.to_status, e.at, lag(e.to_status) OVER w AS status_before, lag(e.at) OVER w AS at_before,
            lead(e.event_id) OVER w IS NULL AS is_last, CASE WHEN lead(e.event_id) OVER w IS NULL THEN e.job_id END AS job_id_of_last,
            e.job_id AS job_id_of_line
        FROM job_event e WHERE e.job_id >= :low AND e.job_id < :high WINDOW w AS (PARTITION BY e.job_id ORDER BY e.event_id)
    ) l FULL JOIN (
        SELECT job_id AS job_id_of_row, task_id, status FROM job WHERE job_id >= :low AND job_id < :high
        UNION ALL
        SELECT job_id, task_id, status FROM job_archive WHERE job_id >= :low AND job_id < :high
    ) f ON f.job_id_of_row = l.job_id_of_last
    CROSS JOIN LATERAL (SELECT coalesce(l.job_id_of_line, f.job_id_of_row) AS job_id) i
) r WHERE r.rule IS NOT NULL;

-- name: job_inputs(low, high)
-- The inputs of jobs: what they name exists and agrees, and each unit is in the status that follows from its job; of copies, from the one that leads.
SELECT r.rule, r.job_id AS id, r.n AS part, r.task_id, r.job_status, r.task_file_id, r.unit_status, r.unit_job_id, r.file_id FROM (
    SELECT f.job_id, f.n, f.task_id, coalesce(h.status, a.status) AS job_status, f.task_file_id, u.status AS unit_status, u.job_id AS unit_job_id, f.file_id,
        CASE
        WHEN s.task_id IS DISTINCT FROM f.task_id OR td.task_id IS DISTINCT FROM f.task_id THEN 'file_refs'
        WHEN (f.task_file_id IS NOT NULL AND u.task_file_id IS NULL) OR (f.file_id IS NOT NULL AND c.file_id IS NULL) THEN 'file_refs'
        WHEN s.kind = 'run' AND (td.is_master OR f.task_file_id IS NOT NULL)
            AND (u.task_dataset_id IS DISTINCT FROM f.task_dataset_id OR u.file_id IS DISTINCT FROM f.file_id) THEN 'file_refs'
        WHEN f.task_file_id IS NULL AND f.file_id IS NULL THEN 'file_refs'
        WHEN s.kind = 'merge' AND f.file_id IS NULL THEN 'file_refs'
        WHEN f.task_file_id IS NULL THEN NULL
        WHEN p.task_file_id IS NOT NULL AND (p.n <> f.n OR p.task_id <> f.task_id OR p.attempt > u.attempt) THEN 'payloads'
        WHEN p.status = 'finished' AND NOT p.awaits_merge AND (u.status, u.job_id) IS DISTINCT FROM ('finished', f.job_id) AND NOT (
            EXISTS (SELECT 1 FROM job_file o WHERE o.job_id = f.job_id AND o.role = 'output' AND o.status = 'lost')) THEN 'done_once'
        WHEN p.status IS NOT NULL AND NOT p.awaits_merge THEN
            CASE WHEN p.status <> 'finished' AND u.job_id = f.job_id AND u.status IN ('picked', 'running', 'merging', 'finished') THEN 'unit_state' END
        WHEN a.status = 'finished' AND (u.status, u.job_id) IS DISTINCT FROM ('finished', f.job_id) AND NOT (
            EXISTS (SELECT 1 FROM job_file o WHERE o.job_id = f.job_id AND o.role = 'output' AND o.status = 'lost')) THEN 'done_once'
        WHEN h.status = 'merging' AND (u.status, u.job_id) IS DISTINCT FROM ('merging', f.job_id) THEN 'unit_state'
        WHEN h.status <> 'merging' AND (u.status, u.job_id) IS DISTINCT FROM ('running', f.job_id)
            AND (g.clone_group_id IS NULL OR (g.lead_job_id = f.job_id AND g.status <> 'over')) THEN 'unit_state'
        WHEN a.status <> 'finished' AND (
            u.job_id IS NULL OR (u.job_id = f.job_id AND u.status IN ('picked', 'running', 'merging', 'finished'))) THEN 'unit_state'
        END AS rule
    FROM (SELECT * FROM job_file WHERE job_id >= :low AND job_id < :high AND role = 'input') f
    LEFT JOIN (SELECT job_id, task_id, kind, clone_group_id FROM job_spec WHERE job_id >= :low AND job_id < :high) s USING (job_id)
    LEFT JOIN clone_group g ON g.clone_group_id = s.clone_group_id
    LEFT JOIN (SELECT job_id, status FROM job WHERE job_id >= :low AND job_id < :high) h USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job_archive WHERE job_id >= :low AND job_id < :high) a USING (job_id)
    LEFT JOIN (SELECT * FROM job_payload WHERE job_id >= :low AND job_id < :high) p ON p.job_id = f.job_id AND p.task_file_id = f.task_file_id
    LEFT JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id
    LEFT JOIN task_file u ON u.task_file_id = f.task_file_id
    LEFT JOIN file c ON c.file_id = f.file_id
) r WHERE r.rule IS NOT NULL;

-- name: job_outputs(low, high)
-- The outputs of jobs: kept, under their own names and in the dataset that takes them, exactly when their job (or their payload) finished; each transient one
-- is in one merged file. Nothing is said of outputs that a job is still to write.
SELECT r.rule, r.job_id AS id, r.n AS part, r.task_id, r.job_status, r.role, r.name, r.status, r.file_id, r.merge_group_id FROM (
    SELECT f.job_id, f.n, f.task_id, coalesce(h.status, a.status) AS job_status, td.role, f.name, f.status, f.file_id, f.merge_group_id, CASE
        WHEN s.task_id IS DISTINCT FROM f.task_id OR td.task_id IS DISTINCT FROM f.task_id THEN 'file_refs'
        WHEN (f.file_id IS NOT NULL AND c.file_id IS NULL) OR (f.merge_group_id IS NOT NULL AND g.task_id IS DISTINCT FROM f.task_id) THEN 'file_refs'
        WHEN f.file_id IS NOT NULL AND c.name <> f.name THEN 'file_refs'
        WHEN f.task_file_id IS NOT NULL AND p.status IS DISTINCT FROM 'finished' THEN 'payloads'
        WHEN p.status = 'finished' AND NOT p.awaits_merge THEN
            CASE WHEN f.file_id IS NULL OR f.status NOT IN ('finished', 'lost') OR (c.dataset_id <> td.dataset_id) <> (f.status = 'lost') THEN 'outputs' END
        WHEN a.status = 'finished' AND f.file_id IS NOT NULL AND (c.dataset_id <> td.dataset_id) <> (f.status = 'lost') THEN 'outputs'
        WHEN a.status = 'finished' AND f.status NOT IN ('finished', 'nooutput', 'lost') THEN 'outputs'
        WHEN (a.status <> 'finished' OR h.status = 'merging') AND td.role = 'output' AND c.dataset_id = td.dataset_id THEN 'outputs'
        WHEN a.status <> 'finished' AND f.status IN ('finished', 'ready', 'merging') THEN 'outputs'
        WHEN h.status = 'merging' AND (f.file_id IS NULL OR (td.role = 'transient' AND f.status NOT IN ('ready', 'merging'))) THEN 'outputs'
        WHEN h.status <> 'merging' AND f.file_id IS NOT NULL THEN 'outputs'
        WHEN a.status = 'finished' AND td.role = 'transient' AND f.status = 'finished' AND (g.status IS DISTINCT FROM 'merged' OR m.n IS NULL) AND NOT EXISTS (
            SELECT 1 FROM archive_range x WHERE x.state <> 'writing' AND g.job_id >= x.from_id AND g.job_id < x.to_id) THEN 'merged_once'
        END AS rule
    FROM (SELECT * FROM job_file WHERE job_id >= :low AND job_id < :high AND role = 'output') f
    LEFT JOIN (SELECT job_id, task_id FROM job_spec WHERE job_id >= :low AND job_id < :high) s USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job WHERE job_id >= :low AND job_id < :high) h USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job_archive WHERE job_id >= :low AND job_id < :high) a USING (job_id)
    LEFT JOIN (SELECT * FROM job_payload WHERE job_id >= :low AND job_id < :high) p ON p.job_id = f.job_id AND p.task_file_id = f.task_file_id
    LEFT JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id
    LEFT JOIN file c ON c.file_id = f.file_id
    LEFT JOIN merge_group g ON g.merge_group_id = f.merge_group_id
    LEFT JOIN LATERAL (
        SELECT i.n FROM job_archive m JOIN job_file i ON i.job_id = m.job_id
        WHERE td.role = 'transient' AND m.job_id = g.job_id AND m.status = 'finished' AND i.role = 'input' AND i.file_id = f.file_id LIMIT 1) m ON true
) r WHERE r.rule IS NOT NULL;

-- name: job_complete(low, high)
-- Every job has an input; one that succeeded has a file for each output of its template, as has every payload that did.
WITH streams AS MATERIALIZED (
    SELECT p.task_id, p.version, p.document #> '{program,each}' IS NOT NULL AND json_typeof(p.document #> '{program,each}') = 'object' AS has_payloads,
        (SELECT count(*) FROM json_object_keys(CASE json_typeof(p.document -> 'outputs') WHEN 'object' THEN p.document -> 'outputs' END)) AS n_run,
        (SELECT count(*) FROM json_object_keys(
            CASE json_typeof(p.document #> '{merge,outputs}') WHEN 'object' THEN p.document #> '{merge,outputs}' END)) AS n_merge
    FROM (SELECT DISTINCT task_id, version FROM job_spec WHERE job_id >= :low AND job_id < :high) s JOIN task_template p USING (task_id, version)
)
SELECT 'complete' AS rule, s.job_id AS id, s.task_id, s.kind, coalesce(h.status, a.status) AS job_status, s.n_inputs AS n_inputs_told,
    c.n_inputs, c.n_outputs
FROM
    (SELECT job_id, task_id, version, kind, n_inputs FROM job_spec WHERE job_id >= :low AND job_id < :high AND kind IN ('run', 'merge')) s
    JOIN streams t USING (task_id, version)
    LEFT JOIN (SELECT job_id, status FROM job WHERE job_id >= :low AND job_id < :high) h USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job_archive WHERE job_id >= :low AND job_id < :high) a USING (job_id)
    LEFT JOIN (
        SELECT f.job_id, count(*) FILTER (WHERE f.role = 'input') AS n_inputs,
            count(*) FILTER (WHERE f.role = 'output' AND (f.file_id IS NOT NULL OR f.status = 'nooutput')) AS n_outputs
        FROM job_file f WHERE f.job_id >= :low AND f.job_id < :high GROUP BY f.job_id) c USING (job_id)
    LEFT JOIN (
        SELECT p.job_id, count(*) FILTER (WHERE p.status = 'finished') AS n_finished
        FROM job_payload p WHERE p.job_id >= :low AND p.job_id < :high GROUP BY p.job_id) p USING (job_id)
WHERE coalesce(c.n_inputs, 0) = 0 OR c.n_inputs <> s.n_inputs
    OR CASE WHEN t.has_payloads AND s.kind = 'run' THEN coalesce(c.n_outputs, 0) <> t.n_run * coalesce(p.n_finished, 0)
        ELSE (a.status = 'finished' OR h.status = 'merging') AND c.n_outputs <> CASE s.kind WHEN 'run' THEN t.n_run ELSE t.n_merge END END;

-- name: merged_files(low, high)
-- What a finished merge job merged was written by one job, which finished (or will, when aggregate has looked), and was merged by no other.
SELECT 'merged_once' AS rule, f.job_id AS id, f.n AS part, f.task_id, f.file_id, c.n_writers, c.are_finished, c.n_merges FROM
    (SELECT job_id, task_id FROM job_spec WHERE job_id >= :low AND job_id < :high AND kind = 'merge') s
    JOIN (SELECT job_id FROM job_archive WHERE job_id >= :low AND job_id < :high AND status = 'finished') a USING (job_id)
    JOIN (SELECT * FROM job_file WHERE job_id >= :low AND job_id < :high AND role = 'input') f USING (job_id)
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE o.role = 'output') AS n_writers,
            bool_and(oa.status IS NOT DISTINCT FROM 'finished' OR oh.status IS NOT DISTINCT FROM 'merging') FILTER (WHERE o.role = 'output') AS are_finished,
            count(*) FILTER (WHERE o.role = 'input' AND os.kind = 'merge' AND oa.status = 'finished') AS n_merges
        FROM job_file o LEFT JOIN job_spec os ON os.job_id = o.job_id LEFT JOIN job oh ON oh.job_id = o.job_id LEFT JOIN job_archive oa ON oa.job_id = o.job_id
        WHERE o.file_id = f.file_id) c
WHERE c.n_merges <> 1 OR NOT c.are_finished OR (c.n_writers <> 1 AND NOT (
    c.n_writers = 0 AND EXISTS (
        SELECT 1 FROM archive_range x JOIN task t ON t.created_at <= x.last_ended_at WHERE x.state <> 'writing' AND t.task_id = f.task_id)));

-- name: job_extras(low, high)
-- What is kept beside hot jobs belongs to one, edges and commands name jobs that are known, and a job comes after one that has ended.
SELECT CASE e.what WHEN 'previous job' THEN 'job_refs' ELSE 'job_extras' END AS rule, e.job_id AS id, e.what FROM (
    SELECT o.job_id, 'job_order' AS what FROM job_order o LEFT JOIN job h USING (job_id) WHERE o.job_id >= :low AND o.job_id < :high AND h.job_id IS NULL
    UNION ALL
    SELECT u.job_id, 'job_usage' FROM job_usage u LEFT JOIN job h USING (job_id)
    WHERE u.job_id >= :low AND u.job_id < :high AND h.status IS DISTINCT FROM 'merging'
    UNION ALL
    SELECT e.predecessor_id, 'job_edge' FROM job_edge e LEFT JOIN job_spec p ON p.job_id = e.predecessor_id LEFT JOIN job_spec s ON s.job_id = e.successor_id
    WHERE e.predecessor_id >= :low AND e.predecessor_id < :high AND (p.job_id IS NULL OR s.job_id IS NULL)
    UNION ALL
    SELECT c.job_id, 'command' FROM command c LEFT JOIN job h USING (job_id) LEFT JOIN job_archive a USING (job_id)
    WHERE c.job_id >= :low AND c.job_id < :high AND h.job_id IS NULL AND a.job_id IS NULL
    UNION ALL
    SELECT s.job_id, 'previous job' FROM job_spec s
    LEFT JOIN LATERAL (SELECT b.job_id FROM job_archive b WHERE b.job_id = s.previous_job_id LIMIT 1) b ON true
    LEFT JOIN archive_range x ON x.state <> 'writing' AND s.previous_job_id >= x.from_id AND s.previous_job_id < x.to_id
    WHERE s.job_id >= :low AND s.job_id < :high AND s.previous_job_id IS NOT NULL AND b.job_id IS NULL AND x.from_id IS NULL AND NOT EXISTS (
        SELECT 1 FROM job h JOIN job_payload p USING (job_id) WHERE h.job_id = s.previous_job_id AND h.status = 'merging' AND p.status <> 'finished')
) e;
