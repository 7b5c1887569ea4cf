-- Scouts: what the jobs of a task were measured to need, and which jobs said so.
-- Safe under the code before it: it adds a column with a default and a table.

-- What replaces the resources of the document (engine/requirements.py says how); keys are names of resources.
ALTER TABLE task ADD COLUMN learned jsonb NOT NULL DEFAULT '{}';

-- Every measurement of a task, kept: the first when its scouts were judged, another when a hundred more jobs had finished.
CREATE TABLE task_measurement (
    task_id bigint NOT NULL REFERENCES task,
    round integer NOT NULL,
    number integer NOT NULL CHECK (number > 0),
    measured_at timestamptz NOT NULL DEFAULT now(),
    n_jobs integer NOT NULL CHECK (n_jobs >= 0),
    n_finished integer NOT NULL CHECK (n_finished >= 0),
    n_failed integer NOT NULL CHECK (n_failed >= 0),
    verdict text NOT NULL CHECK (verdict IN ('scouted', 'exhausted', 'broken', 'measured')),
    quantities jsonb NOT NULL,
    findings jsonb NOT NULL,
    PRIMARY KEY (task_id, round, number)
);
