-- fault: an identity without a row -> complete, one_place
INSERT INTO job_spec (job_id, task_id, version, kind, attempt) SELECT 900000, task_id, 1, 'run', 1 FROM task LIMIT 1;

-- fault: a job that is hot and ended -> log_status, one_place, unit_state
INSERT INTO job (job_id, task_id, community_id, share_id, queue_id, requirement_id, priority, attempt, status) SELECT job_id, task_id, community_id,
    share_id, queue_id, requirement_id, 1, attempt, 'activated' FROM job_archive WHERE job_id = $retried;

-- fault: success with an error -> final_once
UPDATE job_archive SET error_domain = 'payload' WHERE job_id = $run;

-- fault: a claim before dispatch -> lease
UPDATE job SET claim_id = gen_random_uuid() WHERE status = 'activated';

-- fault: no claim after dispatch -> lease
UPDATE job SET claim_id = NULL WHERE status = 'merging';

-- fault: an ended job without claim -> lease
UPDATE job_archive SET claim_id = NULL WHERE job_id = $run;

-- fault: a job of no queue -> job_refs
UPDATE job SET queue_id = 0 WHERE job_id = $hot_activated;

-- fault: a job of no share -> job_refs
UPDATE job_archive SET share_id = 0 WHERE job_id = $run;

-- fault: a job of no requirement -> job_refs
UPDATE job SET requirement_id = 0 WHERE job_id = $hot_running;

-- fault: a job of no template -> job_refs
UPDATE job_spec SET version = 99 WHERE job_id = $run;

-- fault: a job after one that never was -> job_refs
UPDATE job_spec SET previous_job_id = 900000 WHERE job_id = $run;

-- fault: a job without identity -> attempts, file_refs, job_refs, outputs
DELETE FROM job_spec WHERE job_id = $run;

-- fault: another attempt -> job_agrees
UPDATE job_spec SET attempt = 9 WHERE job_id = $run;

-- fault: a line of another task -> job_agrees
UPDATE job_event SET task_id = 1 WHERE job_id = $run AND to_status = 'finished';

-- fault: an order for an ended job -> job_extras
INSERT INTO job_order (job_id, verdict, reason) SELECT $run, 'kill', '';

-- fault: usage of an ended job -> job_extras
INSERT INTO job_usage (job_id) SELECT $run;

-- fault: an edge to nowhere -> job_extras
INSERT INTO job_edge SELECT $run, 900000;

-- fault: a command for nothing -> job_extras
INSERT INTO command (verb, job_id, asked_by) SELECT 'kill', 900000, user_id FROM user_account;

-- fault: success without an output -> complete, outputs
DELETE FROM job_file WHERE job_id = $run AND role = 'output';

-- fault: a job without input -> attempts, complete
DELETE FROM job_file WHERE job_id = $retried AND role = 'input';

-- fault: a status of a job that its log does not give -> log_status
DELETE FROM job_event WHERE job_id = $run AND to_status = 'finished';

-- fault: a job without log -> log_status
DELETE FROM job_event WHERE job_id = $run;

-- fault: a log without job -> log_status
INSERT INTO job_event (job_id, task_id, event, to_status, who) SELECT 900000, 1, 'create', 'defined', '';

-- fault: a status of a task that its log does not give -> log_status
UPDATE task SET status = 'paused' WHERE task_id = $flowing;

-- fault: a status of a queue that its log does not give -> log_status
UPDATE queue SET status = 'offline';

-- fault: a status of a worker that its log does not give -> log_status
UPDATE worker SET status = 'failed' WHERE status = 'finished';

-- fault: a state of a dataset that its log does not give -> log_status
UPDATE dataset SET is_open = true, closed_at = NULL WHERE NOT is_open AND removed_at IS NULL;

-- fault: a line lost from the log of a job -> log_chain
DELETE FROM job_event WHERE job_id = $run AND event = 'claim';

-- fault: a line lost from the log of a task -> log_chain
DELETE FROM task_event WHERE event = 'prepare';

-- fault: a line lost from the log of a worker -> log_chain
DELETE FROM entity_event WHERE entity = 'worker' AND event = 'submit';

-- fault: a move of a job that does not exist -> log_move
UPDATE job_event SET event = 'finish' WHERE job_id = $run AND event = 'claim';

