-- name: make_ahead()$
-- Only looks when an id came near the end of what exists, so that an idle round costs next to nothing.
SELECT coalesce(sum(make_partitions(p.parent, p.id, 1000000)), 0)::bigint
FROM (
    SELECT parent, (SELECT last_value FROM job_id) AS id FROM unnest(ARRAY['job_spec', 'job_file', 'job_archive', 'job_event']) AS j (parent)
    UNION ALL
    SELECT 'task_event', coalesce((SELECT max(task_id) FROM task), 10000000)
) p
WHERE to_regclass(p.parent || '_' || (p.id / 1000000 + 1) * 1000000) IS NULL;
