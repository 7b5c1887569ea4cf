-- name: move_files(file_ids, dataset_ids)!
UPDATE file f SET dataset_id = a.dataset_id FROM unnest(:file_ids::bigint[], :dataset_ids::bigint[]) AS a (file_id, dataset_id) WHERE f.file_id = a.file_id;

-- name: lock_datasets(dataset_ids)$
SELECT count(*) FROM (SELECT 1 FROM dataset WHERE dataset_id = ANY (:dataset_ids::bigint[]) ORDER BY dataset_id FOR NO KEY UPDATE) l;

-- name: count_datasets(dataset_ids, files, bytes, events)!
UPDATE dataset d SET n_files = d.n_files + a.files, n_bytes = d.n_bytes + a.bytes, n_events = d.n_events + a.events
FROM unnest(:dataset_ids::bigint[], :files::bigint[], :bytes::bigint[], :events::bigint[]) AS a (dataset_id, files, bytes, events)
WHERE d.dataset_id = a.dataset_id;
