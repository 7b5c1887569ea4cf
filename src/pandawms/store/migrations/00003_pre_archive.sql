-- The archive: room made ahead of need without a lock that jobs feel, retention and export, look-ups that stay fast, counts that are kept.
-- Safe under the code before it: it adds tables, indexes and functions, and the new make_partitions answers the old call.

-- Partitions -------------------------------------------------------------------------------------------------------

-- Makes the partitions of one log or archive that hold the given id and the next `ahead` ones; the watch stage calls it ahead of need. CREATE TABLE …
-- PARTITION OF would take ACCESS EXCLUSIVE on the parent and so wait for every job that is under way, and every job for it; ATTACH PARTITION takes
-- SHARE UPDATE EXCLUSIVE, beside which rows are read and written. (It would lock tables at the other end of foreign keys: the parents have none.) An
-- empty table needs no CHECK to be attached without a scan. One caller at a time; others find the work done or being done.
DROP FUNCTION make_partitions(text, bigint, bigint);
CREATE FUNCTION make_partitions(parent text, id bigint, width bigint, ahead integer DEFAULT 3) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0;
    lower_bound bigint;
    child text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('make_partitions'), hashtext(parent)) THEN
        RETURN 0;
    END IF;
    FOR step IN 0..ahead LOOP
        lower_bound := (id / width + step) * width;
        child := parent || '_' || lower_bound;
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, child, lower_bound, lower_bound + width);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

-- Retention and export ----------------------------------------------------------------------------------------------

-- A range of job ids (one partition) whose details are being written to files, are written, are out of the database (retired), or whose narrow archive
-- rows are out of it, too (gone). From `written` on the files are the truth about job_spec, job_file and job_event of the range.
CREATE TABLE archive_range (
    from_id bigint PRIMARY KEY,
    to_id bigint NOT NULL CHECK (to_id > from_id),
    state text NOT NULL CHECK (state IN ('writing', 'written', 'retired', 'gone')),
    n_jobs bigint NOT NULL CHECK (n_jobs >= 0),
    last_ended_at timestamptz,
    started_at timestamptz NOT NULL DEFAULT now(),
    written_at timestamptz,
    retired_at timestamptz,
    gone_at timestamptz,
    CHECK ((written_at IS NULL) = (state = 'writing')),
    CHECK ((retired_at IS NOT NULL) = (state IN ('retired', 'gone'))),
    CHECK ((gone_at IS NOT NULL) = (state = 'gone'))
);

-- A file of a range: one table, complete, under its final name.
CREATE TABLE archive_file (
    from_id bigint NOT NULL REFERENCES archive_range,
    table_name text NOT NULL CHECK (table_name IN ('job_spec', 'job_file', 'job_event', 'job_archive')),
    path text NOT NULL,
    n_rows bigint NOT NULL CHECK (n_rows >= 0),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (from_id, table_name)
);

-- Look-ups -----------------------------------------------------------------------------------------------------------

-- By time: ended_at follows the id roughly, so that a few bytes a block are enough.
CREATE INDEX job_archive_ended ON job_archive USING brin (ended_at) WITH (pages_per_range = 32, autosummarize = on);
-- By status: what did not finish is rare, and what is looked for.
CREATE INDEX job_archive_unfinished ON job_archive (job_id) WHERE status <> 'finished';
CREATE INDEX job_archive_task_unfinished ON job_archive (task_id, job_id) WHERE status <> 'finished';
-- Which job tried again what another failed to do: few jobs are such.
CREATE INDEX job_spec_previous ON job_spec (previous_job_id) WHERE previous_job_id IS NOT NULL;
-- By user, and by name.
CREATE INDEX task_owner ON task (owner_id, task_id);
CREATE INDEX task_called ON task (name, task_id);

-- Counts that are kept -----------------------------------------------------------------------------------------------

-- How many hot jobs each queue and share has by status, as of a moment: counted again when somebody asks and it is old, so that no claim pays for it.
CREATE TABLE job_fill (
    queue_id integer NOT NULL,
    share_id integer NOT NULL,
    status text NOT NULL CHECK (status IN (
        'pending', 'defined', 'waiting', 'assigned', 'activated', 'throttled', 'sent', 'starting', 'stagein', 'running', 'stageout', 'holding',
        'transferring', 'merging')),
    n bigint NOT NULL CHECK (n > 0),
    PRIMARY KEY (queue_id, share_id, status)
) WITH (fillfactor = 50);

CREATE TABLE job_fill_age (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    counted_at timestamptz NOT NULL,
    n bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO job_fill_age (counted_at, n) VALUES ('-infinity', 0);

-- Counting costs about 0.3 us a row, and a count is believed for 10 us a row: 0.1 s at ten thousand jobs, 10 s at a million, 3 % of a core at most.
-- Fewer than ten thousand are counted anew each time. One caller counts, the others take what is there; so does who may not write.
CREATE FUNCTION refresh_job_fill() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_read_only')::boolean THEN
        RETURN false;
    END IF;
    PERFORM 1 FROM job_fill_age WHERE n < 10000 OR counted_at < clock_timestamp() - n * interval '10 us' FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    WITH counted AS MATERIALIZED (
        SELECT queue_id, share_id, status, count(*) AS n FROM job GROUP BY queue_id, share_id, status
    ), gone AS (
        DELETE FROM job_fill f WHERE NOT EXISTS (
            SELECT 1 FROM counted c WHERE c.queue_id = f.queue_id AND c.share_id = f.share_id AND c.status = f.status)
    ), kept AS (
        INSERT INTO job_fill AS f (queue_id, share_id, status, n) SELECT queue_id, share_id, status, n FROM counted
        ON CONFLICT (queue_id, share_id, status) DO UPDATE SET n = excluded.n WHERE f.n <> excluded.n
    )
    UPDATE job_fill_age SET counted_at = clock_timestamp(), n = (SELECT coalesce(sum(c.n), 0) FROM counted c);
    RETURN true;
END
$$;

-- The jobs of large tasks by status, as of a moment: believed by the same rule, and for ever once the task has ended.
CREATE TABLE task_fill (
    task_id bigint PRIMARY KEY REFERENCES task,
    counted_at timestamptz NOT NULL,
    n bigint NOT NULL,
    counts jsonb NOT NULL
);

SELECT make_partitions(p.parent, (SELECT last_value FROM job_id), 1000000)
FROM unnest(ARRAY['job_spec', 'job_file', 'job_archive', 'job_event']) AS p (parent);
SELECT make_partitions('task_event', (SELECT coalesce(max(task_id), 10000000) FROM task), 1000000);
