-- Indexes for what runs every second and for what ends or re-opens a task, so that none of it reads a whole table.
-- Each is built under a lock that lets others read but not write: seconds for a million rows.

-- Jobs in the hands of pilots: counted at every claim, looked through by watch. Built on the status, which a heartbeat does not change.
CREATE INDEX job_leased ON job (queue_id, share_id) WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout');

-- New jobs come before those that wait for data, however many of these there are.
DROP INDEX job_unplaced;
CREATE INDEX job_unplaced ON job (status DESC, job_id) WHERE status IN ('defined', 'assigned');

CREATE INDEX command_pending ON command (command_id) WHERE applied_at IS NULL;
CREATE INDEX idempotency_age ON idempotency (created_at);
CREATE INDEX task_parent ON task (parent_task_id) WHERE parent_task_id IS NOT NULL;
CREATE INDEX dataset_producer ON dataset (producer_task_id) WHERE producer_task_id IS NOT NULL;
