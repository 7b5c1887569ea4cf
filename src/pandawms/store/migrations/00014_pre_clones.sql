-- Clones: copies of a job in several queues, of which one counts (docs/explanation/clones.md).
-- Safe under the code before it: it adds a table, columns that may be null, an index of what that code never makes, and functions.

-- The copies of one job. The units name the lead, and so does this row: while no copy has won any that lives may be it, then the one that won. `over`: the
-- lead's end (or its stay in merging) has settled the units. `is_swept` when copies that lost were closed, or told to stop, since the status changed.
CREATE TABLE clone_group (
    clone_group_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL,
    mode text NOT NULL CHECK (mode IN ('run_once', 'store_once')),
    attempt smallint NOT NULL CHECK (attempt > 0),
    n_copies smallint NOT NULL CHECK (n_copies > 1),
    lead_job_id bigint NOT NULL,
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'won', 'over')),
    is_swept boolean NOT NULL DEFAULT false,
    won_at timestamptz,
    CHECK (status <> 'won' OR won_at IS NOT NULL)
);
CREATE INDEX clone_group_of_task ON clone_group (task_id);
CREATE INDEX clone_group_unswept ON clone_group (clone_group_id) WHERE status <> 'open' AND NOT is_swept;

-- The hot row says whether its job is a copy, so that all others pay nothing.
ALTER TABLE job ADD COLUMN clone_group_id bigint;
CREATE INDEX job_clones ON job (clone_group_id) WHERE clone_group_id IS NOT NULL;
-- Copies are numbered from 1; the names of what they write follow from that, since two may write at the same time.
ALTER TABLE job_spec ADD COLUMN clone_group_id bigint, ADD COLUMN copy smallint CHECK (copy > 0);

