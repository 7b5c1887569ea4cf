-- The foundation: every table of the first release.
-- Words of a status are PanDA's (docs/reference/states.md); a test holds the CHECKs equal to domain/.
-- Ids are bigint identities. Times are timestamptz. Sizes are bytes, memory and disk are MB, durations are seconds.

-- People ---------------------------------------------------------------------------------------------------------

CREATE TABLE community (
    community_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,60}$')
);

-- A person is (issuer, subject); the name may change.
CREATE TABLE user_account (
    user_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    issuer text NOT NULL,
    subject text NOT NULL,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,60}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    UNIQUE (issuer, subject)
);

CREATE TABLE user_group (
    group_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    community_id integer NOT NULL REFERENCES community,
    name text NOT NULL,
    UNIQUE (community_id, name)
);

-- What a user may be in a community, or in one group of it.
CREATE TABLE membership (
    user_id bigint NOT NULL REFERENCES user_account,
    community_id integer NOT NULL REFERENCES community,
    group_id integer REFERENCES user_group,
    role text NOT NULL CHECK (role IN ('member', 'production', 'administrator')),
    UNIQUE NULLS NOT DISTINCT (user_id, community_id, group_id, role)
);

-- Only the hash of a token is kept; revoking is a date.
CREATE TABLE token (
    token_id uuid PRIMARY KEY,
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    user_id bigint NOT NULL REFERENCES user_account,
    label text NOT NULL,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['user', 'pilot', 'operator'] AND cardinality(scopes) > 0),
    queue_id integer,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CHECK (NOT 'pilot' = ANY (scopes) OR queue_id IS NOT NULL)
);

-- Places ---------------------------------------------------------------------------------------------------------

CREATE TABLE site (
    site_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    region text NOT NULL DEFAULT ''
);

CREATE TABLE storage_endpoint (
    endpoint_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    site_id integer NOT NULL REFERENCES site,
    name text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('local')),
    root_url text NOT NULL,
    is_tape boolean NOT NULL DEFAULT false,
    can_read boolean NOT NULL DEFAULT true,
    can_write boolean NOT NULL DEFAULT true
);

CREATE TABLE share (
    share_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    community_id integer NOT NULL REFERENCES community,
    parent_id integer REFERENCES share,
    name text NOT NULL,
    weight double precision NOT NULL CHECK (weight >= 0),
    UNIQUE (community_id, name)
);

CREATE TABLE queue (
    queue_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    community_id integer NOT NULL REFERENCES community,
    group_id integer REFERENCES user_group,
    site_id integer NOT NULL REFERENCES site,
    name text NOT NULL UNIQUE CHECK (name ~ '^[A-Za-z0-9._-]{1,100}$'),
    status text NOT NULL CHECK (status IN ('online', 'offline', 'test', 'brokeroff', 'paused')),
    cores integer NOT NULL CHECK (cores > 0),
    memory_mb integer NOT NULL CHECK (memory_mb > 0),
    disk_mb integer NOT NULL CHECK (disk_mb > 0),
    max_wall_seconds integer NOT NULL CHECK (max_wall_seconds > 0),
    architecture text NOT NULL DEFAULT 'x86_64',
    gpus integer NOT NULL DEFAULT 0,
    slots integer NOT NULL CHECK (slots > 0),
    last_pilot_at timestamptz,
    provisioned_at timestamptz,
    settings jsonb NOT NULL DEFAULT '{}'
);
ALTER TABLE token ADD FOREIGN KEY (queue_id) REFERENCES queue;

-- Which storage a queue reads and writes, nearest first.
CREATE TABLE queue_storage (
    queue_id integer NOT NULL REFERENCES queue,
    endpoint_id integer NOT NULL REFERENCES storage_endpoint,
    read_order integer,
    write_order integer,
    PRIMARY KEY (queue_id, endpoint_id)
);

-- A worker is one pilot in one slot of a batch system.
CREATE TABLE worker (
    worker_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    queue_id integer NOT NULL REFERENCES queue,
    status text NOT NULL CHECK (status IN ('pending', 'submitted', 'ready', 'idle', 'running', 'finished', 'failed', 'cancelled', 'missed')),
    provisioner text NOT NULL,
    native_id text,
    node text,
    diagnosis text,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz,
    ended_at timestamptz,
    CHECK ((ended_at IS NOT NULL) = (status IN ('finished', 'failed', 'cancelled', 'missed')))
);
CREATE INDEX worker_alive ON worker (queue_id) WHERE ended_at IS NULL;
CREATE INDEX worker_failed ON worker (queue_id, worker_id) WHERE status = 'failed';

