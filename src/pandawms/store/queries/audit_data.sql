-- name: unit_rows(low, high)
-- Units: what they name exists, and their status follows from the last job that had them.
SELECT r.rule, r.task_file_id AS id, r.task_id, r.status, r.attempt, r.max_attempts, r.failed_attempts, r.job_id, r.job_status FROM (
    SELECT u.task_file_id, u.task_id, u.status, u.attempt, u.max_attempts, u.failed_attempts, u.job_id, coalesce(h.status, a.status) AS job_status, CASE
        WHEN t.task_id IS NULL OR td.task_id IS DISTINCT FROM u.task_id OR (u.file_id IS NOT NULL AND c.file_id IS NULL) THEN 'unit_refs'
        WHEN u.job_id IS NOT NULL AND h.job_id IS NULL AND a.job_id IS NULL AND x.from_id IS NULL THEN 'unit_refs'
        WHEN u.job_id IS NOT NULL AND n.n IS NULL AND x.from_id IS NULL THEN 'unit_refs'
        WHEN (u.status = 'finished') <> CASE WHEN p.status IS NULL OR p.awaits_merge THEN a.status IS NOT DISTINCT FROM 'finished' ELSE p.status = 'finished' END
            AND x.state IS DISTINCT FROM 'gone' AND NOT (x.from_id IS NOT NULL AND a.status IN ('finished', 'failed')) AND u.shared_from IS NULL
            AND NOT (u.status <> 'finished' AND EXISTS (SELECT 1 FROM job_file o WHERE o.job_id = u.job_id AND o.role = 'output' AND o.status = 'lost')) THEN 'done_once'
        WHEN u.shared_from IS NOT NULL AND (u.status <> 'finished' OR u.attempt > 0) THEN 'done_once'
        WHEN (u.status IN ('running', 'merging')) <> (h.job_id IS NOT NULL AND (p.status IS NULL OR p.awaits_merge))
            OR (u.status = 'merging') <> (h.status IS NOT DISTINCT FROM 'merging' AND (p.status IS NULL OR p.awaits_merge)) THEN 'unit_state'
        WHEN u.attempt > u.max_attempts OR u.failed_attempts > u.attempt OR (u.attempt = 0) <> (u.job_id IS NULL)
            OR u.forgiven_failures > u.failed_attempts OR u.free_attempts > u.attempt
            OR (u.status = 'ready' AND u.attempt >= u.max_attempts) THEN 'attempts'
        WHEN t.ended_at IS NOT NULL AND (u.status IN ('pending', 'staging', 'ready', 'picked', 'running', 'partial', 'merging')
            OR (u.status = 'failed' AND u.attempt < u.max_attempts)) THEN 'ended_task'
        END AS rule
    FROM (SELECT * FROM task_file WHERE task_file_id >= :low AND task_file_id < :high) u
    LEFT JOIN task t ON t.task_id = u.task_id
    LEFT JOIN task_dataset td ON td.task_dataset_id = u.task_dataset_id
    LEFT JOIN file c ON c.file_id = u.file_id
    LEFT JOIN job h ON h.job_id = u.job_id
    LEFT JOIN job_archive a ON a.job_id = u.job_id
    LEFT JOIN job_payload p ON p.job_id = u.job_id AND p.task_file_id = u.task_file_id
    LEFT JOIN LATERAL (SELECT f.n FROM job_file f WHERE f.job_id = u.job_id AND f.role = 'input' AND f.task_file_id = u.task_file_id LIMIT 1) n ON true
    LEFT JOIN archive_range x ON x.state <> 'writing' AND u.job_id >= x.from_id AND u.job_id < x.to_id
) r WHERE r.rule IS NOT NULL;

