-- name: removable(done_before, n)
-- Transient outputs of tasks that are done, with readers that are all done, for so long; the caller alone has each until its transaction ends. Not where a
-- command of one of these tasks waits, nor where a fork shares files of it: these have the same content.
SELECT d.dataset_id FROM dataset d JOIN task p ON p.task_id = d.producer_task_id
JOIN task_dataset o ON o.task_id = p.task_id AND o.dataset_id = d.dataset_id AND o.role = 'output'
WHERE d.is_transient AND NOT d.is_open AND d.removed_at IS NULL AND p.status = 'done' AND p.ended_at < :done_before
    AND EXISTS (SELECT 1 FROM task_dataset i WHERE i.dataset_id = d.dataset_id AND i.role = 'input')
    AND NOT EXISTS (
        SELECT 1 FROM task_dataset i JOIN task t ON t.task_id = i.task_id LEFT JOIN task_source s ON s.task_dataset_id = i.task_dataset_id
        WHERE i.role = 'input' AND (i.dataset_id = d.dataset_id OR s.dataset_id = d.dataset_id) AND (t.status <> 'done' OR t.ended_at >= :done_before))
    AND NOT EXISTS (
        SELECT 1 FROM command c WHERE c.applied_at IS NULL AND (c.task_id = p.task_id OR c.task_id IN (
            SELECT i.task_id FROM task_dataset i WHERE i.dataset_id = d.dataset_id AND i.role = 'input')))
    AND NOT EXISTS (SELECT 1 FROM shared_file s WHERE s.task_id = p.task_id)
    AND NOT EXISTS (SELECT 1 FROM shared_file s JOIN file f ON f.file_id = s.from_file_id WHERE f.dataset_id = d.dataset_id)
ORDER BY d.dataset_id LIMIT :n FOR UPDATE OF d SKIP LOCKED;

-- name: remove(dataset_ids)
UPDATE dataset SET removed_at = now() WHERE dataset_id = ANY (:dataset_ids::bigint[]) AND removed_at IS NULL AND NOT is_open RETURNING dataset_id;

-- name: content(n)
-- Up to n copies of files of transient outputs that are removed, and whose content may still be there.
SELECT f.file_id, r.endpoint_id, e.root_url, f.scope, f.name FROM dataset d JOIN task_dataset o ON o.dataset_id = d.dataset_id AND o.role = 'output'
JOIN file f ON f.dataset_id = d.dataset_id JOIN replica r ON r.file_id = f.file_id JOIN storage_endpoint e ON e.endpoint_id = r.endpoint_id
WHERE d.is_transient AND d.removed_at IS NOT NULL AND NOT d.holds_lost AND NOT EXISTS (SELECT 1 FROM shared_file s WHERE s.task_id = o.task_id)
    AND NOT EXISTS (SELECT 1 FROM shared_file s WHERE s.from_file_id = f.file_id)
ORDER BY f.file_id, r.endpoint_id LIMIT :n;

-- name: forget(file_ids, endpoint_ids)!
DELETE FROM replica r USING unnest(:file_ids::bigint[], :endpoint_ids::integer[]) AS g (file_id, endpoint_id)
WHERE r.file_id = g.file_id AND r.endpoint_id = g.endpoint_id;

-- name: removed(task_id, roles)$
-- The name of a transient dataset that a task has in one of these roles and whose content is gone, or nothing.
SELECT d.scope || ':' || d.name FROM dataset d JOIN task_dataset o ON o.dataset_id = d.dataset_id
WHERE o.task_id = :task_id AND o.role = ANY (:roles::text[]) AND d.is_transient AND d.removed_at IS NOT NULL AND NOT d.holds_lost AND d.n_files > 0
ORDER BY d.dataset_id LIMIT 1;
