-- Jobs of several payloads: an account for each unit, taken while the job runs or with its end.
-- Safe under the code before it: it adds a table and a function and widens a check.

-- What became of a unit in one job of several payloads. `n` is its place among the inputs of the job, `attempt` its attempt then. A payload that finished
-- settled its unit by that, whatever became of its job, unless it `awaits_merge`: then the unit follows the job. One that was not reached gave its unit back.
CREATE TABLE job_payload (
    job_id bigint NOT NULL,
    task_file_id bigint NOT NULL,
    n integer NOT NULL,
    task_id bigint NOT NULL,
    attempt smallint NOT NULL,
    status text NOT NULL CHECK (status IN ('finished', 'failed', 'unreached')),
    awaits_merge boolean NOT NULL DEFAULT false,
    error_domain text NOT NULL,
    error_code integer NOT NULL,
    exit_code integer,
    exit_signal integer,
    message text NOT NULL,
    is_retryable boolean NOT NULL,
    wall_seconds real,
    cpu_seconds real,
    max_rss_mb integer,
    ended_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, task_file_id),
    CHECK (status = 'finished' OR NOT awaits_merge),
    CHECK ((status = 'finished') = (error_domain = 'none'))
) PARTITION BY RANGE (job_id);
CREATE INDEX job_payload_failed ON job_payload (task_id) WHERE status = 'failed';
SELECT make_partitions('job_payload', (SELECT last_value FROM job_id), 1000000);

ALTER TABLE archive_file DROP CONSTRAINT archive_file_table_name_check, ADD CONSTRAINT archive_file_table_name_check
    CHECK (table_name IN ('job_spec', 'job_file', 'job_event', 'job_payload', 'job_archive'));

