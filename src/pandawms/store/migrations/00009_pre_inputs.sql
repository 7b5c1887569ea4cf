-- Inputs of several datasets, datasets that do not exist yet, and files that are cut into several units.
-- Safe under the code before it: it adds a table, a view and columns that may be null, and widens an index that code never conflicts on by purpose.

-- A file may be several units, each with events of its own (first_event counts from the first event of the file; a whole file has none).
DROP INDEX task_file_file;
CREATE UNIQUE INDEX task_file_file ON task_file (task_dataset_id, file_id, first_event) NULLS NOT DISTINCT WHERE file_id IS NOT NULL;

-- The group that a file belongs to: jobs may be told not to mix groups.
ALTER TABLE file ADD COLUMN IF NOT EXISTS boundary text;
ALTER TABLE task_file ADD COLUMN IF NOT EXISTS boundary text;

-- How many files the datasets of an input had when it was listed last; null where nobody counted, then n_listed says it.
ALTER TABLE task_dataset ADD COLUMN n_seen bigint;

-- The datasets of an input that names several, or one that does not exist yet (dataset_id is null until it does), in the order in which they are read.
CREATE TABLE task_source (
    task_dataset_id bigint NOT NULL REFERENCES task_dataset,
    n integer NOT NULL,
    did text NOT NULL CHECK (did LIKE '%:%'),
    dataset_id bigint REFERENCES dataset,
    PRIMARY KEY (task_dataset_id, n)
);
CREATE INDEX task_source_missing ON task_source (did) WHERE dataset_id IS NULL;
CREATE INDEX task_source_of ON task_source (dataset_id) WHERE dataset_id IS NOT NULL;

-- Every dataset that an input reads, containers replaced by what is in them.
CREATE VIEW task_input_dataset AS
SELECT task_dataset_id, dataset_id, min(n) AS n FROM (
    SELECT td.task_dataset_id, 0 AS n, td.dataset_id FROM task_dataset td WHERE td.role = 'input' AND td.dataset_id IS NOT NULL
    UNION ALL
    SELECT s.task_dataset_id, s.n, s.dataset_id FROM task_source s WHERE s.dataset_id IS NOT NULL
    UNION ALL
    SELECT td.task_dataset_id, 0, m.dataset_id FROM task_dataset td JOIN dataset_member m ON m.container_id = td.dataset_id WHERE td.role = 'input'
    UNION ALL
    SELECT s.task_dataset_id, s.n, m.dataset_id FROM task_source s JOIN dataset_member m ON m.container_id = s.dataset_id
) i GROUP BY task_dataset_id, dataset_id;
