-- Commands in rounds, what they set, and the clock.
-- Safe under the code before it: it adds columns with defaults and indexes, and lets one command of a task be pending at a time, which that code meets as a
-- row that is made by somebody else.

-- What commands set for a task, over its document and over what was learned: priority, share, queues, memory_mb, … Empty for most.
ALTER TABLE task ADD COLUMN ordered jsonb NOT NULL DEFAULT '{}';
-- Since when it waits (status pending), through every time that it was woken to look again; null while it gets on.
ALTER TABLE task ADD COLUMN pending_since timestamptz;
-- The long waits that watch looks for, when the whole task must end (null: never), and what is stuck.
ALTER TABLE task ADD COLUMN expires_at timestamptz;
CREATE INDEX task_resting ON task (status, changed_at) WHERE ended_at IS NULL;
CREATE INDEX task_expiring ON task (expires_at) WHERE ended_at IS NULL AND expires_at IS NOT NULL;
CREATE INDEX task_stuck ON task (task_id) WHERE (reason ->> 'code') LIKE 'stuck.%';

-- A command works in rounds of some jobs, each a transaction: how far it has come, and when its next round is due. Rounds of several commands take turns.
ALTER TABLE command ADD COLUMN progress jsonb, ADD COLUMN next_at timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE command ADD COLUMN result jsonb;
DROP INDEX command_pending;
CREATE INDEX command_pending ON command (next_at, command_id) WHERE applied_at IS NULL;
CREATE INDEX command_of_task ON command (task_id, command_id) WHERE task_id IS NOT NULL;

-- One pending command a task. Of several that are pending now the oldest stays.
UPDATE command c SET applied_at = now(), answer = 'refused: another command of the task was pending'
WHERE c.applied_at IS NULL AND c.task_id IS NOT NULL
    AND EXISTS (SELECT 1 FROM command o WHERE o.task_id = c.task_id AND o.applied_at IS NULL AND o.command_id < c.command_id);
DROP INDEX command_pending_task;
CREATE UNIQUE INDEX command_pending_task ON command (task_id) WHERE applied_at IS NULL AND task_id IS NOT NULL;

-- The jobs of a task in the order of their ids: a round goes on where the last one ended.
CREATE INDEX job_of_task_in_order ON job (task_id, job_id);
DROP INDEX job_of_task;

-- A unit that was finished in the task that this one is a fork of, and a file that was written there: nobody here has processed or written it.
ALTER TABLE task ADD COLUMN forked_from bigint REFERENCES task;
ALTER TABLE task_file ADD COLUMN shared_from bigint;
CREATE TABLE shared_file (
    file_id bigint PRIMARY KEY,
    task_id bigint NOT NULL,
    task_dataset_id bigint NOT NULL,
    from_file_id bigint NOT NULL
);
CREATE INDEX shared_file_task ON shared_file (task_id);
CREATE INDEX shared_file_from ON shared_file (from_file_id);
CREATE INDEX task_file_shared ON task_file (shared_from) WHERE shared_from IS NOT NULL;

-- Where the records of files go that were lost, or made void with one that was: a dataset of the same name, out of the catalogue's names.
ALTER TABLE dataset ADD COLUMN holds_lost boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX dataset_of_lost ON dataset (scope, name) WHERE holds_lost;

-- How far watch has looked through something long: one looks at a time, and the next goes on where it ended.
CREATE TABLE watch_mark (
    name text PRIMARY KEY,
    after_id bigint NOT NULL DEFAULT 0,
    looked_at timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z'
);
INSERT INTO watch_mark (name) VALUES ('jobs'), ('tasks');
