-- How jobs end, once more: jobs may have copies, of which one counts (docs/explanation/clones.md). What the function asks of those is made by the next
-- migration; for jobs without copies it does what it did.
-- Safe under the code before it: same parameters, same answer, and that code makes no copies. A report of a copy that had lost is answered from the archive.

-- Ends those of the jobs that are still hot and, where claims and queues are given, still leased to their claim in their queue; returns which. Those of
-- event `merge` do not end: they stay hot without a lease, and what they used is kept aside until their outputs are merged.
-- Outputs that were written go into the catalogue, each with a replica, noted with its job and counted in its dataset; hot rows out, archive rows and
-- lines of the log in; units follow their jobs; successors of finished jobs wait for one less; aggregate is asked to look.
-- Arrays named a_* have an element for each job, those named o_* one for each output, whose job is element o_of. Several elements may name one job under
-- different claims: one of them at most is its claim's. All ids lie from low to high. Returns the elements (from 1) whose jobs ended
-- as asked. Of several copies of a job those that had lost are closed instead, and are not among them (end_clones).
CREATE OR REPLACE FUNCTION end_jobs(
    low bigint, high bigint, who_ended text, wakes text[],
    a_jobs bigint[], a_claims uuid[], a_queues integer[], a_events text[], a_statuses text[], a_domains text[], a_codes integer[], a_exit_codes integer[],
    a_exit_signals integer[], a_messages text[], a_retryables boolean[], a_starts timestamptz[], a_walls real[], a_cpus real[], a_rsses integer[], a_disks integer[],
    a_units text[], a_failed boolean[], a_final boolean[],
    o_of integer[], o_jobs bigint[], o_ns integer[], o_tasks bigint[], o_ties bigint[], o_datasets bigint[], o_endpoints integer[], o_scopes text[], o_names text[],
    o_guids uuid[], o_sizes bigint[], o_adlers bytea[], o_events bigint[], o_statuses text[]
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    kept integer[];
    ending bigint[];
    has_clones boolean;
    lost bigint[];
    leads bigint[];
    changed bigint[];
    totals_files bigint[];
    totals_bytes bigint[];
    unit_ids bigint[];
    unit_places integer[];
    totals_finished bigint[];
    totals_failed bigint[];
    totals_events bigint[];
BEGIN
    PERFORM 1 FROM job j WHERE j.job_id = ANY (a_jobs) AND (a_claims IS NULL OR j.lease_expires_at IS NOT NULL) ORDER BY j.job_id FOR NO KEY UPDATE;
    -- Elements are looked up in the table one by one, here and below: joined with each other, a batch would cost the square of its size.
    SELECT array_agg(a.job_id), array_agg(a.place), bool_or(j.clone_group_id IS NOT NULL) INTO ending, kept, has_clones FROM unnest(a_jobs, a_claims, a_queues) WITH ORDINALITY AS a (job_id, claim_id, queue_id, place)
    JOIN job j ON j.job_id = a.job_id
    WHERE a_claims IS NULL OR (j.lease_expires_at IS NOT NULL AND j.claim_id = a.claim_id AND j.queue_id = a.queue_id);
    IF kept IS NULL THEN
        RETURN '{}';
    END IF;
    -- Copies of which another has won are closed, whatever their pilots say; nothing that they wrote is kept.
    IF has_clones THEN
        SELECT c.lost, c.leads INTO lost, leads FROM end_clones(ending, ARRAY(SELECT a_events[k] FROM unnest(kept) WITH ORDINALITY AS p (k, n) ORDER BY n),
            a_claims IS NOT NULL) c;
        IF lost IS NOT NULL THEN
            SELECT array_agg(CASE WHEN is_lost THEN 'retire' ELSE event END ORDER BY place), array_agg(CASE WHEN is_lost THEN 'closed' ELSE status END ORDER BY place),
                array_agg(CASE WHEN is_lost THEN 'task' ELSE domain END ORDER BY place), array_agg(CASE WHEN is_lost THEN 1234 ELSE code END ORDER BY place),
                array_agg(CASE WHEN is_lost THEN 'another copy of this job has won' ELSE message END ORDER BY place),
                array_agg(is_lost OR retryable ORDER BY place)
            INTO a_events, a_statuses, a_domains, a_codes, a_messages, a_retryables
            FROM (SELECT a.*, a.place = ANY (kept) AND a.job_id = ANY (lost) AS is_lost
                FROM unnest(a_jobs, a_events, a_statuses, a_domains, a_codes, a_messages, a_retryables) WITH ORDINALITY
                    AS a (job_id, event, status, domain, code, message, retryable, place)) x;
            o_of := ARRAY(SELECT CASE WHEN a_jobs[o.of] <> ALL (lost) THEN o.of END FROM unnest(o_of) WITH ORDINALITY AS o (of, n) ORDER BY o.n);
        END IF;
    END IF;

    IF o_jobs IS NOT NULL THEN
        WITH written AS MATERIALIZED (
            SELECT a.*, nextval('file_file_id_seq') AS file_id
            FROM unnest(o_of, o_jobs, o_ns, o_tasks, o_ties, o_datasets, o_endpoints, o_scopes, o_names, o_guids, o_sizes, o_adlers, o_events, o_statuses)
                AS a (of, job_id, n, task_id, task_dataset_id, dataset_id, endpoint_id, scope, name, guid, size_bytes, adler32, events, status)
            WHERE a.of = ANY (kept)
        ), added AS (
            INSERT INTO file (file_id, dataset_id, scope, name, guid, size_bytes, adler32, events) OVERRIDING SYSTEM VALUE
            SELECT w.file_id, w.dataset_id, w.scope, w.name, w.guid, w.size_bytes, w.adler32, w.events FROM written w
        ), placed AS (
            INSERT INTO replica (file_id, endpoint_id) SELECT w.file_id, w.endpoint_id FROM written w
        ), kept AS (
            INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, file_id, name, status)
            SELECT w.job_id, w.n, w.task_id, 'output', w.task_dataset_id, w.file_id, w.name, w.status FROM written w
            ON CONFLICT (job_id, n) DO UPDATE SET file_id = excluded.file_id, status = excluded.status
        ), totals AS (
            SELECT w.dataset_id, count(*) AS n, sum(w.size_bytes)::bigint AS bytes, coalesce(sum(w.events), 0)::bigint AS events FROM written w GROUP BY 1
        )
        SELECT array_agg(t.dataset_id), array_agg(t.n), array_agg(t.bytes), array_agg(t.events) INTO changed, totals_files, totals_bytes, totals_events FROM totals t;
        PERFORM 1 FROM dataset d WHERE d.dataset_id = ANY (changed) ORDER BY d.dataset_id FOR NO KEY UPDATE;
        UPDATE dataset d SET n_files = d.n_files + t.n, n_bytes = d.n_bytes + t.bytes, n_events = d.n_events + t.events
        FROM unnest(changed, totals_files, totals_bytes, totals_events) AS t (dataset_id, n, bytes, events) WHERE d.dataset_id = t.dataset_id;
    END IF;

    WITH asked AS MATERIALIZED (
        SELECT * FROM unnest(a_jobs, a_events, a_statuses, a_domains, a_codes, a_exit_codes, a_exit_signals, a_messages, a_retryables, a_starts, a_walls,
            a_cpus, a_rsses, a_disks) WITH ORDINALITY AS a (job_id, event, new_status, error_domain, error_code, exit_code, exit_signal, message, is_retryable, started_at,
            wall_seconds, cpu_seconds, max_rss_mb, disk_mb, place) WHERE a.place = ANY (kept) AND a.event <> 'merge'
    ), orders AS (
        DELETE FROM job_order o USING asked a WHERE o.job_id = a.job_id
    ), used AS (
        DELETE FROM job_usage u USING asked a WHERE u.job_id = a.job_id RETURNING u.*
    ), gone AS (
        DELETE FROM job j USING asked a WHERE j.job_id = a.job_id
        RETURNING j.task_id, j.worker_id, j.claim_id, j.community_id, j.share_id, j.queue_id, j.requirement_id, j.attempt, j.status, a.*
    ), archived AS (
        INSERT INTO job_archive (job_id, task_id, worker_id, claim_id, community_id, share_id, queue_id, requirement_id, attempt, status, error_domain,
            error_code, exit_code, exit_signal, message, is_retryable, started_at, wall_seconds, cpu_seconds, max_rss_mb, disk_mb)
        SELECT g.job_id, g.task_id, g.worker_id, g.claim_id, g.community_id, g.share_id, g.queue_id, g.requirement_id, g.attempt, g.new_status,
            g.error_domain, g.error_code, g.exit_code, g.exit_signal, g.message, g.is_retryable, coalesce(g.started_at, u.started_at),
            coalesce(g.wall_seconds, u.wall_seconds), coalesce(g.cpu_seconds, u.cpu_seconds), coalesce(g.max_rss_mb, u.max_rss_mb),
            coalesce(g.disk_mb, u.disk_mb)
        FROM gone g LEFT JOIN used u ON u.job_id = g.job_id
    ), logged AS (
        INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who, why)
        SELECT g.job_id, g.task_id, g.event, g.status, g.new_status, who_ended, CASE WHEN g.new_status = 'finished' THEN NULL
            ELSE jsonb_build_object('domain', g.error_domain, 'code', g.error_code, 'message', g.message) END
        FROM gone g
    )
    INSERT INTO task_touch (task_id) SELECT DISTINCT g.task_id FROM gone g;

    IF 'merge' = ANY (a_events) THEN
        WITH asked AS MATERIALIZED (
            SELECT a.* FROM unnest(a_jobs, a_events, a_starts, a_walls, a_cpus, a_rsses, a_disks) WITH ORDINALITY
                AS a (job_id, event, started_at, wall_seconds, cpu_seconds, max_rss_mb, disk_mb, place) WHERE a.place = ANY (kept) AND a.event = 'merge'
        ), used AS (
            INSERT INTO job_usage (job_id, started_at, wall_seconds, cpu_seconds, max_rss_mb, disk_mb)
            SELECT a.job_id, a.started_at, a.wall_seconds, a.cpu_seconds, a.max_rss_mb, a.disk_mb FROM asked a
        ), old AS MATERIALIZED (
            SELECT j.job_id, j.status FROM job j JOIN asked a ON a.job_id = j.job_id
        ), moved AS (
            UPDATE job j SET status = 'merging', lease_expires_at = NULL FROM old WHERE j.job_id = old.job_id
            RETURNING j.job_id, j.task_id, old.status AS from_status
        ), logged AS (
            INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
            SELECT m.job_id, m.task_id, 'merge', m.from_status, 'merging', who_ended FROM moved m
        )
        INSERT INTO task_touch (task_id) SELECT DISTINCT m.task_id FROM moved m;
    END IF;

    IF EXISTS (SELECT 1 FROM job_edge e WHERE e.predecessor_id = ANY (ending)) THEN
        -- Those that somebody else holds are left to aggregate, which looks at this task next: nobody waits here for a row of a higher id.
        SELECT array_agg(l.job_id) INTO changed FROM (
            SELECT j.job_id FROM job j WHERE j.job_id = ANY (ARRAY(SELECT e.successor_id FROM job_edge e WHERE e.predecessor_id = ANY (ending)))
                AND j.status = 'waiting' ORDER BY j.job_id FOR NO KEY UPDATE SKIP LOCKED
        ) l;
        WITH less AS (
            SELECT e.successor_id, count(*) AS n FROM job_edge e JOIN unnest(a_jobs, a_statuses) WITH ORDINALITY AS a (job_id, status, place)
                ON a.job_id = e.predecessor_id
            WHERE a.status = 'finished' AND a.place = ANY (kept) AND e.successor_id = ANY (changed) GROUP BY 1
        ), released AS (
            UPDATE job j SET waits_for = greatest(0, j.waits_for - l.n), status = CASE WHEN j.waits_for <= l.n THEN 'defined' ELSE 'waiting' END
            FROM less l WHERE j.job_id = l.successor_id RETURNING j.job_id, j.task_id, j.status
        )
        INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
        SELECT r.job_id, r.task_id, 'release', 'waiting', 'defined', 'place' FROM released r WHERE r.status = 'defined';
    END IF;

    SELECT array_agg(f.task_file_id), array_agg(a.place) INTO unit_ids, unit_places FROM unnest(a_jobs) WITH ORDINALITY AS a (job_id, place)
    JOIN job_file f ON f.job_id = a.job_id AND f.job_id BETWEEN low AND high
    WHERE a.place = ANY (kept) AND f.role = 'input' AND f.task_file_id IS NOT NULL;
    PERFORM 1 FROM task_file u WHERE u.task_file_id = ANY (unit_ids) ORDER BY u.task_file_id FOR NO KEY UPDATE;
    IF leads IS NOT NULL THEN
        PERFORM lead_units(leads);
    END IF;
    WITH settled AS (
        UPDATE task_file u SET status = a_units[x.place], failed_attempts = u.failed_attempts + a_failed[x.place]::integer,
            max_attempts = CASE WHEN a_final[x.place] THEN u.attempt ELSE u.max_attempts END
        FROM unnest(unit_ids, unit_places) AS x (task_file_id, place)
        WHERE u.task_file_id = x.task_file_id AND u.job_id = a_jobs[x.place] AND u.status IN ('running', 'merging')
        RETURNING u.task_dataset_id, u.status, u.n_events, u.attempt >= u.max_attempts AS is_exhausted
    ), totals AS (
        SELECT s.task_dataset_id, count(*) FILTER (WHERE s.status = 'finished') AS finished, count(*) FILTER (WHERE s.status <> 'finished') AS failed,
            coalesce(sum(s.n_events) FILTER (WHERE s.status = 'finished'), 0)::bigint AS events
        FROM settled s WHERE s.status = 'finished' OR (s.status IN ('failed', 'cancelled') AND s.is_exhausted) GROUP BY 1
    )
    SELECT array_agg(t.task_dataset_id), array_agg(t.finished), array_agg(t.failed), array_agg(t.events) INTO changed, totals_finished, totals_failed, totals_events FROM totals t;
    IF changed IS NOT NULL THEN
        PERFORM 1 FROM task_dataset td WHERE td.task_dataset_id = ANY (changed) ORDER BY td.task_dataset_id FOR NO KEY UPDATE;
        UPDATE task_dataset td SET n_finished = td.n_finished + t.finished, n_failed = td.n_failed + t.failed, n_events_finished = td.n_events_finished + t.events
        FROM unnest(changed, totals_finished, totals_failed, totals_events) AS t (task_dataset_id, finished, failed, events) WHERE td.task_dataset_id = t.task_dataset_id;
    END IF;

    IF wakes IS NOT NULL THEN
        PERFORM pg_notify('panda_stage', n) FROM unnest(wakes) AS w (n);
    END IF;
    RETURN CASE WHEN lost IS NULL THEN kept ELSE ARRAY(SELECT k FROM unnest(kept) AS p (k) WHERE a_jobs[k] <> ALL (lost)) END;
END
$$;
