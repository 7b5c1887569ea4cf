-- A file of a secondary input that is lost leaves its number to the file that is made in its place; and a look for tasks that nobody told of what they lost.
-- Safe under the code before it: it adds a column that may be null, and lets another be so, which only recoveries by the new code make it.

ALTER TABLE secondary_file ALTER COLUMN file_id DROP NOT NULL, ADD COLUMN lost_file_id bigint;
CREATE INDEX secondary_file_vacant ON secondary_file (task_dataset_id, number) WHERE file_id IS NULL;
CREATE INDEX secondary_file_lost ON secondary_file (task_dataset_id, lost_file_id) WHERE lost_file_id IS NOT NULL;
INSERT INTO watch_mark (name) VALUES ('void_inputs');