-- fault: a job that begins in the middle -> log_move
UPDATE job_event SET event = 'claim' WHERE job_id = $run AND event = 'create';

-- fault: a move of a task that does not exist -> log_move
UPDATE task_event SET event = 'pause' WHERE event = 'start';

-- fault: a move of a dataset that does not exist -> log_move
UPDATE entity_event SET event = 'thaw' WHERE entity = 'dataset' AND to_status = 'closed';

-- fault: a log of a job that runs backwards -> log_order
UPDATE job_event SET at = at - interval '1 day' WHERE job_id = $run AND to_status = 'finished';

-- fault: a log of a task that runs backwards -> log_order
UPDATE task_event SET at = at - interval '1 day' WHERE event = 'start';

-- fault: a log of a worker that runs backwards -> log_order
UPDATE entity_event SET at = at - interval '1 day' WHERE entity = 'worker' AND event = 'finish';

-- fault: work that is forgotten -> counters, done_once
UPDATE task_file SET status = 'cancelled' WHERE task_file_id = $unit_finished;

-- fault: work that was never done -> counters, done_once, unit_state
UPDATE task_file SET status = 'finished' WHERE task_file_id = (SELECT min(u.task_file_id) FROM task_file u JOIN job_archive a USING (job_id) WHERE
    u.status = 'failed');

-- fault: work that is done twice -> attempts, complete, done_once
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, task_file_id, file_id) SELECT $last_run, 99, s.task_id, 'input', f.task_dataset_id,
    f.task_file_id, f.file_id FROM job_file f JOIN job_spec s ON s.job_id = $last_run AND s.task_id = f.task_id WHERE f.role = 'input' AND f.job_id <>
    $last_run AND f.job_id IN (SELECT job_id FROM job_archive WHERE status = 'finished') LIMIT 1;

-- fault: a unit that does not run with its job -> counters, unit_state
UPDATE task_file SET status = 'ready' WHERE task_file_id = $unit_running;

-- fault: a unit that runs without a job -> counters, unit_state
UPDATE task_file SET status = 'running' WHERE task_file_id = $unit_cancelled;

-- fault: a unit that is not merging with its job -> unit_state
UPDATE task_file SET status = 'running' WHERE task_file_id = $unit_merging;

-- fault: a unit of a job that never was -> unit_refs
UPDATE task_file SET job_id = 900000 WHERE task_file_id = $unit_failed;

-- fault: a unit whose job does not know it -> unit_refs
UPDATE task_file SET job_id = $run WHERE task_file_id = $unit_failed;

-- fault: a unit of no dataset -> counters, numbering, ranges, unit_refs
UPDATE task_file SET task_dataset_id = 0 WHERE task_file_id = $unit_ready;

-- fault: a unit of no file -> file_refs, unit_refs
UPDATE task_file SET file_id = 900000 WHERE file_id IS NOT NULL AND number = 1;

-- fault: an attempt too many -> attempts
UPDATE task_file SET attempt = attempt - 1 WHERE task_file_id = $unit_finished AND attempt > 0;

-- fault: a failure too many -> attempts
UPDATE task_file SET failed_attempts = failed_attempts + 1 WHERE task_file_id = $unit_finished;

-- fault: more attempts than allowed -> attempts
UPDATE task_file SET max_attempts = attempt - 1 WHERE status = 'finished';

-- fault: a number left out -> numbering, ranges
UPDATE task_file SET number = number + 100 WHERE number = 2;

-- fault: events that are skipped -> numbering
UPDATE task_file SET first_event = first_event + 1 WHERE number = 2;

-- fault: an untouched file in no range -> ranges
UPDATE task_range SET from_number = from_number + 1 WHERE has_rows;

-- fault: a range that is lost -> ranges
DELETE FROM task_range WHERE has_rows;

-- fault: numbers that are lost -> counters
DELETE FROM task_range WHERE NOT has_rows AND status = 'ready';

-- fault: numbers that a job had and that are given again -> counters, numbering
INSERT INTO task_range (task_dataset_id, from_number, to_number, task_id, has_rows, max_attempts, first_event, unit_events, end_event)
    SELECT task_dataset_id, number, number, task_id, false, max_attempts, first_event, n_events, first_event + n_events FROM task_file WHERE task_file_id =
    (SELECT max(task_file_id) FROM task_file WHERE n_events IS NOT NULL AND status = 'running');