-- The catalogue --------------------------------------------------------------------------------------------------

CREATE TABLE dataset (
    dataset_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    community_id integer NOT NULL REFERENCES community,
    group_id integer REFERENCES user_group,
    owner_id bigint NOT NULL REFERENCES user_account,
    scope text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL DEFAULT 'dataset' CHECK (kind IN ('dataset', 'container')),
    is_open boolean NOT NULL DEFAULT true,
    is_transient boolean NOT NULL DEFAULT false,
    producer_task_id bigint,
    n_files bigint NOT NULL DEFAULT 0 CHECK (n_files >= 0),
    n_bytes bigint NOT NULL DEFAULT 0 CHECK (n_bytes >= 0),
    n_events bigint NOT NULL DEFAULT 0 CHECK (n_events >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    removed_at timestamptz,
    CHECK (is_open = (closed_at IS NULL))
);
CREATE INDEX dataset_producer ON dataset (producer_task_id) WHERE producer_task_id IS NOT NULL;
CREATE UNIQUE INDEX dataset_name ON dataset (scope, name) WHERE removed_at IS NULL;

CREATE TABLE dataset_member (
    container_id bigint NOT NULL REFERENCES dataset,
    dataset_id bigint NOT NULL REFERENCES dataset,
    PRIMARY KEY (container_id, dataset_id)
);

CREATE TABLE file (
    file_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    dataset_id bigint NOT NULL REFERENCES dataset,
    scope text NOT NULL,
    name text NOT NULL,
    guid uuid NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    adler32 bytea NOT NULL CHECK (octet_length(adler32) = 4),
    events bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (dataset_id, name)
);
CREATE INDEX file_name ON file (scope, name);

CREATE TABLE replica (
    file_id bigint NOT NULL REFERENCES file,
    endpoint_id integer NOT NULL REFERENCES storage_endpoint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (file_id, endpoint_id)
);

-- Programs of users: content-addressed, owned, expiring. The bytes are in the blob store.
CREATE TABLE sandbox (
    sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
    owner_id bigint NOT NULL REFERENCES user_account,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (sha256, owner_id)
);
CREATE INDEX sandbox_expiry ON sandbox (expires_at);

-- Tasks ----------------------------------------------------------------------------------------------------------

CREATE TABLE task (
    task_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (START WITH 10000001),
    community_id integer NOT NULL REFERENCES community,
    group_id integer REFERENCES user_group,
    owner_id bigint NOT NULL REFERENCES user_account,
    share_id integer NOT NULL REFERENCES share,
    name text NOT NULL,
    status text NOT NULL CHECK (status IN (
        'waiting', 'staging', 'registered', 'defined', 'assigning', 'ready', 'topreprocess', 'preprocessing', 'scouting', 'scouted', 'running',
        'merging', 'pending', 'throttled', 'paused', 'exhausted', 'prepared', 'done', 'finished', 'failed', 'tobroken', 'broken', 'aborting',
        'toabort', 'aborted', 'finishing', 'passed', 'toretry', 'toincexec', 'rerefine', 'toreassign', 'reassigning', 'obsolete')),
    previous_status text,
    version integer NOT NULL DEFAULT 1,
    round integer NOT NULL DEFAULT 1,
    priority integer NOT NULL,
    reason jsonb,
    parent_task_id bigint REFERENCES task,
    next_merge_serial integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    next_look_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((ended_at IS NOT NULL) = (status IN ('done', 'finished', 'failed', 'broken', 'aborted', 'obsolete')))
);
-- A name is free again when its task was killed or could never run.
CREATE UNIQUE INDEX task_name ON task (owner_id, name) WHERE status NOT IN ('aborted', 'broken', 'obsolete');
CREATE INDEX task_parent ON task (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE INDEX task_active ON task (status, next_look_at) WHERE ended_at IS NULL;
ALTER TABLE dataset ADD FOREIGN KEY (producer_task_id) REFERENCES task;

-- What a user asked for, one row a version; a job names the version that it was made from.
CREATE TABLE task_template (
    task_id bigint NOT NULL REFERENCES task,
    version integer NOT NULL,
    document json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, version)
);

-- The verdict of each round of a task, kept when a retry re-opens it.
CREATE TABLE task_round (
    task_id bigint NOT NULL REFERENCES task,
    round integer NOT NULL,
    status text NOT NULL,
    ended_at timestamptz NOT NULL,
    verdict jsonb NOT NULL,
    PRIMARY KEY (task_id, round)
);

-- A dataset as a task sees it, with the counters that drive the task.
CREATE TABLE task_dataset (
    task_dataset_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL REFERENCES task,
    dataset_id bigint REFERENCES dataset,
    role text NOT NULL CHECK (role IN ('input', 'pseudo_input', 'output', 'transient', 'log')),
    stream text NOT NULL,
    is_master boolean NOT NULL DEFAULT false,
    is_complete boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'defined' CHECK (status IN (
        'defined', 'toupdate', 'pending', 'registering', 'ready', 'running', 'prepared', 'done', 'finished', 'failed', 'broken', 'removed')),
    n_listed bigint NOT NULL DEFAULT 0,
    n_used bigint NOT NULL DEFAULT 0,
    n_finished bigint NOT NULL DEFAULT 0,
    n_failed bigint NOT NULL DEFAULT 0,
    n_events bigint NOT NULL DEFAULT 0,
    n_events_finished bigint NOT NULL DEFAULT 0,
    UNIQUE (task_id, role, stream),
    CHECK (n_finished + n_failed <= n_used AND n_used <= n_listed AND n_failed >= 0 AND n_finished >= 0)
);
CREATE INDEX task_dataset_of ON task_dataset (dataset_id) WHERE role = 'input';
CREATE INDEX task_dataset_growing ON task_dataset (task_id) WHERE role IN ('input', 'pseudo_input') AND NOT is_complete;

-- The unit of work of a task: one file of its input dataset, or one chunk of events. This, not the job, is what must be done once.
CREATE TABLE task_file (
    task_file_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL REFERENCES task,
    task_dataset_id bigint NOT NULL REFERENCES task_dataset,
    file_id bigint REFERENCES file,
    number integer NOT NULL,
    first_event bigint,
    n_events bigint,
    status text NOT NULL CHECK (status IN (
        'pending', 'ready', 'picked', 'running', 'merging', 'finished', 'failed', 'partial', 'missing', 'lost', 'staging', 'broken', 'corrupted',
        'cancelled', 'removed')),
    attempt smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL,
    failed_attempts smallint NOT NULL DEFAULT 0,
    job_id bigint,
    UNIQUE (task_dataset_id, number),
    UNIQUE (task_dataset_id, file_id)
);
CREATE INDEX task_file_ready ON task_file (task_id, number) WHERE status = 'ready';
CREATE INDEX task_file_to_retry ON task_file (task_id) WHERE status = 'failed' AND attempt < max_attempts;

-- What the brokerage found at its last look: why each queue was rejected.
CREATE TABLE brokerage (
    task_id bigint PRIMARY KEY REFERENCES task,
    evaluated_at timestamptz NOT NULL,
    candidates jsonb NOT NULL,
    rejections jsonb NOT NULL
);

-- How many inputs of a task a queue may take, until when.
CREATE TABLE allocation (
    allocation_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL REFERENCES task,
    queue_id integer NOT NULL REFERENCES queue,
    quota integer NOT NULL CHECK (quota > 0),
    weight double precision NOT NULL CHECK (weight > 0),
    evaluated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (task_id, queue_id)
);

-- Jobs -----------------------------------------------------------------------------------------------------------

-- Distinct needs of jobs; a claim first picks the classes that its slot can run.
CREATE TABLE requirement (
    requirement_id integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    cores integer NOT NULL,
    memory_mb integer NOT NULL,
    disk_mb integer NOT NULL,
    wall_seconds integer NOT NULL,
    architecture text NOT NULL,
    gpus integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('build', 'run', 'merge')),
    UNIQUE (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind)
);

