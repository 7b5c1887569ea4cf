-- name: add_sources(task_dataset_id, dids, dataset_ids)!
-- Datasets of an input in their order, after those that it has; those that do not exist yet without an id.
INSERT INTO task_source (task_dataset_id, n, did, dataset_id)
SELECT :task_dataset_id, s.n + (SELECT coalesce(max(k.n), 0) FROM task_source k WHERE k.task_dataset_id = :task_dataset_id), s.did, s.dataset_id
FROM unnest(:dids::text[], :dataset_ids::bigint[]) WITH ORDINALITY AS s (did, dataset_id, n);

-- name: sources(task_dataset_id)
-- The datasets of an input that names several, or one that did not exist.
SELECT did FROM task_source WHERE task_dataset_id = :task_dataset_id ORDER BY n;

-- name: missing(task_id)
-- The datasets that the inputs of a task name and that did not exist when it was looked last.
SELECT td.stream, s.did FROM task_dataset td JOIN task_source s USING (task_dataset_id)
WHERE td.task_id = :task_id AND s.dataset_id IS NULL ORDER BY td.task_dataset_id, s.n;

-- name: find_sources(task_id)!
-- Ties the datasets that a task waited for and that exist now, and the task to the one that makes the first of them.
WITH found AS (
    UPDATE task_source s SET dataset_id = d.dataset_id FROM task_dataset td JOIN task t USING (task_id) JOIN dataset d USING (community_id)
    WHERE td.task_id = :task_id AND s.task_dataset_id = td.task_dataset_id AND s.dataset_id IS NULL AND d.removed_at IS NULL
        AND d.scope = split_part(s.did, ':', 1) AND d.name = split_part(s.did, ':', 2)
    RETURNING td.task_dataset_id, s.n, d.dataset_id, d.producer_task_id
), tied AS (
    UPDATE task_dataset td SET dataset_id = f.dataset_id FROM (SELECT DISTINCT ON (task_dataset_id) * FROM found ORDER BY task_dataset_id, n) f
    WHERE td.task_dataset_id = f.task_dataset_id AND td.dataset_id IS NULL
)
UPDATE task SET parent_task_id = (SELECT producer_task_id FROM found WHERE producer_task_id IS NOT NULL ORDER BY task_dataset_id, n LIMIT 1)
WHERE task_id = :task_id AND parent_task_id IS NULL AND EXISTS (SELECT 1 FROM found WHERE producer_task_id IS NOT NULL AND producer_task_id <> :task_id);

-- name: waiting_found(n)
-- Tasks that wait for a dataset which exists now, each for the caller alone until its transaction ends.
SELECT t.task_id FROM task t
WHERE t.status = 'pending' AND t.ended_at IS NULL AND t.reason ->> 'code' = 'input.missing' AND EXISTS (
    SELECT 1 FROM task_dataset td JOIN task_source s USING (task_dataset_id) JOIN dataset d ON d.scope = split_part(s.did, ':', 1)
        AND d.name = split_part(s.did, ':', 2) AND d.removed_at IS NULL AND d.community_id = t.community_id
    WHERE td.task_id = t.task_id AND s.dataset_id IS NULL)
ORDER BY t.task_id LIMIT :n FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: unlisted(n)
-- Ready tasks whose primary input was never listed: a reassign or a retry took them from their wait for it. Each for the caller alone until its transaction
-- ends.
SELECT t.task_id FROM task t
WHERE t.status = 'ready' AND t.ended_at IS NULL AND EXISTS (
    SELECT 1 FROM task_dataset td WHERE td.task_id = t.task_id AND td.is_master AND td.status = 'defined' AND NOT td.is_complete)
ORDER BY t.task_id LIMIT :n FOR NO KEY UPDATE OF t SKIP LOCKED;

-- name: hold_input(task_dataset_id)!
-- Makes the caller the only one who lists this input; in a statement of its own, so that the next one sees what others listed.
SELECT 1 FROM task_dataset WHERE task_dataset_id = :task_dataset_id FOR NO KEY UPDATE;

-- name: sort_in_memory()$
-- Lets the next statements of this transaction sort some hundred thousand files without a temporary file.
SELECT set_config('work_mem', '64MB', true);

