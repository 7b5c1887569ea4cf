-- name: next_jobs(low, n)$
-- Where a range that begins at low and has about n jobs ends; no row or NULL: at the last one.
SELECT greatest(:low + 1, least(
    (SELECT job_id FROM job_spec WHERE job_id >= :low ORDER BY job_id OFFSET :n LIMIT 1),
    (SELECT job_id FROM job_archive WHERE job_id >= :low ORDER BY job_id OFFSET :n LIMIT 1),
    (SELECT job_id FROM job_file WHERE job_id >= :low ORDER BY job_id OFFSET 8 * :n LIMIT 1),
    (SELECT job_id FROM job_event WHERE job_id >= :low ORDER BY job_id OFFSET 8 * :n LIMIT 1)
)) FROM (SELECT 1) one WHERE EXISTS (SELECT 1 FROM job_spec WHERE job_id >= :low ORDER BY job_id OFFSET :n LIMIT 1)
    OR EXISTS (SELECT 1 FROM job_archive WHERE job_id >= :low ORDER BY job_id OFFSET :n LIMIT 1);

-- name: next_tasks(low, n)$
-- As next_jobs, of tasks that have about n units together; one that has more is a range of its own.
SELECT greatest(:low + 1, task_id) FROM (
    SELECT task_id, sum(1 + n_listed) OVER (ORDER BY task_id) AS n_units
    FROM (SELECT task_id, n_listed FROM task_dataset WHERE task_id >= :low ORDER BY task_id LIMIT :n + 1) d
) s WHERE n_units > :n ORDER BY task_id LIMIT 1;

-- name: next_datasets(low, n)$
-- As next_jobs, of datasets that have about n files together.
SELECT greatest(:low + 1, dataset_id) FROM (
    SELECT dataset_id, sum(1 + n_files) OVER (ORDER BY dataset_id) AS n_files
    FROM (SELECT dataset_id, n_files FROM dataset WHERE dataset_id >= :low ORDER BY dataset_id LIMIT :n + 1) d
) s WHERE n_files > :n ORDER BY dataset_id LIMIT 1;

-- name: next_units(low, n)$
SELECT task_file_id FROM task_file WHERE task_file_id >= :low ORDER BY task_file_id OFFSET :n LIMIT 1;

-- name: next_files(low, n)$
SELECT file_id FROM file WHERE file_id >= :low ORDER BY file_id OFFSET :n LIMIT 1;

-- name: next_groups(low, n)$
SELECT merge_group_id FROM merge_group WHERE merge_group_id >= :low ORDER BY merge_group_id OFFSET :n LIMIT 1;

-- name: next_workers(low, n)$
SELECT worker_id FROM worker WHERE worker_id >= :low ORDER BY worker_id OFFSET :n LIMIT 1;

-- name: next_queues(low, n)$
SELECT queue_id FROM queue WHERE queue_id >= :low ORDER BY queue_id OFFSET :n LIMIT 1;

-- name: exported()
-- The ranges of job ids whose details are in files, and whether their archive rows are gone, too.
SELECT from_id, to_id FROM archive_range WHERE state <> 'writing' ORDER BY from_id;

-- name: task_rows(low, high)
-- A task has its template; one that ended has the verdict that its units give, kept with its round.
SELECT r.rule, r.task_id AS id, r.status, r.round, r.round_status, r.n_listed, r.n_finished, r.n_failed FROM (
    SELECT t.task_id, t.status, t.round, v.status AS round_status, c.n_listed, c.n_finished, c.n_failed, CASE
        WHEN p.task_id IS NULL OR s.share_id IS NULL THEN 'task_refs'
        WHEN t.ended_at IS NOT NULL AND v.status IS DISTINCT FROM t.status THEN 'verdict'
        WHEN t.status = 'done' AND c.n_finished <> c.n_listed THEN 'verdict'
        WHEN t.status = 'finished' AND c.n_finished = 0 AND c.n_listed > 0 THEN 'verdict'
        WHEN t.status = 'failed' AND c.n_finished > 0 AND coalesce(v.verdict ->> 'rule', '') NOT IN ('parent_bad', 'goal_missed') THEN 'verdict'
        END AS rule
    FROM (SELECT * FROM task WHERE task_id >= :low AND task_id < :high) t
    LEFT JOIN task_template p ON p.task_id = t.task_id AND p.version = t.version
    LEFT JOIN share s ON s.share_id = t.share_id
    LEFT JOIN task_round v ON v.task_id = t.task_id AND v.round = t.round
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(td.n_listed), 0)::bigint AS n_listed, coalesce(sum(td.n_finished), 0)::bigint AS n_finished,
            coalesce(sum(td.n_failed), 0)::bigint AS n_failed
        FROM task_dataset td WHERE td.task_id = t.task_id AND td.is_master) c ON true
) r WHERE r.rule IS NOT NULL;