-- The identity of a job and what never changes about it: its task's template plus this small delta.
CREATE SEQUENCE job_id;

CREATE TABLE job_spec (
    job_id bigint PRIMARY KEY DEFAULT nextval('job_id'),
    task_id bigint NOT NULL REFERENCES task,
    version integer NOT NULL,
    kind text NOT NULL CHECK (kind IN ('build', 'run', 'merge')),
    attempt smallint NOT NULL,
    previous_job_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    delta jsonb NOT NULL,
    FOREIGN KEY (task_id, version) REFERENCES task_template (task_id, version)
) PARTITION BY RANGE (job_id);
CREATE INDEX job_spec_task ON job_spec (task_id, job_id);

-- The hot row: what claim and lease need, nothing else; deleted when the job ends.
CREATE TABLE job (
    job_id bigint PRIMARY KEY REFERENCES job_spec,
    task_id bigint NOT NULL,
    worker_id bigint,
    lease_expires_at timestamptz,
    claim_id uuid,
    community_id integer NOT NULL,
    share_id integer NOT NULL,
    queue_id integer NOT NULL,
    requirement_id integer NOT NULL,
    priority integer NOT NULL,
    waits_for integer NOT NULL DEFAULT 0 CHECK (waits_for >= 0),
    attempt smallint NOT NULL,
    status text NOT NULL CHECK (status IN (
        'pending', 'defined', 'waiting', 'assigned', 'activated', 'throttled', 'sent', 'starting', 'stagein', 'running', 'stageout', 'holding',
        'transferring', 'merging')),
    CHECK ((lease_expires_at IS NOT NULL) = (status IN ('sent', 'starting', 'stagein', 'running', 'stageout'))),
    CHECK (lease_expires_at IS NULL OR claim_id IS NOT NULL),
    CHECK (status <> 'waiting' OR waits_for > 0)
) WITH (fillfactor = 70);
CREATE INDEX job_ready ON job (queue_id, share_id, requirement_id, priority DESC, job_id) WHERE status = 'activated';
CREATE INDEX job_of_task ON job (task_id);
-- New jobs come before those that wait for data, however many of these there are.
CREATE INDEX job_unplaced ON job (status DESC, job_id) WHERE status IN ('defined', 'assigned');
-- Jobs in the hands of pilots: counted at every claim, looked through by watch. Built on the status, which a heartbeat does not change.
CREATE INDEX job_leased ON job (queue_id, share_id) WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout');
CREATE INDEX job_claimed ON job (claim_id) WHERE claim_id IS NOT NULL;