-- fault: a range of another task -> ranges
UPDATE task_range SET task_id = (SELECT min(task_id) FROM task) WHERE has_rows;

-- fault: units that were cancelled and open again -> counters, ended_task
UPDATE task_range SET status = 'ready' WHERE status = 'cancelled';

-- fault: a counter of use -> counters
UPDATE task_dataset SET n_used = n_used - 1 WHERE is_master AND n_used > n_finished + n_failed;

-- fault: a counter of successes -> counters, verdict
UPDATE task_dataset SET n_finished = n_finished - 1 WHERE n_finished > 1;

-- fault: a counter of events -> counters
UPDATE task_dataset SET n_events_finished = n_events_finished + 1 WHERE is_master;

-- fault: a counter of an output -> counters
UPDATE task_dataset SET n_events = 1 WHERE role = 'output';

-- fault: a dataset in a task that is none -> task_refs
UPDATE task_dataset SET dataset_id = 900000 WHERE role = 'input';

-- fault: a task of no share -> task_refs
UPDATE task SET share_id = 0 WHERE task_id = $flowing;

-- fault: a verdict that is not kept -> verdict
DELETE FROM task_round;

-- fault: a verdict that is wrong -> log_status, verdict
UPDATE task SET status = 'done' WHERE status = 'finished';
UPDATE task_round SET status = 'done' WHERE status = 'finished';

-- fault: an end with jobs and units open -> ended_task, log_status
INSERT INTO task_round SELECT task_id, round, 'aborted', now(), '{}' FROM task WHERE task_id = $busy;
UPDATE task SET status = 'aborted', ended_at = now() WHERE task_id = $busy;

-- fault: a unit open at the end -> counters, ended_task
UPDATE task_file SET max_attempts = attempt + 1 WHERE status = 'failed';

-- fault: a file of no job -> file_refs
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id) SELECT 900000, 0, task_id, 'input', task_dataset_id FROM task_dataset LIMIT 1;

-- fault: a file of no dataset -> file_refs, outputs
UPDATE job_file SET task_dataset_id = 0 WHERE job_id = $run AND role = 'output';

-- fault: an input of no unit -> attempts, file_refs
UPDATE job_file SET task_file_id = 900000 WHERE job_id = $retried AND role = 'input';

-- fault: an output of no catalogue entry -> file_refs
UPDATE job_file SET file_id = 900000 WHERE job_id = $run AND role = 'output';

-- fault: an output of another name -> file_refs
UPDATE job_file SET name = 'x' WHERE job_id = $run AND role = 'output';

-- fault: an output in no group -> file_refs
UPDATE job_file SET merge_group_id = 900000 WHERE job_id = (SELECT min(job_id) FROM job_file WHERE merge_group_id IS NOT NULL) AND role = 'output';

-- fault: a file that no job wrote -> outputs
WITH made AS (INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32) SELECT dataset_id, scope, 'x', gen_random_uuid(), 0, '\x00000000'
    FROM file WHERE file_id = $output RETURNING file_id, dataset_id), placed AS (INSERT INTO replica SELECT file_id, endpoint_id FROM made,
    storage_endpoint) UPDATE dataset d SET n_files = n_files + 1 FROM made WHERE d.dataset_id = made.dataset_id;

-- fault: an output of success that is not kept -> outputs
UPDATE job_file SET status = 'failed' WHERE job_id = $run AND role = 'output';

-- fault: an output of a failure that is kept -> attempts, done_once, outputs, unit_state
UPDATE job_archive SET status = 'failed', error_domain = 'payload' WHERE job_id = $run;
UPDATE job_event SET event = 'fail', to_status = 'failed' WHERE to_status = 'finished' AND job_id = (SELECT min(job_id) FROM job_archive WHERE status
    = 'failed' AND error_domain = 'payload' AND error_code = 0);

-- fault: an output in another dataset -> dataset_counters, outputs
UPDATE file SET dataset_id = (SELECT max(dataset_id) FROM dataset WHERE producer_task_id IS NULL) WHERE file_id = $output;

