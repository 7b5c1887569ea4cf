-- name: ask(verb, task_id, job_id, arguments, asked_by)^
-- Writes a command; returns the one that is pending for this task, or with this verb for this job, where there is one.
WITH made AS (
    INSERT INTO command (verb, task_id, job_id, arguments, asked_by) VALUES (:verb, :task_id, :job_id, :arguments, :asked_by)
    ON CONFLICT DO NOTHING RETURNING command_id, verb, arguments, asked_by
), found AS (
    SELECT command_id, verb, arguments, asked_by, true AS is_new FROM made UNION ALL
    SELECT command_id, verb, arguments, asked_by, false FROM command
    WHERE applied_at IS NULL AND (task_id = :task_id OR (job_id = :job_id AND verb = :verb)) LIMIT 1
)
SELECT f.command_id, f.verb, f.arguments, f.is_new, u.name AS asker FROM found f JOIN user_account u ON u.user_id = f.asked_by;

-- name: ask_many(verb, task_ids, arguments, asked_by)
-- Writes a command for each of these tasks that has none pending; returns those that were written.
INSERT INTO command (verb, task_id, arguments, asked_by) SELECT :verb, task_id, :arguments, :asked_by FROM unnest(:task_ids::bigint[]) AS t (task_id)
ORDER BY task_id ON CONFLICT DO NOTHING RETURNING command_id, task_id;

-- name: take(n)
-- Pending commands whose next round is due, each for the caller alone until its transaction ends; they take turns.
SELECT c.command_id, c.verb, c.task_id, c.job_id, c.arguments, c.asked_by, u.name AS asker, c.asked_at, c.progress
FROM command c JOIN user_account u ON u.user_id = c.asked_by
WHERE c.applied_at IS NULL AND c.next_at <= clock_timestamp() ORDER BY c.next_at, c.command_id LIMIT :n FOR UPDATE OF c SKIP LOCKED;

-- name: go_on(command_id, progress, seconds)!
-- Keeps how far a command has come; its next round comes after those of others that are due then.
UPDATE command SET progress = :progress, next_at = clock_timestamp() + make_interval(secs => :seconds) WHERE command_id = :command_id;

-- name: answer(command_id, answer, result)!
UPDATE command SET applied_at = clock_timestamp(), answer = :answer, result = :result WHERE command_id = :command_id;

-- name: withdraw(command_id, answer)$
-- Takes back a command that no round has begun; no row when one has, or does now.
UPDATE command SET applied_at = clock_timestamp(), answer = :answer, result = '{}' WHERE command_id = (
    SELECT c.command_id FROM command c WHERE c.command_id = :command_id AND c.applied_at IS NULL AND c.progress IS NULL FOR NO KEY UPDATE SKIP LOCKED)
RETURNING command_id;

-- name: pending(task_id)^
-- The command of a task that is not applied yet.
SELECT c.command_id, c.verb, c.task_id, c.job_id, c.arguments, u.name AS asker, c.asked_at, c.applied_at, c.answer, c.progress, c.result
FROM command c JOIN user_account u ON u.user_id = c.asked_by WHERE c.task_id = :task_id AND c.applied_at IS NULL;

-- name: rereading(task_ids)
-- Of the tasks named, those that were asked to look for units without files and have not begun: nobody's round is under way. Held until the caller's
-- transaction ends.
SELECT task_id FROM command WHERE task_id = ANY (:task_ids::bigint[]) AND applied_at IS NULL AND verb = 'recover' AND (arguments ->> 'reread')::boolean
    AND NOT coalesce((progress ->> 'is_begun')::boolean, false) ORDER BY command_id FOR NO KEY UPDATE SKIP LOCKED;

-- name: is_pending(task_id)$
SELECT EXISTS (SELECT 1 FROM command WHERE task_id = :task_id AND applied_at IS NULL);

-- name: get(command_id)^
SELECT c.command_id, c.verb, c.task_id, c.job_id, c.arguments, u.name AS asker, c.asked_at, c.applied_at, c.answer, c.progress, c.result
FROM command c JOIN user_account u ON u.user_id = c.asked_by WHERE c.command_id = :command_id;

-- name: of_task(task_id, n)
-- The newest commands of a task.
SELECT c.command_id, c.verb, c.task_id, c.job_id, c.arguments, u.name AS asker, c.asked_at, c.applied_at, c.answer, c.progress, c.result
FROM command c JOIN user_account u ON u.user_id = c.asked_by WHERE c.task_id = :task_id ORDER BY c.command_id DESC LIMIT :n;

-- name: job_ids(task_id, statuses, after, n)
-- The next jobs of a task in one of these statuses, in order, not locked.
SELECT job_id FROM job WHERE task_id = :task_id AND job_id > :after AND status = ANY (:statuses::text[]) ORDER BY job_id LIMIT :n;