-- Takes accounts of payloads of those of the jobs that are leased to their claim in their queue; returns which these are (elements from 1). An account that is
-- known already is passed over with its outputs, so that nothing is taken twice.
-- Outputs of payloads that finished go into the catalogue as in end_jobs, noted with their unit; units are finished (or wait for the merge), failed, or ready
-- again; their counters follow, and aggregate is asked to look. All units named in `all_units` are locked, too: those that end_jobs settles in the same
-- transaction come after no counter then.
-- Arrays named a_* have an element for each job, those named p_* one for each account, whose job is element p_of, those named o_* one for each output, whose
-- account is element o_of. Each statement locks rows of one table only (see end_jobs).
CREATE FUNCTION take_payloads(
    a_jobs bigint[], a_claims uuid[], a_queues integer[], all_units bigint[],
    p_of integer[], p_units bigint[], p_ns integer[], p_tasks bigint[], p_attempts smallint[], p_statuses text[], p_waits boolean[], p_domains text[],
    p_codes integer[], p_exit_codes integer[], p_exit_signals integer[], p_messages text[], p_retryables boolean[], p_walls real[], p_cpus real[],
    p_rsses integer[],
    o_of integer[], o_jobs bigint[], o_ns integer[], o_tasks bigint[], o_ties bigint[], o_datasets bigint[], o_endpoints integer[], o_scopes text[],
    o_names text[], o_guids uuid[], o_sizes bigint[], o_adlers bytea[], o_events bigint[], o_statuses text[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    held integer[];
    fresh integer[];
    changed bigint[];
    totals_files bigint[];
    totals_bytes bigint[];
    totals_used bigint[];
    totals_finished bigint[];
    totals_failed bigint[];
    totals_events bigint[];
BEGIN
    PERFORM 1 FROM job j WHERE j.job_id = ANY (a_jobs) AND j.lease_expires_at IS NOT NULL ORDER BY j.job_id FOR NO KEY UPDATE;
    SELECT array_agg(a.place) INTO held FROM unnest(a_jobs, a_claims, a_queues) WITH ORDINALITY AS a (job_id, claim_id, queue_id, place)
    JOIN job j ON j.job_id = a.job_id WHERE j.lease_expires_at IS NOT NULL AND j.claim_id = a.claim_id AND j.queue_id = a.queue_id;
    IF held IS NULL THEN
        RETURN '{}';
    END IF;
    SELECT array_agg(p.place) INTO fresh FROM unnest(held) AS h (place) JOIN unnest(p_of, p_units) WITH ORDINALITY AS p (of, unit_id, place) ON p.of = h.place
    WHERE NOT EXISTS (SELECT 1 FROM job_payload k WHERE k.job_id = a_jobs[p.of] AND k.task_file_id = p.unit_id);

    IF fresh IS NOT NULL AND o_jobs IS NOT NULL THEN
        WITH written AS MATERIALIZED (
            SELECT a.*, nextval('file_file_id_seq') AS file_id
            FROM unnest(fresh) AS f (place)
            JOIN unnest(o_of, o_jobs, o_ns, o_tasks, o_ties, o_datasets, o_endpoints, o_scopes, o_names, o_guids, o_sizes, o_adlers, o_events, o_statuses)
                AS a (of, job_id, n, task_id, task_dataset_id, dataset_id, endpoint_id, scope, name, guid, size_bytes, adler32, events, status) ON a.of = f.place
        ), added AS (
            INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32, events) OVERRIDING SYSTEM VALUE
            SELECT w.file_id, w.dataset_id, w.scope, w.name, w.guid, w.size_bytes, w.adler32, w.events FROM written w
        ), placed AS (
            INSERT INTO replica (file_id, endpoint_id) SELECT w.file_id, w.endpoint_id FROM written w
        ), kept AS (
            INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id, name, status)
            SELECT w.job_id, w.n, w.task_id, 'output', w.task_dataset_id, p_units[w.of], w.file_id, w.name, w.status FROM written w
        ), totals AS (
            SELECT w.dataset_id, count(*) AS n, sum(w.size_bytes)::bigint AS bytes, coalesce(sum(w.events), 0)::bigint AS events FROM written w GROUP BY 1
        )
        SELECT array_agg(t.dataset_id), array_agg(t.n), array_agg(t.bytes), array_agg(t.events) INTO changed, totals_files, totals_bytes, totals_events FROM totals t;
        PERFORM 1 FROM dataset d WHERE d.dataset_id = ANY (changed) ORDER BY d.dataset_id FOR NO KEY UPDATE;
        UPDATE dataset d SET n_files = d.n_files + t.n, n_bytes = d.n_bytes + t.bytes, n_events = d.n_events + t.events
        FROM unnest(changed, totals_files, totals_bytes, totals_events) AS t (dataset_id, n, bytes, events) WHERE d.dataset_id = t.dataset_id;
    END IF;

    PERFORM 1 FROM task_file u WHERE u.task_file_id = ANY (all_units || p_units) ORDER BY u.task_file_id FOR NO KEY UPDATE;
    IF fresh IS NULL THEN
        RETURN held;
    END IF;
    INSERT INTO job_payload (job_id, task_file_id, n, task_id, attempt, status, awaits_merge, error_domain, error_code, exit_code, exit_signal, message,
        is_retryable, wall_seconds, cpu_seconds, max_rss_mb)
    SELECT a_jobs[p.of], p.unit_id, p.n, p.task_id, p.attempt, p.status, p.waits, p.domain, p.code, p.exit_code, p.exit_signal, p.message, p.is_retryable,
        p.wall, p.cpu, p.rss
    FROM unnest(fresh) AS f (place) JOIN unnest(p_of, p_units, p_ns, p_tasks, p_attempts, p_statuses, p_waits, p_domains, p_codes, p_exit_codes, p_exit_signals,
        p_messages, p_retryables, p_walls, p_cpus, p_rsses) WITH ORDINALITY AS p (of, unit_id, n, task_id, attempt, status, waits, domain, code, exit_code,
        exit_signal, message, is_retryable, wall, cpu, rss, place) USING (place);
    WITH settled AS (
        UPDATE task_file u SET
            status = CASE p.status WHEN 'failed' THEN 'failed' WHEN 'unreached' THEN 'ready' ELSE CASE WHEN p.waits THEN 'merging' ELSE 'finished' END END,
            failed_attempts = u.failed_attempts + (p.status = 'failed')::integer, is_ranged = u.is_ranged AND p.status <> 'unreached',
            max_attempts = CASE WHEN p.status = 'unreached' THEN u.max_attempts + 1 WHEN p.status = 'failed' AND NOT p.is_retryable THEN u.attempt
                ELSE u.max_attempts END
        FROM unnest(fresh) AS f (place)
        JOIN unnest(p_of, p_units, p_statuses, p_waits, p_retryables) WITH ORDINALITY AS p (of, unit_id, status, waits, is_retryable, place) USING (place)
        WHERE u.task_file_id = p.unit_id AND u.job_id = a_jobs[p.of] AND u.status = 'running'
        RETURNING u.task_dataset_id, u.status, u.n_events, u.attempt >= u.max_attempts AS is_exhausted
    ), totals AS (
        SELECT s.task_dataset_id, count(*) FILTER (WHERE s.status = 'finished') AS finished, count(*) FILTER (WHERE s.status = 'failed') AS failed,
            count(*) FILTER (WHERE s.status = 'ready') AS used, coalesce(sum(s.n_events) FILTER (WHERE s.status = 'finished'), 0)::bigint AS events
        FROM settled s WHERE s.status IN ('finished', 'ready') OR (s.status = 'failed' AND s.is_exhausted) GROUP BY 1
    )
    SELECT array_agg(t.task_dataset_id), array_agg(t.used), array_agg(t.finished), array_agg(t.failed), array_agg(t.events)
    INTO changed, totals_used, totals_finished, totals_failed, totals_events FROM totals t;
    IF changed IS NOT NULL THEN
        PERFORM 1 FROM task_dataset td WHERE td.task_dataset_id = ANY (changed) ORDER BY td.task_dataset_id FOR NO KEY UPDATE;
        UPDATE task_dataset td SET n_used = td.n_used - t.used, n_finished = td.n_finished + t.finished, n_failed = td.n_failed + t.failed,
            n_events_finished = td.n_events_finished + t.events
        FROM unnest(changed, totals_used, totals_finished, totals_failed, totals_events) AS t (task_dataset_id, used, finished, failed, events)
        WHERE td.task_dataset_id = t.task_dataset_id;
    END IF;
    INSERT INTO task_touch (task_id) SELECT DISTINCT p.task_id FROM unnest(fresh) AS f (place)
    JOIN unnest(p_tasks) WITH ORDINALITY AS p (task_id, place) USING (place);
    RETURN held;
END
$$;