-- name: attempts(low, high)
-- A unit had as many attempts as jobs (of copies those that led) name it, and as many failures as of these failed. Jobs that were exported cannot be counted any more.
WITH bounds AS MATERIALIZED (
    SELECT min(job_id) AS low, max(job_id) AS high FROM job_spec WHERE task_id >= :low AND task_id < :high
), named AS (
    SELECT f.task_file_id, f.task_id, count(*) AS n_jobs,
        count(*) FILTER (WHERE CASE WHEN p.status IS NULL OR p.awaits_merge THEN a.status = 'failed' ELSE p.status = 'failed' END) AS n_failed
    FROM (SELECT job_id, clone_group_id FROM job_spec WHERE task_id >= :low AND task_id < :high) s
    JOIN (SELECT * FROM job_file WHERE job_id BETWEEN (SELECT low FROM bounds) AND (SELECT high FROM bounds)) f USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job_archive WHERE job_id BETWEEN (SELECT low FROM bounds) AND (SELECT high FROM bounds)) a USING (job_id)
    LEFT JOIN (
        SELECT job_id, task_file_id, status, awaits_merge FROM job_payload
        WHERE job_id BETWEEN (SELECT low FROM bounds) AND (SELECT high FROM bounds)) p ON p.job_id = s.job_id AND p.task_file_id = f.task_file_id
    LEFT JOIN clone_group g ON g.clone_group_id = s.clone_group_id
    WHERE f.role = 'input' AND f.task_file_id IS NOT NULL AND (g.clone_group_id IS NULL OR g.lead_job_id = s.job_id) GROUP BY f.task_file_id, f.task_id
), units AS (
    SELECT u.task_file_id, u.task_id, u.attempt, u.failed_attempts FROM task_dataset td JOIN task_file u ON u.task_dataset_id = td.task_dataset_id
    WHERE td.task_id >= :low AND td.task_id < :high
)
SELECT 'attempts' AS rule, task_file_id AS id, coalesce(u.task_id, n.task_id) AS task_id, u.attempt, n.n_jobs, u.failed_attempts, n.n_failed
FROM units u FULL JOIN named n USING (task_file_id)
WHERE (u.attempt, u.failed_attempts) IS DISTINCT FROM (coalesce(n.n_jobs, 0), coalesce(n.n_failed, 0)) AND NOT (
    u.attempt >= coalesce(n.n_jobs, 0) AND EXISTS (
        SELECT 1 FROM archive_range x JOIN task t ON t.created_at <= x.last_ended_at WHERE x.state <> 'writing' AND t.task_id = u.task_id));

-- name: clone_rows(low, high)
-- Groups of copies: the lead is one of them and stands where its group does, no other has succeeded, and there are as many as were made. Of copies that were
-- exported only the archive is left.
SELECT 'clones' AS rule, g.clone_group_id AS id, g.task_id, g.mode, g.status, g.lead_job_id, c.n, g.n_copies, c.n_won, c.lead_status
FROM (SELECT * FROM clone_group WHERE task_id >= :low AND task_id < :high) g CROSS JOIN LATERAL (
    SELECT count(*) AS n, count(*) FILTER (WHERE coalesce(a.status, h.status) IN ('finished', 'merging')) AS n_won,
        max(coalesce(a.status, h.status)) FILTER (WHERE s.job_id = g.lead_job_id) AS lead_status,
        bool_and(h.job_id IS NULL OR h.clone_group_id IS NOT DISTINCT FROM g.clone_group_id) AS are_marked
    FROM job_spec s LEFT JOIN job h ON h.job_id = s.job_id LEFT JOIN job_archive a ON a.job_id = s.job_id
    WHERE s.task_id = g.task_id AND s.clone_group_id = g.clone_group_id) c
WHERE NOT EXISTS (SELECT 1 FROM archive_range x JOIN task t ON t.created_at <= x.last_ended_at WHERE x.state <> 'writing' AND t.task_id = g.task_id) AND (
    c.n <> g.n_copies OR NOT c.are_marked OR c.lead_status IS NULL OR c.n_won > 1 OR (c.n_won = 1) <> (c.lead_status IN ('finished', 'merging'))
    OR (g.status <> 'over') <> (c.lead_status NOT IN ('finished', 'failed', 'cancelled', 'closed', 'merging')));

-- name: counters(low, high)
-- The counters of a dataset in a task are those of its units, with or without a row.
SELECT CASE WHEN td.dataset_id IS NOT NULL AND d.dataset_id IS NULL THEN 'task_refs' ELSE 'counters' END AS rule, td.task_dataset_id AS id, td.task_id,
    td.stream,
    ARRAY[td.n_listed, td.n_used, td.n_finished, td.n_failed, td.n_events, td.n_events_finished] AS kept,
    ARRAY[u.n_listed + r.n, u.n_used + r.n_cancelled, u.n_finished, u.n_failed + r.n_cancelled, u.n_events + r.n_events, u.n_events_finished] AS counted
