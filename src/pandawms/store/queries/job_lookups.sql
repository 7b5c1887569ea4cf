-- name: claim_holder(job_id)^
-- Which claim had a job, and in which queue; hot or ended.
SELECT j.claim_id, q.name AS queue FROM job j JOIN queue q USING (queue_id) WHERE j.job_id = :job_id
UNION ALL
SELECT a.claim_id, q.name AS queue FROM job_archive a JOIN queue q USING (queue_id) WHERE a.job_id = :job_id LIMIT 1;

-- name: job_of_file(file_id)$
-- The job that wrote a file.
SELECT job_id FROM job_file WHERE file_id = :file_id AND role = 'output' ORDER BY job_id DESC LIMIT 1;