-- name: list_files(task_id, task_dataset_id, width, max_attempts, include, exclude, names, skip, max_files, max_events, sorting, events_per_file, events_per_unit, name_field, separator, by_attribute, grows)^
-- Lists the files of an input that are not units yet: those that its patterns and names let through, in the wanted order, without the first ones that are
-- skipped, up to the wanted number of files and events; a file with more events than a unit may have becomes several. Files of one name in several datasets
-- count once. All is a function of the catalogue and the task's units, so that a later listing adds what is new and nothing twice. Numbers go on after the
-- last unit, by group where files have groups. What no job has had is noted in ranges of `width` numbers.
-- Returns how many units and files are new, how many of the files have no known events (and one of them), and whether the input is complete now.
WITH source AS MATERIALIZED (
    SELECT s.dataset_id, s.n, d.n_files, d.is_open FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = :task_dataset_id
), seen AS MATERIALIZED (
    SELECT count(*) > 1 AS is_many, coalesce(sum(n_files), 0) AS n_files, coalesce(bool_or(is_open), false) AS is_open FROM source
), unit AS MATERIALIZED (
    SELECT coalesce(max(u.number), 0) AS last_number, coalesce(sum(u.n_events) FILTER (WHERE u.status <> 'removed'), 0) AS n_events,
        CASE WHEN :max_files::bigint IS NOT NULL THEN count(DISTINCT u.file_id) FILTER (WHERE u.status <> 'removed') ELSE 0 END AS n_files
    FROM task_file u WHERE u.task_dataset_id = :task_dataset_id
), candidate AS (
    SELECT f.file_id, f.name, f.size_bytes, coalesce(f.events, :events_per_file::bigint) AS events, f.boundary, s.n, u.file_id IS NOT NULL AS is_unit
    FROM source s JOIN file f USING (dataset_id)
    LEFT JOIN (SELECT DISTINCT file_id FROM task_file WHERE task_dataset_id = :task_dataset_id AND file_id IS NOT NULL) u USING (file_id)
    WHERE (cardinality(:include::text[]) = 0 OR f.name ~ ANY (:include::text[])) AND (cardinality(:exclude::text[]) = 0 OR NOT (f.name ~ ANY (:exclude::text[])))
        AND (cardinality(:names::text[]) = 0 OR f.name = ANY (:names::text[]))
), distinct_one AS (
    SELECT c.* FROM candidate c WHERE NOT (SELECT is_many FROM seen)
    UNION ALL
    SELECT file_id, name, size_bytes, events, boundary, n, is_unit FROM (
        SELECT c.*, row_number() OVER (PARTITION BY c.name ORDER BY c.is_unit DESC, c.n, c.file_id) AS twin FROM candidate c WHERE (SELECT is_many FROM seen)
    ) t WHERE twin = 1
), ranked AS (
    SELECT d.*, row_number() OVER (ORDER BY CASE WHEN :sorting = 'name' THEN d.name COLLATE "C" END, CASE :sorting WHEN 'size' THEN d.size_bytes
        WHEN 'events' THEN d.events WHEN 'random' THEN hashint8extended(d.file_id, :task_dataset_id) END DESC NULLS LAST, d.n, d.file_id) AS rank
    FROM distinct_one d
), fresh AS (
    SELECT file_id, name, events, boundary, rank FROM ranked WHERE rank > :skip::bigint AND NOT is_unit
    ORDER BY rank LIMIT CASE WHEN :max_files::bigint IS NOT NULL THEN greatest(0, :max_files::bigint - (SELECT n_files FROM unit)) END
), limited AS (
    SELECT f.*, f.events AS used FROM fresh f WHERE :max_events::bigint IS NULL
    UNION ALL
    SELECT file_id, name, events, boundary, rank, CASE WHEN events IS NOT NULL THEN least(events, room) END FROM (
        SELECT f.*, :max_events::bigint - (SELECT n_events FROM unit) - coalesce(sum(f.events) OVER (ORDER BY f.rank ROWS BETWEEN UNBOUNDED PRECEDING
            AND 1 PRECEDING), 0) AS room FROM fresh f WHERE :max_events::bigint IS NOT NULL
    ) r WHERE room > 0
), grouped AS MATERIALIZED (
    SELECT l.file_id, l.name, l.events, l.used, l.rank,
        CASE WHEN :name_field::integer IS NOT NULL THEN split_part(l.name, :separator, :name_field::integer)
            WHEN :by_attribute::boolean THEN coalesce(l.boundary, '') END AS boundary,
        CASE WHEN l.used > :events_per_unit::bigint THEN (l.used - 1) / :events_per_unit::bigint ELSE 0 END AS last_part
    FROM limited l
), part AS (
    SELECT g.file_id, g.rank, g.boundary, g.last_part, g.events, g.used, 0::bigint AS i FROM grouped g
    UNION ALL
    SELECT g.file_id, g.rank, g.boundary, g.last_part, g.events, g.used, p.i FROM grouped g CROSS JOIN LATERAL generate_series(1, g.last_part) AS p (i)
    WHERE g.last_part > 0
), added AS (
    INSERT INTO task_file (task_id, task_dataset_id, file_id, number, first_event, n_events, boundary, status, max_attempts, is_ranged)
    SELECT :task_id, :task_dataset_id, p.file_id, (SELECT last_number FROM unit) + row_number() OVER (ORDER BY p.boundary COLLATE "C", p.rank, p.i),
        CASE WHEN p.last_part > 0 OR p.used < p.events THEN p.i * coalesce(:events_per_unit::bigint, 0) END,
        CASE WHEN p.last_part > 0 THEN least(:events_per_unit::bigint, p.used - p.i * :events_per_unit::bigint) ELSE p.used END,
        p.boundary, 'ready', :max_attempts, true
    FROM part p
    RETURNING n_events, number
), total AS MATERIALIZED (
    SELECT count(*) AS n, coalesce(sum(n_events), 0) AS events, min(number) AS low, max(number) AS high FROM added
), ranged AS (
    INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts)
    SELECT :task_dataset_id, i, least(i + :width::integer - 1, t.high), :task_id, true, :max_attempts
    FROM total t CROSS JOIN LATERAL generate_series(t.low, t.high, :width::integer) AS g (i)
), listed AS (
    UPDATE task_dataset SET n_listed = n_listed + t.n, n_events = n_events + t.events, n_seen = s.n_files, is_complete = NOT (s.is_open AND :grows::boolean),
        status = 'ready'
    FROM total t, seen s WHERE task_dataset_id = :task_dataset_id RETURNING t.n, is_complete
)
SELECT l.n AS n_units, l.is_complete, g.n_files, g.n_unknown, g.unknown
FROM listed l, (SELECT count(*) AS n_files, count(*) FILTER (WHERE events IS NULL) AS n_unknown, min(name) FILTER (WHERE events IS NULL) AS unknown FROM grouped) g;