FROM (SELECT * FROM task_dataset WHERE task_id >= :low AND task_id < :high) td LEFT JOIN dataset d USING (dataset_id) CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status <> 'removed') AS n_listed, count(*) FILTER (WHERE status NOT IN ('pending', 'ready', 'removed')) AS n_used,
        count(*) FILTER (WHERE status = 'finished') AS n_finished,
        count(*) FILTER (WHERE status = 'cancelled' OR (status = 'failed' AND attempt >= max_attempts)) AS n_failed,
        coalesce(sum(n_events) FILTER (WHERE status <> 'removed'), 0)::bigint AS n_events,
        coalesce(sum(n_events) FILTER (WHERE status = 'finished'), 0)::bigint AS n_events_finished
    FROM task_file f WHERE f.task_dataset_id = td.task_dataset_id) u CROSS JOIN LATERAL (
    SELECT coalesce(sum(to_number - from_number + 1), 0)::bigint AS n,
        coalesce(sum(to_number - from_number + 1) FILTER (WHERE status = 'cancelled'), 0)::bigint AS n_cancelled,
        coalesce(sum(end_event - first_event), 0)::bigint AS n_events
    FROM task_range g WHERE g.task_dataset_id = td.task_dataset_id AND NOT g.has_rows) r
WHERE (td.n_listed, td.n_used, td.n_finished, td.n_failed, td.n_events, td.n_events_finished)
        <> (u.n_listed + r.n, u.n_used + r.n_cancelled, u.n_finished, u.n_failed + r.n_cancelled, u.n_events + r.n_events, u.n_events_finished)
    OR (td.dataset_id IS NOT NULL AND d.dataset_id IS NULL);

-- name: numbering(low, high)
-- The units of an input, with or without a row, are numbered from 1 without a gap, and chunks of events (of one file, or of none) follow each other.
SELECT 'numbering' AS rule, r.task_dataset_id AS id, r.number AS part, r.task_id, r.number_before, r.first_event, r.end_before FROM (
    SELECT u.task_dataset_id, td.task_id, u.number, u.first_event, u.file_id, lag(u.last_number) OVER w AS number_before,
        lag(u.end_event) OVER w AS end_before, lag(u.file_id) OVER w AS file_before
    FROM task_dataset td JOIN (
        SELECT task_dataset_id, file_id, number, number AS last_number, first_event, first_event + n_events AS end_event FROM task_file
        UNION ALL
        SELECT task_dataset_id, NULL, from_number, to_number, first_event, end_event FROM task_range WHERE NOT has_rows
    ) u USING (task_dataset_id) WHERE td.task_id >= :low AND td.task_id < :high
    WINDOW w AS (PARTITION BY u.task_dataset_id ORDER BY u.number)
) r WHERE r.number <> coalesce(r.number_before, 0) + 1 OR (r.first_event <> r.end_before AND r.file_id IS NOT DISTINCT FROM r.file_before);

-- name: ranges(low, high)
-- Every untouched unit of a file is in one range, a range holds none but these, and a task that ended has no open range.
WITH ranges AS MATERIALIZED (
    SELECT r.*, td.task_id AS task_of_dataset, t.ended_at FROM task_dataset td JOIN task_range r USING (task_dataset_id) JOIN task t ON t.task_id = td.task_id
    WHERE td.task_id >= :low AND td.task_id < :high
), untouched AS (
    SELECT td.task_dataset_id, td.task_id, count(*) AS n FROM task_dataset td JOIN task_file u USING (task_dataset_id)
    WHERE td.task_id >= :low AND td.task_id < :high AND u.is_ranged AND u.status = 'ready' AND u.attempt = 0 GROUP BY 1, 2
)
SELECT CASE WHEN r.status = 'ready' AND r.ended_at IS NOT NULL THEN 'ended_task' ELSE 'ranges' END AS rule, r.task_dataset_id AS id, r.from_number AS part,
    r.task_id, r.to_number, r.has_rows, c.n AS n_untouched
