-- name: ask(verb, task_id, job_id, arguments, asked_by)$
-- Writes a command; the same command that is still pending is not written twice.
WITH made AS (
    INSERT INTO command (verb, task_id, job_id, arguments, asked_by) VALUES (:verb, :task_id, :job_id, :arguments, :asked_by)
    ON CONFLICT DO NOTHING RETURNING command_id
)
SELECT command_id FROM made UNION ALL
SELECT command_id FROM command WHERE applied_at IS NULL AND verb = :verb AND (task_id = :task_id OR job_id = :job_id) LIMIT 1;

-- name: take(n)
-- Pending commands, oldest first, each for the caller alone until its transaction ends.
SELECT c.*, u.name AS asker FROM command c JOIN user_account u ON u.user_id = c.asked_by
WHERE c.applied_at IS NULL ORDER BY c.command_id LIMIT :n FOR UPDATE OF c SKIP LOCKED;

-- name: answer(command_id, answer)!
UPDATE command SET applied_at = now(), answer = :answer WHERE command_id = :command_id;
