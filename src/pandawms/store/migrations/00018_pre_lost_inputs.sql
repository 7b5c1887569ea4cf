-- A file of a secondary input that is lost leaves its number to the file that is made in its place; and a look for tasks that nobody told of what they lost.
-- Safe under the code before it until the new code recovers a file of a secondary input: the old engine can then make no jobs of that task that need it.

ALTER TABLE secondary_file ALTER COLUMN file_id DROP NOT NULL, ADD COLUMN lost_file_ids bigint[];
CREATE INDEX secondary_file_vacant ON secondary_file (task_dataset_id, number) WHERE file_id IS NULL;
CREATE INDEX secondary_file_lost ON secondary_file (task_dataset_id) WHERE lost_file_ids IS NOT NULL;
CREATE INDEX dataset_member_of ON dataset_member (dataset_id);
INSERT INTO watch_mark (name) VALUES ('void_inputs');