-- name: set_jobs(job_ids, statuses, priority, share_id)$
-- Jobs that no pilot has get another priority or share; returns how many.
WITH waiting AS MATERIALIZED (
    SELECT job_id FROM job WHERE job_id = ANY (:job_ids::bigint[]) AND status = ANY (:statuses::text[]) ORDER BY job_id FOR NO KEY UPDATE
), changed AS (
    UPDATE job j SET priority = coalesce(:priority::integer, j.priority), share_id = coalesce(:share_id::integer, j.share_id)
    FROM waiting w WHERE j.job_id = w.job_id RETURNING 1
)
SELECT count(*) FROM changed;

-- name: inputs_of(job_ids, low, high)
-- The units that jobs had, with the job; not locked.
SELECT f.task_file_id, f.job_id FROM job_file f
WHERE f.job_id = ANY (:job_ids::bigint[]) AND f.job_id BETWEEN :low AND :high AND f.role = 'input' AND f.task_file_id IS NOT NULL;

-- name: give_back(task_file_ids, job_ids, tries)
-- Units, which the caller has locked, of jobs that were ended for no fault of theirs are ready again, and the attempt does not count. Those that were
-- cancelled get back what was left of `tries`. Returns what changes for their inputs.
WITH units AS MATERIALIZED (
    SELECT u.task_file_id, u.status AS was, u.status = 'cancelled' OR u.attempt >= u.max_attempts AS was_counted
    FROM unnest(:task_file_ids::bigint[], :job_ids::bigint[]) AS i (task_file_id, job_id) JOIN task_file u ON u.task_file_id = i.task_file_id
    WHERE u.job_id = i.job_id AND u.status IN ('failed', 'cancelled')
), again AS (
    UPDATE task_file u SET status = 'ready', is_ranged = false,
        max_attempts = CASE n.was WHEN 'cancelled' THEN u.attempt + greatest(1, :tries - u.failed_attempts) ELSE u.max_attempts + 1 END
    FROM units n WHERE u.task_file_id = n.task_file_id RETURNING u.task_dataset_id, n.was_counted
)
SELECT task_dataset_id, count(*) AS n, -count(*) AS used, -count(*) FILTER (WHERE was_counted) AS failed FROM again GROUP BY 1 ORDER BY 1;

-- name: settled_units(task_id, statuses, n)
-- Some of the units of a task in one of these statuses, not locked.
SELECT task_file_id FROM task_file
WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND status = ANY (:statuses::text[]) LIMIT :n;

-- name: reopen_units(task_file_ids, statuses, more_attempts)
-- Units, which the caller has locked, in one of these statuses are ready again, with more attempts; returns what changes for their inputs. A failed unit that
-- has attempts left was not counted as failed: its task may be retried before the failure is judged.
WITH units AS MATERIALIZED (
    SELECT task_file_id, status = 'cancelled' OR (status = 'failed' AND attempt >= max_attempts) AS was_counted FROM task_file
    WHERE task_file_id = ANY (:task_file_ids::bigint[]) AND status = ANY (:statuses::text[])
), again AS (
    UPDATE task_file u SET status = 'ready', is_ranged = false, max_attempts = u.attempt + :more_attempts,
        max_failures = u.failed_attempts - u.forgiven_failures + :more_attempts
    FROM units n WHERE u.task_file_id = n.task_file_id RETURNING u.task_dataset_id, n.was_counted
)
SELECT task_dataset_id, count(*) AS n, -count(*) AS used, -count(*) FILTER (WHERE was_counted) AS failed FROM again GROUP BY 1 ORDER BY 1;

-- name: last_number(task_id)$
-- The highest number of a unit of a task.
SELECT coalesce(max(u.number), 0) FROM task_dataset td JOIN task_file u USING (task_dataset_id) WHERE td.task_id = :task_id;

-- name: unprocessed(task_id, low, high)
-- Units of a task with these numbers that are not processed, not locked.
SELECT task_file_id FROM task_file
WHERE task_dataset_id = ANY (ARRAY(SELECT td.task_dataset_id FROM task_dataset td WHERE td.task_id = :task_id)) AND number > :low AND number <= :high
    AND status IN ('pending', 'staging', 'ready', 'picked', 'running', 'partial', 'merging', 'failed');