-- Who waits for whom; a job is released when its waits_for is zero.
CREATE TABLE job_edge (
    predecessor_id bigint NOT NULL REFERENCES job_spec,
    successor_id bigint NOT NULL REFERENCES job_spec,
    PRIMARY KEY (predecessor_id, successor_id)
);

-- What the next heartbeat of a job carries back.
CREATE TABLE job_order (
    job_id bigint PRIMARY KEY REFERENCES job_spec,
    verdict text NOT NULL CHECK (verdict IN ('kill')),
    reason text NOT NULL,
    asked_by bigint REFERENCES user_account,
    asked_at timestamptz NOT NULL DEFAULT now()
);

-- A job that ended, and what is needed to answer a repeated or late report of it.
CREATE TABLE job_archive (
    job_id bigint NOT NULL,
    task_id bigint NOT NULL,
    worker_id bigint,
    claim_id uuid,
    community_id integer NOT NULL,
    share_id integer NOT NULL,
    queue_id integer NOT NULL,
    requirement_id integer NOT NULL,
    attempt smallint NOT NULL,
    status text NOT NULL CHECK (status IN ('finished', 'failed', 'cancelled', 'closed')),
    error_domain text NOT NULL,
    error_code integer NOT NULL,
    exit_code integer,
    exit_signal integer,
    message text NOT NULL,
    is_retryable boolean NOT NULL,
    started_at timestamptz,
    ended_at timestamptz NOT NULL DEFAULT now(),
    wall_seconds real,
    cpu_seconds real,
    max_rss_mb integer,
    PRIMARY KEY (job_id)
) PARTITION BY RANGE (job_id);
CREATE INDEX job_archive_task ON job_archive (task_id, job_id);

-- What a payload used before its job could end (a job in merging has no pilot any more).
CREATE TABLE job_usage (
    job_id bigint PRIMARY KEY REFERENCES job_spec,
    started_at timestamptz,
    wall_seconds real,
    cpu_seconds real,
    max_rss_mb integer
);

-- Merge groups: outputs of run jobs that one merge job adds up.
CREATE TABLE merge_group (
    merge_group_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL REFERENCES task,
    queue_id integer NOT NULL REFERENCES queue,
    serial integer NOT NULL,
    status text NOT NULL CHECK (status IN ('mergeable', 'merging', 'merged', 'failed')),
    attempt smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL,
    job_id bigint REFERENCES job_spec,
    UNIQUE (task_id, serial)
);
CREATE INDEX merge_group_open ON merge_group (task_id) WHERE status IN ('mergeable', 'merging');

