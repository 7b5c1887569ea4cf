-- name: make_ahead(parents)$
-- Only looks when an id came near the end of what exists, so that an idle round costs next to nothing.
SELECT coalesce(sum(make_partitions(p.parent, p.id, 1000000, 3)), 0)::bigint
FROM (
    SELECT parent, (SELECT last_value FROM job_id) AS id FROM unnest(:parents::text[]) AS j (parent)
    UNION ALL
    SELECT 'task_event', coalesce((SELECT max(task_id) FROM task), 10000000)
) p
WHERE to_regclass(p.parent || '_' || (p.id / 1000000 + 3) * 1000000) IS NULL;

-- name: ranges(parent)
-- The partitions of a table by the ids that they hold, lowest first; one that is being detached counts no more.
SELECT (r.bounds)[1]::bigint AS from_id, (r.bounds)[2]::bigint AS to_id FROM (
    SELECT regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(\d+)''\) TO \(''(\d+)''\)') AS bounds
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = (:parent::text)::regclass AND NOT i.inhdetachpending
) r ORDER BY 1;

-- name: state(child)$
-- What a partition is: attached, detaching (a detach that was cut off), detached (a table of its own); no row when there is no such table.
SELECT CASE WHEN i.inhrelid IS NULL THEN 'detached' WHEN i.inhdetachpending THEN 'detaching' ELSE 'attached' END
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid = to_regclass(:child::text);
