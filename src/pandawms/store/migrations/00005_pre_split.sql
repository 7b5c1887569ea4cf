-- Splitting: files that go along with jobs, and why no job can be made of a unit.
-- Safe under the code before it: it adds a table, a column that may be null and one with a default.

-- The files of secondary inputs in the order of their use, numbered from 1 when they are first seen: a unit finds the same files in every attempt.
CREATE TABLE secondary_file (
    task_dataset_id bigint NOT NULL REFERENCES task_dataset,
    number integer NOT NULL CHECK (number > 0),
    file_id bigint NOT NULL,
    PRIMARY KEY (task_dataset_id, number),
    UNIQUE (task_dataset_id, file_id)
);
-- How many places of a secondary input jobs were given (of so many files to every job).
ALTER TABLE task_dataset ADD COLUMN n_given bigint NOT NULL DEFAULT 0 CHECK (n_given >= 0);

-- Why a unit has failed though no job had it: code, text, limit, value.
ALTER TABLE task_file ADD COLUMN reason jsonb;