-- name: task_log(low, high, task_moves)
-- The log of tasks, replayed: each line with the one before it, the last one with the row.
SELECT r.rule, r.task_id AS id, r.event_id AS part, r.event, r.from_status, r.to_status, r.status_before, r.status FROM (
    SELECT task_id, l.event_id, l.event, l.from_status, l.to_status, l.status_before, f.status, CASE
        WHEN l.from_status IS DISTINCT FROM l.status_before THEN 'log_chain'
        WHEN NOT coalesce(l.from_status, '') || ' ' || l.event || ' ' || l.to_status = ANY (:task_moves::text[]) THEN 'log_move'
        WHEN l.at < l.at_before - interval '1 s' THEN 'log_order'
        WHEN (l.is_last IS NULL OR l.is_last) AND l.to_status IS DISTINCT FROM f.status THEN 'log_status'
        END AS rule
    FROM (
        SELECT e.event_id, e.event, e.from_status, e.to_status, e.at, lag(e.to_status) OVER w AS status_before, lag(e.at) OVER w AS at_before,
            lead(e.event_id) OVER w IS NULL AS is_last, CASE WHEN lead(e.event_id) OVER w IS NULL THEN e.task_id END AS task_id_of_last,
            e.task_id AS task_id_of_line
        FROM task_event e WHERE e.task_id >= :low AND e.task_id < :high WINDOW w AS (PARTITION BY e.task_id ORDER BY e.event_id)
    ) l FULL JOIN (
        SELECT task_id AS task_id_of_row, status FROM task WHERE task_id >= :low AND task_id < :high
    ) f ON f.task_id_of_row = l.task_id_of_last
    CROSS JOIN LATERAL (SELECT coalesce(l.task_id_of_line, f.task_id_of_row) AS task_id) i
) r WHERE r.rule IS NOT NULL;

-- name: entity_log(entity, low, high, entity_moves)
-- The log of datasets, workers or queues, replayed. A dataset that a task still writes is open in its row, and in lines of the first release, which may
-- be followed by newer ones.
SELECT r.rule, r.entity_id AS id, r.event_id AS part, r.entity, r.event, r.from_status, r.to_status, r.status_before, r.status FROM (
    SELECT entity_id, l.event_id, l.event, l.from_status, l.to_status, l.status_before, f.status, :entity AS entity, CASE
        WHEN CASE l.from_status WHEN 'mutable' THEN 'open' ELSE l.from_status END IS DISTINCT FROM l.status_before THEN 'log_chain'
        WHEN NOT coalesce(l.from_status, '') || ' ' || l.event || ' ' || l.to_status = ANY (:entity_moves::text[]) THEN 'log_move'
        WHEN l.at < l.at_before - interval '1 s' THEN 'log_order'
        WHEN (l.is_last IS NULL OR l.is_last)
            AND CASE l.to_status WHEN 'mutable' THEN 'open' WHEN 'deleted' THEN 'removed' ELSE l.to_status END IS DISTINCT FROM f.status THEN 'log_status'
        END AS rule
    FROM (
        SELECT e.event_id, e.event, e.from_status, e.to_status, e.at,
            lag(CASE e.to_status WHEN 'mutable' THEN 'open' ELSE e.to_status END) OVER w AS status_before, lag(e.at) OVER w AS at_before,
            lead(e.event_id) OVER w IS NULL AS is_last, CASE WHEN lead(e.event_id) OVER w IS NULL THEN e.entity_id END AS entity_id_of_last,
            e.entity_id AS entity_id_of_line
        FROM entity_event e WHERE e.entity = :entity AND e.entity_id >= :low AND e.entity_id < :high WINDOW w AS (PARTITION BY e.entity_id ORDER BY e.event_id)
    ) l FULL JOIN (
        SELECT worker_id::bigint AS entity_id_of_row, status FROM worker WHERE :entity = 'worker' AND worker_id >= :low AND worker_id < :high
        UNION ALL
        SELECT queue_id, status FROM queue WHERE :entity = 'queue' AND queue_id >= :low AND queue_id < :high
        UNION ALL
        SELECT dataset_id, CASE WHEN removed_at IS NOT NULL THEN 'removed' WHEN is_open THEN 'open' ELSE 'closed' END
        FROM dataset WHERE :entity = 'dataset' AND dataset_id >= :low AND dataset_id < :high
    ) f ON f.entity_id_of_row = l.entity_id_of_last
    CROSS JOIN LATERAL (SELECT coalesce(l.entity_id_of_line, f.entity_id_of_row) AS entity_id) i
) r WHERE r.rule IS NOT NULL;
