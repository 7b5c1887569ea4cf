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

-- name: find_sources(task_id)
-- Ties the datasets that a task waited for and that exist now; returns them with the task that makes each.
WITH found AS (
    UPDATE task_source s SET dataset_id = d.dataset_id FROM task_dataset td JOIN task t USING (task_id) JOIN dataset d USING (community_id)
    WHERE td.task_id = :task_id AND s.task_dataset_id = td.task_dataset_id AND s.dataset_id IS NULL AND d.removed_at IS NULL
        AND d.scope = split_part(s.did, ':', 1) AND d.name = split_part(s.did, ':', 2)
    RETURNING td.task_dataset_id, s.n, d.dataset_id, d.producer_task_id
)
SELECT task_dataset_id, dataset_id, producer_task_id FROM found ORDER BY task_dataset_id, n;

-- name: tie(task_dataset_ids, dataset_ids)!
-- Inputs that have no dataset yet get the first of theirs.
UPDATE task_dataset td SET dataset_id = a.dataset_id FROM (
    SELECT DISTINCT ON (task_dataset_id) * FROM unnest(:task_dataset_ids::bigint[], :dataset_ids::bigint[])
        WITH ORDINALITY AS n (task_dataset_id, dataset_id, place) ORDER BY task_dataset_id, place) a
WHERE td.task_dataset_id = a.task_dataset_id AND td.dataset_id IS NULL;

-- name: follow_producer(task_id, producer_task_id)!
UPDATE task SET parent_task_id = :producer_task_id WHERE task_id = :task_id AND parent_task_id IS NULL;

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
-- Makes the caller the only one who lists this input until its transaction ends; in a statement of its own, so that the next one sees what others listed. The
-- lock is no row's: jobs of the task may end, which changes counters, while its files are looked through.
SELECT pg_advisory_xact_lock(hashtext('panda listing'), hashint8(:task_dataset_id));

-- name: try_hold_input(task_dataset_id)$
-- The same, unless somebody else lists it now.
SELECT pg_try_advisory_xact_lock(hashtext('panda listing'), hashint8(:task_dataset_id));

-- name: seen(task_dataset_id)^
-- How far a listed input that is one open dataset has been seen; no row for all others.
SELECT td.seen_to, td.n_seen FROM task_dataset td JOIN task_input_dataset s USING (task_dataset_id) JOIN dataset d ON d.dataset_id = s.dataset_id
WHERE td.task_dataset_id = :task_dataset_id AND td.seen_to IS NOT NULL AND d.is_open
    AND NOT EXISTS (SELECT 1 FROM task_input_dataset o WHERE o.task_dataset_id = td.task_dataset_id AND o.dataset_id <> s.dataset_id);

-- name: prepare()$
-- Lets the next statements of this transaction sort some hundred thousand files without a temporary file, and be planned for what they are given.
SELECT set_config('work_mem', '64MB', true), set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: list_files(task_id, task_dataset_id, width, max_attempts, include, exclude, names, skip, max_files, max_events, sorting, events_per_file, events_per_unit, name_field, separator, by_attribute, after)^
-- Lists the files of an input that are not units yet: those that its patterns and names let through, in the wanted order, without the first ones that are
-- skipped, up to the wanted number of files and events; a file with more events than a unit may have becomes several. Files of one name in several datasets
-- count once. All is a function of the catalogue and the task's units, so that a later listing adds what is new and nothing twice. Numbers go on after the
-- last unit, by group where files have groups. What no job has had is noted in ranges of `width` numbers. Only files with ids above `after` are looked at.
-- Returns how many units, events and files are new, how many of the files have no known events (and one of them), how many files the datasets have, and of
-- those that were looked at the number and the highest id.
WITH source AS MATERIALIZED (
    SELECT s.dataset_id, s.n, d.n_files FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = :task_dataset_id
), seen AS MATERIALIZED (
    SELECT count(*) > 1 AS is_many, coalesce(sum(n_files), 0)::bigint AS n_files FROM source
), unit AS MATERIALIZED (
    SELECT coalesce((SELECT max(u.number) FROM task_file u WHERE u.task_dataset_id = :task_dataset_id), 0) AS last_number,
        CASE WHEN :max_events::bigint IS NOT NULL THEN (
            SELECT coalesce(sum(u.n_events), 0) FROM task_file u WHERE u.task_dataset_id = :task_dataset_id AND u.status <> 'removed') END AS n_events,
        CASE WHEN :max_files::bigint IS NOT NULL THEN (
            SELECT count(DISTINCT u.file_id) FROM task_file u WHERE u.task_dataset_id = :task_dataset_id AND u.status <> 'removed') END AS n_files
), looked_at AS MATERIALIZED (
    SELECT count(*) AS n, max(f.file_id) AS highest FROM source s JOIN file f USING (dataset_id) WHERE f.file_id > :after::bigint
), candidate AS (
    SELECT f.file_id, f.name, f.size_bytes, coalesce(f.events, :events_per_file::bigint) AS events, f.boundary, s.n,
        EXISTS (SELECT 1 FROM task_file u WHERE u.task_dataset_id = :task_dataset_id AND u.file_id = f.file_id) AS is_unit
    FROM source s JOIN file f USING (dataset_id)
    WHERE f.file_id > :after::bigint AND (cardinality(:include::text[]) = 0 OR f.name ~ ANY (:include::text[])) AND (cardinality(:exclude::text[]) = 0 OR NOT (f.name ~ ANY (:exclude::text[])))
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
)
SELECT t.n AS n_units, t.events::bigint AS n_events, g.n_files, g.n_unknown, g.unknown, s.n_files AS n_there, l.n AS n_looked_at, l.highest
FROM total t, seen s, looked_at l,
    (SELECT count(*) AS n_files, count(*) FILTER (WHERE events IS NULL) AS n_unknown, min(name) FILTER (WHERE events IS NULL) AS unknown FROM grouped) g;