-- name: note_secondary(task_dataset_id, grows)$
-- Notes how many files a secondary input has now and whether more may come, which it returns as `is_complete`.
WITH seen AS (
    SELECT coalesce(sum(d.n_files), 0) AS n_files, coalesce(bool_or(d.is_open), false) AS is_open
    FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = :task_dataset_id
)
UPDATE task_dataset SET n_seen = seen.n_files, is_complete = NOT (seen.is_open AND :grows::boolean), status = 'ready' FROM seen
WHERE task_dataset_id = :task_dataset_id RETURNING is_complete;

-- name: chosen_files(dataset_ids, seed, include, exclude, names, skip, max_files, max_events, sorting, events_per_file, most)
-- The files of datasets (in this order, containers replaced by what is in them) that an input takes, in the wanted order; at most `most` of them.
WITH source AS MATERIALIZED (
    SELECT dataset_id, min(n) AS n FROM (
        SELECT g.dataset_id, g.n FROM unnest(:dataset_ids::bigint[]) WITH ORDINALITY AS g (dataset_id, n)
        UNION ALL
        SELECT m.dataset_id, g.n FROM unnest(:dataset_ids::bigint[]) WITH ORDINALITY AS g (dataset_id, n) JOIN dataset_member m ON m.container_id = g.dataset_id
    ) d GROUP BY dataset_id
), candidate AS (
    SELECT f.file_id, f.name, f.size_bytes, coalesce(f.events, :events_per_file::bigint) AS events, f.boundary, s.n,
        row_number() OVER (PARTITION BY f.name ORDER BY s.n, f.file_id) AS twin
    FROM source s JOIN file f USING (dataset_id)
    WHERE (cardinality(:include::text[]) = 0 OR f.name ~ ANY (:include::text[])) AND (cardinality(:exclude::text[]) = 0 OR NOT (f.name ~ ANY (:exclude::text[])))
        AND (cardinality(:names::text[]) = 0 OR f.name = ANY (:names::text[]))
), ranked AS (
    SELECT c.*, row_number() OVER (ORDER BY CASE WHEN :sorting = 'name' THEN c.name COLLATE "C" END, CASE :sorting WHEN 'size' THEN c.size_bytes
        WHEN 'events' THEN c.events WHEN 'random' THEN hashint8extended(c.file_id, :seed::bigint) END DESC NULLS LAST, c.n, c.file_id) AS rank
    FROM candidate c WHERE c.twin = 1
), chosen AS (
    SELECT r.*, coalesce(sum(r.events) OVER (ORDER BY r.rank ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before
    FROM ranked r WHERE r.rank > :skip::bigint
)
SELECT file_id, name, size_bytes, events, boundary FROM chosen WHERE :max_events::bigint IS NULL OR before < :max_events::bigint ORDER BY rank LIMIT least(:max_files::bigint, :most::bigint);

-- name: growing(statuses, n)
-- Inputs of active tasks, primary and secondary, whose datasets have grown or closed since they were listed; not of those that wait for a dataset that
-- does not exist yet: all their inputs are listed when it does.
SELECT td.task_dataset_id, td.task_id, td.stream, td.is_master, p.document
FROM task_dataset td JOIN task t USING (task_id) JOIN task_template p USING (task_id, version)
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(d.is_open), false) AS is_open, coalesce(sum(d.n_files), 0) AS n_files
    FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = td.task_dataset_id
) g
WHERE td.role = 'input' AND NOT td.is_complete AND td.status <> 'defined' AND t.status = ANY (:statuses::text[])
    AND (g.n_files <> coalesce(td.n_seen, td.n_listed) OR NOT g.is_open)
    AND NOT EXISTS (SELECT 1 FROM task_dataset m JOIN task_source s USING (task_dataset_id) WHERE m.task_id = td.task_id AND s.dataset_id IS NULL)
