-- The hot path: what a job costs over its life.
-- Safe under the code before it: it only adds columns that may be null, replaces indexes and drops foreign keys.

-- Foreign keys of tables that are written by sets, whose statements make or read both sides themselves. A check a row costs more than the row
-- (docs/adr/0030); `panda db check` looks for dangling references instead. Those of people, places, tasks and datasets stay.
ALTER TABLE job DROP CONSTRAINT job_job_id_fkey;
ALTER TABLE job_spec DROP CONSTRAINT job_spec_task_id_fkey, DROP CONSTRAINT job_spec_task_id_version_fkey;
ALTER TABLE job_file DROP CONSTRAINT job_file_job_id_fkey, DROP CONSTRAINT job_file_task_dataset_id_fkey, DROP CONSTRAINT job_file_task_file_id_fkey,
    DROP CONSTRAINT job_file_file_id_fkey, DROP CONSTRAINT job_file_merge_group_id_fkey;
ALTER TABLE job_order DROP CONSTRAINT job_order_job_id_fkey;
ALTER TABLE job_usage DROP CONSTRAINT job_usage_job_id_fkey;
ALTER TABLE job_edge DROP CONSTRAINT job_edge_predecessor_id_fkey, DROP CONSTRAINT job_edge_successor_id_fkey;
ALTER TABLE merge_group DROP CONSTRAINT merge_group_job_id_fkey;
ALTER TABLE command DROP CONSTRAINT command_job_id_fkey;
ALTER TABLE task_file DROP CONSTRAINT task_file_task_id_fkey, DROP CONSTRAINT task_file_task_dataset_id_fkey, DROP CONSTRAINT task_file_file_id_fkey;
ALTER TABLE file DROP CONSTRAINT file_dataset_id_fkey;
ALTER TABLE replica DROP CONSTRAINT replica_file_id_fkey, DROP CONSTRAINT replica_endpoint_id_fkey;

-- What tells a job from its siblings, as columns; the json of older jobs stays where it is.
ALTER TABLE job_spec ALTER COLUMN delta DROP NOT NULL, ADD COLUMN serial integer, ADD COLUMN endpoint_id integer, ADD COLUMN first_event bigint,
    ADD COLUMN n_events bigint, ADD COLUMN n_inputs integer;

-- Outputs of a job get their rows when they are written; an input stands where its job stands. What was named for jobs that ended without it is no more.
DELETE FROM job_file f USING job_archive a WHERE a.job_id = f.job_id AND f.role = 'output' AND f.file_id IS NULL;
ALTER TABLE job_file ALTER COLUMN status DROP NOT NULL;

-- An index whose predicate names the status makes every change of status rewrite all indexes. These name where a job stands for dispatch instead,
-- which changes twice in a life: a heartbeat, and the step from sent to running, touch the row alone.
ALTER TABLE job ADD COLUMN claim_n smallint, ADD COLUMN standing text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN status = 'defined' THEN 'new' WHEN status = 'assigned' THEN 'assigned' WHEN status = 'activated' THEN 'ready'
        WHEN status IN ('sent', 'starting', 'stagein', 'running', 'stageout') THEN 'leased' ELSE 'kept' END) STORED;
DROP INDEX job_ready, job_unplaced, job_leased, job_claimed;
CREATE INDEX job_ready ON job (queue_id, share_id, requirement_id, priority DESC, job_id) WHERE standing = 'ready';
-- New jobs come before those that wait for data, however many of these there are.
CREATE INDEX job_unplaced ON job (standing DESC, job_id) WHERE standing IN ('new', 'assigned');
-- Jobs in the hands of pilots: counted for the shares, looked through by watch.
CREATE INDEX job_leased ON job (queue_id, share_id) WHERE standing = 'leased';
-- The n-th job of a claim: the same claim at two servers at once cannot get more than it asked for. Jobs that are claimed already get their numbers.
UPDATE job j SET claim_n = n.claim_n
FROM (SELECT job_id, row_number() OVER (PARTITION BY claim_id ORDER BY job_id) - 1 AS claim_n FROM job WHERE claim_id IS NOT NULL) n WHERE n.job_id = j.job_id;
CREATE UNIQUE INDEX job_claimed ON job (claim_id, claim_n) WHERE standing = 'leased';
-- Every row is rewritten several times in its life and then deleted: vacuum comes early and works without a pause.
ALTER TABLE job SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- The same for units: only becoming ready, or waiting for another attempt, is of interest to an index.
ALTER TABLE task_file ADD COLUMN standing text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN status = 'ready' THEN 'ready' WHEN status = 'failed' AND attempt < max_attempts THEN 'retry' ELSE 'other' END) STORED;
DROP INDEX task_file_ready, task_file_to_retry;
CREATE INDEX task_file_ready ON task_file (task_id, number) WHERE standing = 'ready';
CREATE INDEX task_file_to_retry ON task_file (task_id) WHERE standing = 'retry';
ALTER TABLE task_file SET (fillfactor = 80);
