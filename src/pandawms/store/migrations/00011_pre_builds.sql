-- Build jobs: what a task needs compiled or installed, made once for each queue that runs it.
-- Safe under the code before it: it adds a table and widens a check.

-- One row a version of a task and a queue. `job_id` is the newest build job, `attempt` counts them, `failures` those that gave no library or whose library
-- was lost; `file_id` is the library (null until aggregate has seen that the job finished), `serial` is in its name.
CREATE TABLE task_build (
    task_id bigint NOT NULL REFERENCES task,
    version integer NOT NULL,
    queue_id integer NOT NULL REFERENCES queue,
    serial integer NOT NULL CHECK (serial > 0),
    status text NOT NULL CHECK (status IN ('wanted', 'again', 'building', 'ready', 'failed')),
    attempt smallint NOT NULL DEFAULT 0,
    failures smallint NOT NULL DEFAULT 0,
    job_id bigint,
    file_id bigint,
    reason text,
    PRIMARY KEY (task_id, version, queue_id),
    CHECK ((attempt = 0) = (job_id IS NULL)),
    CHECK (status NOT IN ('building', 'ready') OR job_id IS NOT NULL)
);
-- Whose jobs wait for another attempt.
CREATE INDEX task_build_again ON task_build (task_id) WHERE status = 'again';

-- The dataset that takes the libraries of a task is none of its results.
ALTER TABLE task_dataset DROP CONSTRAINT task_dataset_role_check, ADD CONSTRAINT task_dataset_role_check
    CHECK (role IN ('input', 'pseudo_input', 'output', 'transient', 'log', 'build'));