FROM ranges r LEFT JOIN LATERAL (
    SELECT count(*) AS n FROM task_file u WHERE u.task_dataset_id = r.task_dataset_id AND u.number BETWEEN r.from_number AND r.to_number AND u.is_ranged
        AND u.status = 'ready' AND u.attempt = 0) c ON r.has_rows
WHERE r.task_id <> r.task_of_dataset OR (r.status = 'ready' AND r.ended_at IS NOT NULL) OR c.n <> r.to_number - r.from_number + 1
UNION ALL
SELECT 'ranges', d.task_dataset_id, NULL, d.task_id, NULL, true, d.n FROM untouched d
WHERE d.n <> (SELECT coalesce(sum(r.to_number - r.from_number + 1), 0) FROM ranges r WHERE r.task_dataset_id = d.task_dataset_id AND r.has_rows);

-- name: outputs_counted(low, high)
-- The outputs of a task hold one file for each output of its finished jobs; what it keeps aside, one for each output that waits for a merge or waited in
-- vain. (That these are the same files is looked at with the jobs.) Jobs that were exported cannot be counted any more.
WITH bounds AS MATERIALIZED (
    SELECT min(job_id) AS low, max(job_id) AS high FROM job_spec WHERE task_id >= :low AND task_id < :high
), written AS (
    SELECT s.task_id, coalesce(CASE WHEN a.status = 'finished' OR td.role = 'transient' THEN td.dataset_id END, aside.dataset_id, td.dataset_id) AS dataset_id,
        count(*) AS n_written, count(DISTINCT f.file_id) AS n_kept
    FROM (SELECT job_id, task_id FROM job_spec WHERE task_id >= :low AND task_id < :high) s
    JOIN (SELECT * FROM job_file WHERE job_id BETWEEN (SELECT low FROM bounds) AND (SELECT high FROM bounds)) f USING (job_id)
    LEFT JOIN (SELECT job_id, status FROM job_archive WHERE job_id BETWEEN (SELECT low FROM bounds) AND (SELECT high FROM bounds)) a USING (job_id)
    JOIN task_dataset td ON td.task_dataset_id = f.task_dataset_id
    LEFT JOIN (
        SELECT task_id, min(dataset_id) AS dataset_id FROM task_dataset
        WHERE task_id >= :low AND task_id < :high AND role = 'transient' GROUP BY task_id) aside ON aside.task_id = s.task_id
    WHERE f.role = 'output' AND f.file_id IS NOT NULL AND f.status IS DISTINCT FROM 'lost' GROUP BY 1, 2
), shared AS (
    SELECT td.task_id, td.dataset_id, count(*) AS n FROM shared_file s JOIN task_dataset td USING (task_dataset_id)
    WHERE s.task_id >= :low AND s.task_id < :high GROUP BY 1, 2
)
SELECT 'outputs' AS rule, d.dataset_id AS id, td.task_id, td.stream, td.role, d.n_files, coalesce(w.n_written, 0) AS n_written, coalesce(w.n_kept, 0) AS n_kept,
    coalesce(h.n, 0) AS n_shared
FROM (SELECT task_id, dataset_id, stream, role FROM task_dataset WHERE task_id >= :low AND task_id < :high AND role IN ('output', 'transient')) td
JOIN dataset d ON d.dataset_id = td.dataset_id LEFT JOIN written w ON w.task_id = td.task_id AND w.dataset_id = td.dataset_id
LEFT JOIN shared h ON h.task_id = td.task_id AND h.dataset_id = td.dataset_id
WHERE (d.n_files <> coalesce(w.n_written, 0) + coalesce(h.n, 0) OR d.n_files <> coalesce(w.n_kept, 0) + coalesce(h.n, 0)) AND NOT (
    d.n_files >= coalesce(w.n_written, 0) AND EXISTS (
        SELECT 1 FROM archive_range x JOIN task t ON t.created_at <= x.last_ended_at WHERE x.state <> 'writing' AND t.task_id = td.task_id));

