-- Growing inputs and limited tasks cost what is new, not what is there.
-- Safe under the code before it: it adds columns that may be null. What that code lists without `seen_to` is found out by its counts, and listed from the start.

-- How far an input has been listed, by the id of its last file; null when it is to be looked at from the start. And when it may be listed again at the earliest,
-- null for at once.
ALTER TABLE task_dataset ADD COLUMN seen_to bigint, ADD COLUMN next_listing_at timestamptz;

-- How many first attempts at jobs a task has had whose jobs are limited (split.max_jobs); null when nobody has counted them yet.
ALTER TABLE task ADD COLUMN n_first_jobs integer;
