-- Retries by reason: rules that can be changed while the system runs, what they did, and what they changed for units and tasks.
-- Safe under the code before it: it adds tables, and columns that may be null or have a default.

-- Rules ------------------------------------------------------------------------------------------------------------

-- The operators' rules. The built-in ones are data of the program; a row with the name of one replaces it.
CREATE TABLE retry_rule (
    rule_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
    version integer NOT NULL DEFAULT 1 CHECK (version > 0),
    mode text NOT NULL CHECK (mode IN ('active', 'log_only', 'off')),
    action text NOT NULL CHECK (action IN (
        'no_retry', 'limit_attempts', 'more_memory', 'more_walltime', 'fewer_inputs', 'other_queue', 'other_replica', 'ignore')),
    error_domain text,
    error_code integer,
    pattern text CHECK (length(pattern) BETWEEN 1 AND 200),
    community text,
    task_type text CHECK (task_type IN ('events', 'pieces', 'dataset', 'task')),
    task_name text,
    queue text,
    parameters jsonb NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    created_by bigint NOT NULL REFERENCES user_account,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_by bigint NOT NULL REFERENCES user_account,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CHECK (error_domain IS NOT NULL OR error_code IS NULL),
    CHECK (error_domain IS NOT NULL OR pattern IS NOT NULL)
);

-- Every state that a rule had, with who made it so; the row of a removal has no rule.
CREATE TABLE retry_rule_change (
    change_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    version integer NOT NULL,
    event text NOT NULL CHECK (event IN ('add', 'edit', 'remove')),
    rule jsonb,
    changed_by bigint NOT NULL REFERENCES user_account,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((rule IS NULL) = (event = 'remove'))
);
CREATE INDEX retry_rule_change_of ON retry_rule_change (name, change_id);

-- What was done about the failure of a job (or a task, without a job), by which rule in which version; without a rule what needs none. What a rule that only
-- logs would have done is not applied.
CREATE TABLE retry_action (
    action_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL,
    job_id bigint,
    at timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('limit', 'memory', 'walltime', 'inputs', 'place', 'count')),
    action text NOT NULL,
    rule_name text,
    rule_version integer,
    is_applied boolean NOT NULL,
    n_units integer NOT NULL CHECK (n_units >= 0),
    value_before integer,
    value_after integer,
    reason text NOT NULL,
    CHECK ((rule_name IS NULL) = (rule_version IS NULL))
);
CREATE INDEX retry_action_task ON retry_action (task_id, action_id);
CREATE INDEX retry_action_job ON retry_action (job_id) WHERE job_id IS NOT NULL;
-- By age: at follows the id.
CREATE INDEX retry_action_at ON retry_action USING brin (at) WITH (pages_per_range = 32, autosummarize = on);

-- Queues that a task avoids for a while.
CREATE TABLE task_avoid (
    task_id bigint NOT NULL REFERENCES task,
    queue_id integer NOT NULL REFERENCES queue,
    until_at timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (task_id, queue_id)
);
CREATE INDEX task_avoid_until ON task_avoid (until_at);

-- Units ------------------------------------------------------------------------------------------------------------

-- What failures have changed for a unit: memory and wall time of its next job, how many units that may have, its own limit of failures (null: as the task
-- says), and how many of its tries were forgiven or cost nothing. `judged_job_id` is the last failed job that was judged.
ALTER TABLE task_file
    ADD COLUMN memory_mb integer CHECK (memory_mb > 0),
    ADD COLUMN wall_seconds integer CHECK (wall_seconds > 0),
    ADD COLUMN units_per_job integer CHECK (units_per_job > 0),
    ADD COLUMN max_failures smallint,
    ADD COLUMN forgiven_failures smallint NOT NULL DEFAULT 0 CHECK (forgiven_failures >= 0),
    ADD COLUMN free_attempts smallint NOT NULL DEFAULT 0 CHECK (free_attempts >= 0),
    ADD COLUMN judged_job_id bigint;
-- What failed for good before there were rules is judged.
UPDATE task_file SET judged_job_id = job_id WHERE status = 'failed' AND attempt >= max_attempts;
-- A unit whose last job failed and that nobody has judged: as a column of its own, so that only failures touch the index (docs/adr/0031).
ALTER TABLE task_file ADD COLUMN is_unjudged boolean NOT NULL GENERATED ALWAYS AS (status = 'failed' AND job_id IS DISTINCT FROM judged_job_id) STORED;
CREATE INDEX task_file_unjudged ON task_file (task_id) WHERE is_unjudged;
CREATE INDEX task_file_raised ON task_file (task_id) WHERE memory_mb IS NOT NULL;