-- Lets the units of these copies name them, each the lead of its group, which the caller has locked.
CREATE FUNCTION lead_units(leads bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    unit_ids bigint[];
    unit_leads bigint[];
BEGIN
    SELECT array_agg(f.task_file_id), array_agg(f.job_id) INTO unit_ids, unit_leads FROM job_file f
    WHERE f.job_id = ANY (leads) AND f.job_id BETWEEN (SELECT min(l) FROM unnest(leads) l) AND (SELECT max(l) FROM unnest(leads) l)
        AND f.role = 'input' AND f.task_file_id IS NOT NULL;
    PERFORM 1 FROM task_file u WHERE u.task_file_id = ANY (unit_ids) ORDER BY u.task_file_id FOR NO KEY UPDATE;
    UPDATE task_file u SET job_id = x.lead FROM unnest(unit_ids, unit_leads) AS x (task_file_id, lead)
    WHERE u.task_file_id = x.task_file_id AND u.job_id <> x.lead AND u.status = 'running';
END
$$;

-- Copies that want to run, or to store, pass their gate or do not; safe to repeat. Locks jobs, groups, units. a_statuses says where each copy wants to be
-- (running or stageout). The first that asks at the gate of an open group wins it; one that was told to stop cannot. Those that may go on move to where they
-- want to be; those that lost are told to stop from now on. Returns the jobs that are still their claim's, and whether they may go on.
CREATE FUNCTION pass_gates(a_jobs bigint[], a_claims uuid[], a_statuses text[], lost_reason text) RETURNS TABLE (passed_job_id bigint, passes boolean)
LANGUAGE plpgsql AS $$
DECLARE
    held bigint[];
    wanted text[];
    group_ids bigint[];
    won bigint[];
    winners bigint[];
    lost bigint[];
BEGIN
    PERFORM 1 FROM job j WHERE j.job_id = ANY (a_jobs) AND j.lease_expires_at IS NOT NULL ORDER BY j.job_id FOR NO KEY UPDATE;
    SELECT array_agg(j.job_id ORDER BY a.place), array_agg(a.status ORDER BY a.place), array_agg(DISTINCT j.clone_group_id) INTO held, wanted, group_ids
    FROM unnest(a_jobs, a_claims, a_statuses) WITH ORDINALITY AS a (job_id, claim_id, status, place)
    JOIN job j ON j.job_id = a.job_id WHERE j.claim_id = a.claim_id AND j.lease_expires_at IS NOT NULL AND j.clone_group_id IS NOT NULL;
    IF held IS NULL THEN
        RETURN;
    END IF;
    PERFORM 1 FROM clone_group g WHERE g.clone_group_id = ANY (group_ids) ORDER BY g.clone_group_id FOR NO KEY UPDATE;

    SELECT array_agg(w.clone_group_id), array_agg(w.job_id) INTO won, winners FROM (
        SELECT DISTINCT ON (g.clone_group_id) g.clone_group_id, j.job_id
        FROM unnest(held, wanted) WITH ORDINALITY AS a (job_id, status, place) JOIN job j ON j.job_id = a.job_id
        JOIN clone_group g ON g.clone_group_id = j.clone_group_id
        WHERE g.status = 'open' AND (g.mode = 'run_once' OR a.status = 'stageout') AND NOT EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id)
        ORDER BY g.clone_group_id, a.place
    ) w;
    IF winners IS NOT NULL THEN
        UPDATE clone_group g SET status = 'won', lead_job_id = w.job_id, is_swept = false, won_at = clock_timestamp()
        FROM unnest(won, winners) AS w (clone_group_id, job_id) WHERE g.clone_group_id = w.clone_group_id;
        PERFORM lead_units(winners);
        PERFORM pg_notify('panda_stage', 'aggregate');
    END IF;

    SELECT array_agg(a.job_id) INTO lost FROM unnest(held, wanted) AS a (job_id, status) JOIN job j ON j.job_id = a.job_id
    JOIN clone_group g ON g.clone_group_id = j.clone_group_id
    WHERE CASE WHEN g.mode = 'run_once' OR a.status = 'stageout' THEN g.status = 'open' OR g.lead_job_id <> a.job_id
        ELSE g.status = 'over' AND g.lead_job_id <> a.job_id END;
    INSERT INTO job_order (job_id, verdict, reason) SELECT l.job_id, 'kill', lost_reason FROM unnest(lost) AS l (job_id) ON CONFLICT DO NOTHING;

    WITH old AS MATERIALIZED (
        SELECT j.job_id, j.task_id, j.status AS from_status, a.status AS to_status FROM unnest(held, wanted) AS a (job_id, status) JOIN job j ON j.job_id = a.job_id
        WHERE a.job_id <> ALL (coalesce(lost, '{}')) AND j.status <> a.status AND j.status <> 'stageout'
    ), moved AS (
        UPDATE job j SET status = o.to_status FROM old o WHERE j.job_id = o.job_id
    )
    INSERT INTO job_event (job_id, task_id, event, from_status, to_status, who)
    SELECT o.job_id, o.task_id, CASE o.to_status WHEN 'stageout' THEN 'stage_out' ELSE 'run' END, o.from_status, o.to_status, 'report' FROM old o;
    RETURN QUERY SELECT h.job_id, h.job_id <> ALL (coalesce(lost, '{}')) FROM unnest(held) AS h (job_id);
END
$$;

-- What the end of copies, whose rows the caller has locked, means for their groups. A copy that succeeds wins an open group. A failing one hands the units to
-- one that lives (neither ended nor told to stop), if it had them; so does the winner of a group that stores once. The last one, or a winner that runs once,
-- settles them. Returns copies whose reports came after another had won: they end as closed, and nothing of theirs is kept; and the new leads, to which the
-- caller lets the units point (lead_units) once it has locked what comes before units.
CREATE FUNCTION end_clones(ended bigint[], events text[], are_reported boolean, OUT lost bigint[], OUT leads bigint[]) LANGUAGE plpgsql AS $$
DECLARE
    group_ids bigint[];
