-- name: make#
-- Tables of the narrowest shape that a job's life needs, for pgbench: hot row, event, archive row, file, unit, counter. 100 tasks; neighbours in the queue
-- belong to different ones, so that 16 clients seldom want the same counter.
DROP TABLE IF EXISTS limit_job, limit_event, limit_archive, limit_file, limit_unit, limit_counter;
CREATE TABLE limit_job (
    job_id bigint PRIMARY KEY, task_id bigint NOT NULL, claim_id uuid, lease_expires_at timestamptz, queue_id integer NOT NULL, priority integer NOT NULL,
    status text NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX limit_ready ON limit_job (queue_id, priority DESC, job_id) WHERE status = 'activated';
CREATE TABLE limit_event (
    event_id bigint GENERATED ALWAYS AS IDENTITY, job_id bigint NOT NULL, from_status text NOT NULL, to_status text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (job_id, event_id)
);
CREATE TABLE limit_archive (
    job_id bigint PRIMARY KEY, task_id bigint NOT NULL, claim_id uuid, queue_id integer NOT NULL, status text NOT NULL, ended_at timestamptz NOT NULL
);
CREATE TABLE limit_file (job_id bigint NOT NULL, n integer NOT NULL, name text NOT NULL, size_bytes bigint NOT NULL, PRIMARY KEY (job_id, n));
CREATE TABLE limit_unit (job_id bigint PRIMARY KEY, status text NOT NULL) WITH (fillfactor = 80);
CREATE TABLE limit_counter (task_id bigint PRIMARY KEY, n_finished bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO limit_counter SELECT i, 0 FROM generate_series(0, 99) AS g (i);

-- name: fill(ready)!
-- As many jobs as are missing until so many are ready.
WITH made AS (
    INSERT INTO limit_job (job_id, task_id, queue_id, priority, status)
    SELECT i, i % 100, 1, 1000, 'activated'
    FROM (SELECT coalesce(max(job_id), 0) AS last FROM limit_unit) l,
        generate_series(l.last + 1, l.last + greatest(0, :ready::bigint - (SELECT count(*) FROM limit_job WHERE status = 'activated'))) AS g (i)
    RETURNING job_id
)
INSERT INTO limit_unit (job_id, status) SELECT job_id, 'running' FROM made;

-- name: n_ended()$
SELECT count(*) FROM limit_archive;