-- Files of a job: inputs name a unit of the task, outputs name what was, or will be, written.
CREATE TABLE job_file (
    job_id bigint NOT NULL REFERENCES job_spec,
    n integer NOT NULL,
    task_id bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('input', 'output')),
    task_dataset_id bigint NOT NULL REFERENCES task_dataset,
    task_file_id bigint REFERENCES task_file,
    file_id bigint REFERENCES file,
    merge_group_id bigint REFERENCES merge_group,
    name text,
    status text NOT NULL CHECK (status IN ('defined', 'running', 'finished', 'failed', 'nooutput', 'ready', 'merging', 'transferring', 'notmerged', 'cancelled', 'lost')),
    PRIMARY KEY (job_id, n)
) PARTITION BY RANGE (job_id);
CREATE INDEX job_file_unmerged ON job_file (task_id) WHERE status = 'ready';
CREATE INDEX job_file_group ON job_file (merge_group_id) WHERE merge_group_id IS NOT NULL;
CREATE INDEX job_file_file ON job_file (file_id) WHERE file_id IS NOT NULL;

-- Between the stages -----------------------------------------------------------------------------------------------

-- What users and operators ask; the command stage applies it.
CREATE TABLE command (
    command_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    verb text NOT NULL,
    task_id bigint REFERENCES task,
    job_id bigint REFERENCES job_spec,
    arguments jsonb NOT NULL DEFAULT '{}',
    asked_by bigint NOT NULL REFERENCES user_account,
    asked_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    answer text,
    CHECK ((task_id IS NULL) <> (job_id IS NULL)),
    CHECK ((applied_at IS NULL) = (answer IS NULL))
);
CREATE INDEX command_pending ON command (command_id) WHERE applied_at IS NULL;
CREATE UNIQUE INDEX command_pending_task ON command (task_id, verb) WHERE applied_at IS NULL AND task_id IS NOT NULL;
CREATE UNIQUE INDEX command_pending_job ON command (job_id, verb) WHERE applied_at IS NULL AND job_id IS NOT NULL;

-- A task whose files changed and that aggregate must look at. Only appended, so that a report never waits for aggregate.
CREATE TABLE task_touch (
    touch_id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    task_id bigint NOT NULL
);

-- Logs of changes. One sequence numbers them all; event_xid lets a reader stop before transactions that are still open.
CREATE SEQUENCE event_id;

CREATE TABLE job_event (
    event_id bigint NOT NULL DEFAULT nextval('event_id'),
    event_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    job_id bigint NOT NULL,
    task_id bigint NOT NULL,
    event text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    why jsonb,
    PRIMARY KEY (job_id, event_id)
) PARTITION BY RANGE (job_id);
CREATE INDEX job_event_tail ON job_event (event_xid, event_id);

CREATE TABLE task_event (
    event_id bigint NOT NULL DEFAULT nextval('event_id'),
    event_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    task_id bigint NOT NULL,
    event text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    why jsonb,
    PRIMARY KEY (task_id, event_id)
) PARTITION BY RANGE (task_id);
CREATE INDEX task_event_tail ON task_event (event_xid, event_id);

-- Datasets, queues and workers.
CREATE TABLE entity_event (
    event_id bigint PRIMARY KEY DEFAULT nextval('event_id'),
    event_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    entity text NOT NULL CHECK (entity IN ('dataset', 'queue', 'worker')),
    entity_id bigint NOT NULL,
    event text NOT NULL,
    from_status text,
    to_status text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    why jsonb
);
CREATE INDEX entity_event_of ON entity_event (entity, entity_id, event_id);
CREATE INDEX entity_event_tail ON entity_event (event_xid, event_id);

-- When a server last could hear pilots; a gap in it gives every lease a full period.
CREATE TABLE hearing (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    heard_at timestamptz NOT NULL
);

-- Answers already given to a creation, by the caller's key.
CREATE TABLE idempotency (
    user_id bigint NOT NULL REFERENCES user_account,
    key text NOT NULL CHECK (length(key) <= 200),
    request_hash bytea NOT NULL,
    answer jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Partitions -------------------------------------------------------------------------------------------------------

-- Makes the partitions of one log or archive that hold the given id and the next one; the watch stage calls it ahead of need.
CREATE FUNCTION make_partitions(parent text, id bigint, width bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    made integer := 0;
    lower_bound bigint;
    child text;
BEGIN
    FOR step IN 0..1 LOOP
        lower_bound := (id / width + step) * width;
        child := parent || '_' || lower_bound;
        IF to_regclass(child) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)', child, parent, lower_bound, lower_bound + width);
            made := made + 1;
        END IF;
    END LOOP;
    RETURN made;
END
$$;

SELECT make_partitions('job_spec', 0, 1000000);
SELECT make_partitions('job_file', 0, 1000000);
SELECT make_partitions('job_archive', 0, 1000000);
SELECT make_partitions('job_event', 0, 1000000);
SELECT make_partitions('task_event', 10000000, 1000000);