BEGIN
    SELECT array_agg(DISTINCT j.clone_group_id) INTO group_ids FROM job j WHERE j.job_id = ANY (ended) AND j.clone_group_id IS NOT NULL;
    PERFORM 1 FROM clone_group g WHERE g.clone_group_id = ANY (group_ids) ORDER BY g.clone_group_id FOR NO KEY UPDATE;
    WITH asked AS MATERIALIZED (
        SELECT a.job_id, a.event IN ('finish', 'merge', 'merged') AS has_succeeded, g.clone_group_id, g.mode, g.status, g.lead_job_id
        FROM unnest(ended, events) AS a (job_id, event) JOIN job j ON j.job_id = a.job_id JOIN clone_group g ON g.clone_group_id = j.clone_group_id
    ), ends AS (
        SELECT a.clone_group_id, a.mode, a.status, a.lead_job_id, min(a.job_id) AS first_id, min(a.job_id) FILTER (WHERE a.has_succeeded) AS success_id,
            bool_or(a.job_id = a.lead_job_id) AS ends_lead, bool_or(a.job_id = a.lead_job_id AND a.has_succeeded) AS lead_succeeds
        FROM asked a GROUP BY 1, 2, 3, 4
    ), next AS (
        SELECT e.*, n.status AS new_status, n.lead AS new_lead FROM ends e LEFT JOIN LATERAL (
            SELECT j.job_id FROM job j WHERE j.clone_group_id = e.clone_group_id AND j.job_id <> ALL (ended)
                AND NOT EXISTS (SELECT 1 FROM job_order o WHERE o.job_id = j.job_id)
            ORDER BY j.lease_expires_at IS NULL, j.job_id LIMIT 1
        ) alive ON true
        CROSS JOIN LATERAL (
            SELECT 'over' AS status, e.lead_job_id AS lead WHERE e.status = 'over'
            UNION ALL SELECT 'won', e.lead_job_id WHERE e.status = 'won' AND NOT e.ends_lead
            UNION ALL SELECT 'open', alive.job_id WHERE e.status = 'won' AND e.ends_lead AND NOT e.lead_succeeds AND e.mode = 'store_once' AND alive.job_id IS NOT NULL
            UNION ALL SELECT 'over', e.lead_job_id WHERE e.status = 'won' AND e.ends_lead
                AND (e.lead_succeeds OR e.mode = 'run_once' OR alive.job_id IS NULL)
            UNION ALL SELECT 'over', e.success_id WHERE e.status = 'open' AND e.success_id IS NOT NULL
            UNION ALL SELECT 'open', CASE WHEN e.ends_lead THEN alive.job_id ELSE e.lead_job_id END
                WHERE e.status = 'open' AND e.success_id IS NULL AND alive.job_id IS NOT NULL
            UNION ALL SELECT 'over', CASE WHEN e.ends_lead THEN e.lead_job_id ELSE e.first_id END
                WHERE e.status = 'open' AND e.success_id IS NULL AND alive.job_id IS NULL
        ) n
    ), changed AS (
        UPDATE clone_group g SET status = n.new_status, lead_job_id = n.new_lead, is_swept = false,
            won_at = CASE WHEN n.new_status = 'open' THEN NULL ELSE coalesce(g.won_at, CASE WHEN n.success_id = n.new_lead THEN clock_timestamp() END) END
        FROM next n WHERE g.clone_group_id = n.clone_group_id AND (n.new_status, n.new_lead) <> (n.status, n.lead_job_id)
    )
    SELECT (SELECT array_agg(a.job_id) FROM asked a JOIN next n USING (clone_group_id) WHERE are_reported AND a.job_id <> n.new_lead
            AND (a.has_succeeded OR (a.status <> 'open' AND a.job_id <> a.lead_job_id))),
        (SELECT array_agg(n.new_lead) FROM next n WHERE n.new_lead <> n.lead_job_id)
    INTO lost, leads;
END
$$;