-- fault: a file that is merged twice -> complete, merged_once
INSERT INTO job_file (job_id, n, task_id, role, task_dataset_id, file_id) SELECT $twin, 99, s.task_id, 'input', f.task_dataset_id, f.file_id FROM
    job_file f JOIN job_spec s ON s.job_id = $twin AND s.task_id = f.task_id WHERE f.role = 'input' AND f.job_id = $first_merge LIMIT 1;

-- fault: a merged file that no job wrote -> complete, group, merged_once, outputs
DELETE FROM job_file o USING job_file i WHERE o.role = 'output' AND i.role = 'input' AND i.file_id = o.file_id AND i.job_id = $first_merge;

-- fault: a group that failed although it is merged -> group, merged_once
UPDATE merge_group SET status = 'failed' WHERE status = 'merged';

-- fault: an empty group -> group
INSERT INTO merge_group (task_id, queue_id, serial, status, max_attempts) SELECT max(task_id), max(queue_id), 900, 'mergeable', 1 FROM task, queue;

-- fault: a group with another number of attempts -> group
UPDATE merge_group SET attempt = 9;

-- fault: a replica of no file -> catalogue_refs
INSERT INTO replica SELECT 900000, endpoint_id FROM storage_endpoint;

-- fault: a replica nowhere -> catalogue_refs
UPDATE replica SET endpoint_id = 0;

-- fault: an output that is stored nowhere -> catalogue_refs
DELETE FROM replica WHERE file_id = $output;

-- fault: a file of no dataset at all -> catalogue_refs, dataset_counters
UPDATE file SET dataset_id = 900000 WHERE name = 'f000004';

-- fault: a counter of files -> dataset_counters, outputs
UPDATE dataset SET n_files = n_files + 1;

-- fault: a counter of bytes -> dataset_counters
UPDATE dataset SET n_bytes = n_bytes + 1;

-- fault: a group whose lead is none of its copies -> clones
INSERT INTO clone_group (task_id, mode, attempt, n_copies, lead_job_id) SELECT task_id, 'run_once', 1, 2, job_id FROM job_archive WHERE job_id = $run;

-- fault: two copies that succeeded -> attempts, clones
INSERT INTO clone_group (clone_group_id, task_id, mode, attempt, n_copies, lead_job_id, status) OVERRIDING SYSTEM VALUE
SELECT 1, task_id, 'run_once', 1, 2, job_id, 'over' FROM job_archive WHERE job_id = $run;
UPDATE job_spec SET clone_group_id = 1, copy = 1 WHERE job_id IN (SELECT a.job_id FROM job_archive a JOIN job_spec s USING (job_id)
    WHERE a.status = 'finished' AND s.kind = 'run' AND s.task_id = (SELECT task_id FROM job_spec WHERE job_id = $run) ORDER BY a.job_id LIMIT 2);

-- fault: a group that is open though its lead has ended -> clones
INSERT INTO clone_group (clone_group_id, task_id, mode, attempt, n_copies, lead_job_id) OVERRIDING SYSTEM VALUE
SELECT 1, task_id, 'store_once', 1, 2, job_id FROM job_archive WHERE job_id = $retried;
UPDATE job_spec SET clone_group_id = 1, copy = 1 WHERE job_id = $retried;

-- fault: a copy that its hot row does not know to be one -> clones
INSERT INTO clone_group (clone_group_id, task_id, mode, attempt, n_copies, lead_job_id) OVERRIDING SYSTEM VALUE
SELECT 1, task_id, 'store_once', 1, 2, job_id FROM job WHERE job_id = $hot_running;
UPDATE job_spec SET clone_group_id = 1, copy = 1 WHERE job_id = $hot_running;

-- fault: an account of another place -> payloads
UPDATE job_payload SET n = 99 WHERE job_id = (SELECT min(job_id) FROM job_payload) AND n = 0;

-- fault: an output of a payload that failed -> attempts, complete, done_once, payloads, unit_state
UPDATE job_payload SET status = 'failed', error_domain = 'payload' WHERE job_id = (SELECT min(job_id) FROM job_payload) AND n = 0;

-- fault: a payload that finished without an output -> complete, outputs
DELETE FROM job_file WHERE role = 'output' AND job_id = (SELECT min(job_id) FROM job_payload);

-- fault: an account that is gone -> attempts, complete, done_once, payloads, unit_state
DELETE FROM job_payload WHERE job_id = (SELECT min(job_id) FROM job_payload);
