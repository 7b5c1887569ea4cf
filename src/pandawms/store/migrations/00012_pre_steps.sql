-- Payloads of several steps: what each of them used.
-- Safe under the code before it: it adds a column that may be null.

-- A list of {name, exit_code, wall_seconds, cpu_seconds, max_rss_mb}, written with the end of a job that runs in steps; null for all others. With the
-- description of the job, so that it is kept and moved to files as that is.
ALTER TABLE job_spec ADD COLUMN steps jsonb;