ORDER BY td.task_dataset_id LIMIT :n FOR NO KEY UPDATE OF td SKIP LOCKED;

-- name: drop_missing(task_dataset_id)!
-- Forgets the datasets of an input that do not exist: the task is not to wait for them.
DELETE FROM task_source WHERE task_dataset_id = :task_dataset_id AND dataset_id IS NULL;

-- name: complete_numbers(task_dataset_id)!
UPDATE task_dataset SET is_complete = true WHERE task_dataset_id = :task_dataset_id;

-- name: open_sources()
-- Names of datasets from outside that active tasks read beside the first of an input, or wait for.
SELECT DISTINCT s.did FROM task_source s JOIN task_dataset td USING (task_dataset_id) JOIN task t USING (task_id) LEFT JOIN dataset d ON d.dataset_id = s.dataset_id
WHERE NOT td.is_complete AND t.ended_at IS NULL AND (s.dataset_id IS NULL OR d.is_open AND d.producer_task_id IS NULL);

-- name: endpoints(task_id)
-- The endpoints that hold at least one file of an input of the task.
SELECT DISTINCT r.endpoint_id FROM task_dataset td JOIN task_input_dataset s USING (task_dataset_id) JOIN file f ON f.dataset_id = s.dataset_id
JOIN replica r USING (file_id) WHERE td.task_id = :task_id;

-- name: count_files(dataset_ids, include, exclude, names, events_per_file)^
-- How many files these datasets have that the patterns and names let through, with their bytes and events.
SELECT count(*) AS n_files, coalesce(sum(f.size_bytes), 0)::bigint AS n_bytes, coalesce(sum(coalesce(f.events, :events_per_file::bigint)), 0)::bigint AS n_events
FROM file f
WHERE f.dataset_id IN (SELECT unnest(:dataset_ids::bigint[]) UNION SELECT m.dataset_id FROM dataset_member m WHERE m.container_id = ANY (:dataset_ids::bigint[]))
    AND (cardinality(:include::text[]) = 0 OR f.name ~ ANY (:include::text[])) AND (cardinality(:exclude::text[]) = 0 OR NOT (f.name ~ ANY (:exclude::text[])))
    AND (cardinality(:names::text[]) = 0 OR f.name = ANY (:names::text[]));

-- name: dataset_ids(task_dataset_id)
-- The datasets that an input reads.
SELECT dataset_id FROM task_input_dataset WHERE task_dataset_id = :task_dataset_id ORDER BY n, dataset_id;

-- name: reach(task_dataset_id)^
-- The last number of a pseudo input, and the event after its last one (null without events).
SELECT greatest((SELECT max(u.number) FROM task_file u WHERE u.task_dataset_id = :task_dataset_id),
        (SELECT max(r.to_number) FROM task_range r WHERE r.task_dataset_id = :task_dataset_id), 0) AS last_number,
    greatest((SELECT max(u.first_event + u.n_events) FROM task_file u WHERE u.task_dataset_id = :task_dataset_id),
        (SELECT max(r.end_event) FROM task_range r WHERE r.task_dataset_id = :task_dataset_id)) AS next_event;
