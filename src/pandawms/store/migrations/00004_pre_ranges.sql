-- Untouched units as ranges of their numbers: a pseudo input needs no row for a unit before its first job, and the first job of a file's unit changes no index.
-- Safe under the code before it: rows that it makes are found as they were, and it never sees a range.

-- Units of an input that no job has had. Those of a pseudo input have no row yet: they are born with their first job. Those of files have rows, which are
-- marked as `is_ranged`. Who makes jobs locks a range (SKIP LOCKED) and takes from it what its jobs get, in one transaction, so that nothing is lost with it.
-- Number n begins with event first_event + (n - from_number) * unit_events and has unit_events of them, the last one less (up to end_event, exclusive);
-- without unit_events there are no events to count, and first_event numbers the pieces themselves.
CREATE TABLE task_range (
    task_dataset_id bigint NOT NULL REFERENCES task_dataset,
    from_number integer NOT NULL,
    to_number integer NOT NULL,
    task_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'cancelled')),
    has_rows boolean NOT NULL,
    max_attempts smallint NOT NULL CHECK (max_attempts > 0),
    first_event bigint,
    unit_events bigint CHECK (unit_events > 0),
    end_event bigint,
    PRIMARY KEY (task_dataset_id, from_number),
    CHECK (from_number <= to_number),
    CHECK (NOT has_rows OR (status = 'ready' AND first_event IS NULL)),
    CHECK ((unit_events IS NULL) = (end_event IS NULL) AND (unit_events IS NULL OR first_event IS NOT NULL)),
    CHECK (end_event > first_event + (to_number - from_number)::bigint * unit_events
        AND end_event <= first_event + (to_number - from_number + 1)::bigint * unit_events)
) WITH (fillfactor = 50);
CREATE INDEX task_range_of_task ON task_range (task_id, from_number);

-- Locks ranges of a task in the order of their numbers, as many as it takes to have so many units, passing over those that others hold; when others hold all
-- of them it may wait for the first. Returns the parts that the caller may use: they stay untouched until use_range.
CREATE FUNCTION take_ranges(of_task bigint, wanted bigint, may_wait boolean) RETURNS SETOF task_range LANGUAGE plpgsql AS $$
DECLARE
    free CURSOR FOR SELECT * FROM task_range r WHERE r.task_id = of_task AND r.status = 'ready' ORDER BY r.from_number FOR UPDATE SKIP LOCKED;
    held task_range;
    n_taken bigint := 0;
BEGIN
    OPEN free;
    WHILE n_taken < wanted LOOP
        FETCH free INTO held;
        IF NOT FOUND AND n_taken = 0 AND may_wait THEN
            SELECT * INTO held FROM task_range r WHERE r.task_id = of_task AND r.status = 'ready' ORDER BY r.from_number LIMIT 1 FOR UPDATE;
        END IF;
        EXIT WHEN NOT FOUND;
        held.to_number := least(held.to_number, held.from_number + wanted - n_taken - 1);
        n_taken := n_taken + held.to_number - held.from_number + 1;
        RETURN NEXT held;
    END LOOP;
    CLOSE free;
END
$$;

-- Takes numbers out of the ranges that hold them, and returns how many there were.
CREATE FUNCTION use_range(of_dataset bigint, low integer, high integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    held task_range;
    n_used integer := 0;
    first_used integer;
    last_used integer;
BEGIN
    FOR held IN
        SELECT * FROM task_range r WHERE r.task_dataset_id = of_dataset AND r.status = 'ready' AND r.from_number <= high AND r.to_number >= low
        ORDER BY r.from_number FOR UPDATE
    LOOP
        first_used := greatest(held.from_number, low);
        last_used := least(held.to_number, high);
        n_used := n_used + last_used - first_used + 1;
        IF first_used > held.from_number AND last_used < held.to_number THEN
            INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts, first_event, unit_events, end_event)
            VALUES (held.task_dataset_id, last_used + 1, held.to_number, held.task_id, held.has_rows, held.max_attempts,
                held.first_event + (last_used + 1 - held.from_number) * coalesce(held.unit_events, 1), held.unit_events, held.end_event);
        END IF;
        IF first_used > held.from_number THEN
            UPDATE task_range SET to_number = first_used - 1, end_event = least(end_event, first_event + (first_used - from_number) * unit_events)
            WHERE task_dataset_id = held.task_dataset_id AND from_number = held.from_number;
        ELSIF last_used < held.to_number THEN
            UPDATE task_range SET from_number = last_used + 1, first_event = first_event + (last_used + 1 - from_number) * coalesce(unit_events, 1)
            WHERE task_dataset_id = held.task_dataset_id AND from_number = held.from_number;
        ELSE
            DELETE FROM task_range WHERE task_dataset_id = held.task_dataset_id AND from_number = held.from_number;
        END IF;
    END LOOP;
    RETURN n_used;
END
$$;

-- The index of ready units is for those that a job had, and for those that are in no range. So the step to the first job leaves all indexes alone; half of each
-- page is kept free for it.
ALTER TABLE task_file ADD COLUMN is_ranged boolean NOT NULL DEFAULT false, DROP COLUMN standing;
ALTER TABLE task_file ADD COLUMN standing text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN status = 'ready' AND NOT (is_ranged AND attempt = 0) THEN 'ready' WHEN status = 'failed' AND attempt < max_attempts THEN 'retry'
        ELSE 'other' END) STORED;
CREATE INDEX task_file_ready ON task_file (task_id, number) WHERE standing = 'ready';
CREATE INDEX task_file_to_retry ON task_file (task_id) WHERE standing = 'retry';
ALTER TABLE task_file SET (fillfactor = 45);
-- A unit without a file needs no entry in the index of files.
ALTER TABLE task_file DROP CONSTRAINT task_file_task_dataset_id_file_id_key;
CREATE UNIQUE INDEX task_file_file ON task_file (task_dataset_id, file_id) WHERE file_id IS NOT NULL;