-- name: file_rows(low, high)
-- Files and replicas: what they name exists, and what a job wrote is stored somewhere, unless it was transient and is removed.
SELECT 'catalogue_refs' AS rule, file_id AS id, p.endpoint_id AS part, f.dataset_id, f.name FROM
    (SELECT file_id, dataset_id, name FROM file WHERE file_id >= :low AND file_id < :high) f
    FULL JOIN (SELECT file_id, endpoint_id FROM replica WHERE file_id >= :low AND file_id < :high) p USING (file_id)
    LEFT JOIN dataset d ON d.dataset_id = f.dataset_id
    LEFT JOIN storage_endpoint e ON e.endpoint_id = p.endpoint_id
WHERE f.file_id IS NULL OR d.dataset_id IS NULL OR (p.file_id IS NOT NULL AND e.endpoint_id IS NULL) OR (p.file_id IS NULL AND d.producer_task_id IS NOT NULL
    AND NOT (d.is_transient AND d.removed_at IS NOT NULL));

-- name: dataset_counters(low, high)
-- The counters of a dataset are those of its files.
SELECT 'dataset_counters' AS rule, d.dataset_id AS id, d.scope, d.name, ARRAY[d.n_files, d.n_bytes, d.n_events] AS kept,
    ARRAY[f.n_files, f.n_bytes, f.n_events] AS counted
FROM (SELECT * FROM dataset WHERE dataset_id >= :low AND dataset_id < :high) d CROSS JOIN LATERAL (
    SELECT count(*) AS n_files, coalesce(sum(size_bytes), 0)::bigint AS n_bytes, coalesce(sum(events), 0)::bigint AS n_events
    FROM file f WHERE f.dataset_id = d.dataset_id) f
WHERE (d.n_files, d.n_bytes, d.n_events) <> (f.n_files, f.n_bytes, f.n_events);

-- name: group_rows(low, high)
-- Merge groups: not empty, and in the status that follows from their last merge job.
SELECT r.rule, r.merge_group_id AS id, r.task_id, r.serial, r.status, r.attempt, r.job_id, r.job_status FROM (
    SELECT g.merge_group_id, g.task_id, g.serial, g.status, g.attempt, g.job_id, coalesce(h.status, a.status) AS job_status, CASE
        WHEN f.n IS NULL AND NOT EXISTS (
            SELECT 1 FROM archive_range x JOIN task t ON t.created_at <= x.last_ended_at WHERE x.state <> 'writing' AND t.task_id = g.task_id) THEN 'group'
        WHEN t.task_id IS NULL OR q.queue_id IS NULL OR (g.attempt = 0) <> (g.job_id IS NULL) THEN 'group'
        WHEN g.job_id IS NOT NULL AND h.job_id IS NULL AND a.job_id IS NULL AND x.from_id IS NULL THEN 'group'
        WHEN g.job_id IS NOT NULL AND x.from_id IS NULL AND (s.task_id, s.kind, s.attempt) IS DISTINCT FROM (g.task_id, 'merge', g.attempt) THEN 'group'
        WHEN g.status = 'merging' AND g.job_id IS NULL THEN 'group'
        WHEN g.status = 'merged' AND a.status IS DISTINCT FROM 'finished' AND x.state IS DISTINCT FROM 'gone' THEN 'group'
        WHEN g.status IN ('mergeable', 'failed') AND (h.job_id IS NOT NULL OR a.status = 'finished') THEN 'group'
        END AS rule
    FROM (SELECT * FROM merge_group WHERE merge_group_id >= :low AND merge_group_id < :high) g
    LEFT JOIN task t ON t.task_id = g.task_id
    LEFT JOIN queue q ON q.queue_id = g.queue_id
    LEFT JOIN job_spec s ON s.job_id = g.job_id
    LEFT JOIN job h ON h.job_id = g.job_id
    LEFT JOIN job_archive a ON a.job_id = g.job_id
    LEFT JOIN archive_range x ON x.state <> 'writing' AND g.job_id >= x.from_id AND g.job_id < x.to_id
    LEFT JOIN LATERAL (SELECT f.n FROM job_file f WHERE f.merge_group_id = g.merge_group_id LIMIT 1) f ON true
) r WHERE r.rule IS NOT NULL;