-- name: note_listed(task_dataset_id, n_units, n_events, n_seen, seen_to, grows, took_seconds)$
-- Counts what was listed of an input, whose row the caller holds, and notes how much of it was seen. It is complete, which is returned, when no more can come:
-- as its datasets are now, not as they were when the listing began. Where the next listing looks at all files again (took_seconds of this one are more than 0),
-- it is not made at once when this one took long, as long as the datasets are open: a fifth of the time is enough for it.
WITH source AS (
    SELECT coalesce(sum(d.n_files), 0) AS n_files, coalesce(bool_or(d.is_open), false) AS is_open
    FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = :task_dataset_id
)
UPDATE task_dataset SET n_listed = n_listed + :n_units::bigint, n_events = task_dataset.n_events + :n_events::bigint, n_seen = :n_seen::bigint, seen_to = :seen_to,
    is_complete = NOT :grows::boolean OR (NOT source.is_open AND source.n_files = :n_seen::bigint), status = 'ready',
    next_listing_at = CASE WHEN source.is_open AND n_seen IS NOT NULL AND :took_seconds::float8 > 0.25 THEN clock_timestamp() + make_interval(secs => 4 * :took_seconds::float8) END
FROM source WHERE task_dataset_id = :task_dataset_id RETURNING is_complete;

-- name: note_seen(task_dataset_id, grows)$
-- Notes how many files an input has now and whether more may come, which it returns as `is_complete`.
WITH seen AS (
    SELECT coalesce(sum(d.n_files), 0) AS n_files, coalesce(bool_or(d.is_open), false) AS is_open
    FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = :task_dataset_id
)
UPDATE task_dataset SET n_seen = seen.n_files, is_complete = NOT (seen.is_open AND :grows::boolean), status = 'ready' FROM seen
WHERE task_dataset_id = :task_dataset_id RETURNING is_complete;

-- name: chosen_files(dataset_ids, seed, include, exclude, names, skip, max_files, max_events, sorting, events_per_file, most, unless_numbered_by)
-- The files of datasets (in this order, containers replaced by what is in them) that an input takes, in the wanted order; at most `most` of them, and none
-- that has a number in the secondary input `unless_numbered_by`.
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
SELECT file_id, name, size_bytes, events, boundary FROM (
    SELECT c.* FROM chosen c WHERE :max_events::bigint IS NULL OR c.before < :max_events::bigint ORDER BY c.rank LIMIT least(:max_files::bigint, :most::bigint)
) taken
WHERE :unless_numbered_by::bigint IS NULL
    OR NOT EXISTS (SELECT 1 FROM secondary_file s WHERE s.task_dataset_id = :unless_numbered_by::bigint AND s.file_id = taken.file_id)
ORDER BY rank;

-- name: growing(statuses, n, only)
-- Inputs of active tasks, primary and secondary, whose datasets have grown or closed since they were listed; not of those that wait for a dataset that
-- does not exist yet: all their inputs are listed when it does. With `only`, this input alone.
SELECT td.task_dataset_id, td.task_id, td.stream, td.is_master, p.document, t.ordered
FROM task_dataset td JOIN task t USING (task_id) JOIN task_template p USING (task_id, version)
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(d.is_open), false) AS is_open, coalesce(sum(d.n_files), 0) AS n_files
    FROM task_input_dataset s JOIN dataset d USING (dataset_id) WHERE s.task_dataset_id = td.task_dataset_id
) g
WHERE td.role = 'input' AND NOT td.is_complete AND td.status <> 'defined' AND t.status = ANY (:statuses::text[])
    AND (g.n_files <> coalesce(td.n_seen, td.n_listed) OR NOT g.is_open) AND (td.next_listing_at IS NULL OR td.next_listing_at <= now() OR NOT g.is_open)
    AND (:only::bigint IS NULL OR td.task_dataset_id = :only)
    AND NOT EXISTS (SELECT 1 FROM task_dataset m JOIN task_source s USING (task_dataset_id) WHERE m.task_id = td.task_id AND s.dataset_id IS NULL)
ORDER BY td.task_dataset_id LIMIT :n;

-- name: drop_missing(task_dataset_id)!
-- Forgets the datasets of an input that do not exist: the task is not to wait for them.
DELETE FROM task_source WHERE task_dataset_id = :task_dataset_id AND dataset_id IS NULL;

-- name: complete_numbers(task_dataset_id)!
UPDATE task_dataset SET is_complete = true WHERE task_dataset_id = :task_dataset_id;

-- name: put_off(task_dataset_id, seconds)!
UPDATE task_dataset SET next_listing_at = now() + make_interval(secs => :seconds) WHERE task_dataset_id = :task_dataset_id;

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