-- name: raise_attempts(task_file_ids, more)
-- Units, which the caller has locked, that are not processed may be tried more often; those that had no attempt left are ready again. Returns how many by
-- input, and what changes for that.
WITH units AS MATERIALIZED (
    SELECT task_file_id, status = 'failed' AND attempt >= max_attempts AS was_counted FROM task_file
    WHERE task_file_id = ANY (:task_file_ids::bigint[])
        AND status IN ('pending', 'staging', 'ready', 'picked', 'running', 'partial', 'merging', 'failed')
), raised AS (
    UPDATE task_file u SET max_attempts = least(32000, u.max_attempts + :more), status = CASE WHEN n.was_counted THEN 'ready' ELSE u.status END,
        is_ranged = u.is_ranged AND NOT n.was_counted,
        max_failures = CASE WHEN n.was_counted THEN u.failed_attempts - u.forgiven_failures + :more ELSE least(32000, u.max_failures + :more) END
    FROM units n WHERE u.task_file_id = n.task_file_id RETURNING u.task_dataset_id, n.was_counted
)
SELECT task_dataset_id, count(*) AS n, -count(*) FILTER (WHERE was_counted) AS used, -count(*) FILTER (WHERE was_counted) AS failed
FROM raised GROUP BY 1 ORDER BY 1;

-- name: set_task(task_id, ordered, priority, share_id)!
-- Keeps what a command set for a task: `ordered` over what was ordered before; null takes a word away.
UPDATE task SET ordered = jsonb_strip_nulls(ordered || :ordered::jsonb), priority = coalesce(:priority::integer, priority),
    share_id = coalesce(:share_id::integer, share_id), next_look_at = now() WHERE task_id = :task_id;

-- name: new_version(task_id, document)$
-- A task's document is now this one; jobs that are made already keep theirs. Returns the version.
WITH raised AS (
    UPDATE task SET version = (SELECT max(p.version) + 1 FROM task_template p WHERE p.task_id = :task_id) WHERE task_id = :task_id RETURNING task_id, version
)
INSERT INTO task_template (task_id, version, document) SELECT task_id, version, :document FROM raised RETURNING version;

-- name: relist(task_dataset_ids)!
-- These inputs of a task are to be listed again.
UPDATE task_dataset SET is_complete = false, seen_to = NULL, next_listing_at = NULL WHERE task_dataset_id = ANY (:task_dataset_ids::bigint[]);

-- name: paused_tasks(task_ids)
-- Of these tasks, those that are paused; none of them changes until the caller's transaction ends.
SELECT task_id FROM (SELECT task_id, status FROM task WHERE task_id = ANY (:task_ids::bigint[]) ORDER BY task_id FOR SHARE) t WHERE status = 'paused';

-- name: share_id(community_id, name)$
SELECT share_id FROM share WHERE community_id = :community_id AND name = :name;

-- name: remove_outputs(task_id)
-- The closed datasets that a task wrote leave the catalogue's names, with their files.
UPDATE dataset SET removed_at = now() WHERE producer_task_id = :task_id AND NOT is_open AND removed_at IS NULL RETURNING dataset_id;

-- name: raise_ranges(task_id, more)!
-- Units that have no row yet may be tried more often, too.
UPDATE task_range SET max_attempts = least(32000, max_attempts + :more) WHERE task_id = :task_id;

-- name: select(community, owner, ids, names, statuses, older_than_seconds, n)
-- Tasks that match all that is given, in order; an empty list and null mean anything. `is_pending` says that a command waits already.
SELECT t.task_id, t.name, t.status, t.owner_id, u.name AS owner, c.name AS community,
    EXISTS (SELECT 1 FROM command p WHERE p.task_id = t.task_id AND p.applied_at IS NULL) AS is_pending
FROM task t JOIN user_account u ON u.user_id = t.owner_id JOIN community c ON c.community_id = t.community_id
WHERE (:community::text IS NULL OR c.name = :community) AND u.name = :owner
    AND (cardinality(:ids::bigint[]) = 0 OR t.task_id = ANY (:ids::bigint[]))
    AND (cardinality(:names::text[]) = 0 OR t.name LIKE ANY (:names::text[]))
    AND (cardinality(:statuses::text[]) = 0 OR t.status = ANY (:statuses::text[]))
    AND (:older_than_seconds::double precision IS NULL OR t.created_at < now() - make_interval(secs => :older_than_seconds::double precision))
ORDER BY t.task_id LIMIT :n;

-- name: named_so(task_id)$
-- Another task of the owner that has taken the name of this one since it was free.
SELECT o.task_id FROM task t JOIN task o ON o.owner_id = t.owner_id AND o.name = t.name AND o.task_id <> t.task_id
WHERE t.task_id = :task_id AND o.status NOT IN ('aborted', 'broken', 'obsolete') LIMIT 1;

-- name: revive_outputs(task_id)
-- The empty outputs of a task that was killed come back, where nobody has taken their names.
UPDATE dataset d SET removed_at = NULL, is_open = true, closed_at = NULL
WHERE d.producer_task_id = :task_id AND d.removed_at IS NOT NULL AND NOT d.holds_lost
    AND NOT EXISTS (SELECT 1 FROM dataset o WHERE o.scope = d.scope AND o.name = d.name AND o.removed_at IS NULL)
RETURNING d.dataset_id;
