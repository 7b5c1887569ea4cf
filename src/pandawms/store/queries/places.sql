-- name: ensure_site(name)$
WITH made AS (INSERT INTO site (name) VALUES (:name) ON CONFLICT DO NOTHING RETURNING site_id)
SELECT site_id FROM made UNION ALL SELECT site_id FROM site WHERE name = :name LIMIT 1;

-- name: ensure_endpoint(site_id, name, kind, root_url)$
INSERT INTO storage_endpoint (site_id, name, kind, root_url) VALUES (:site_id, :name, :kind, :root_url)
ON CONFLICT (name) DO UPDATE SET root_url = excluded.root_url RETURNING endpoint_id;

-- name: ensure_share(community_id, name, weight)$
INSERT INTO share (community_id, name, weight) VALUES (:community_id, :name, :weight)
ON CONFLICT (community_id, name) DO UPDATE SET weight = excluded.weight RETURNING share_id;

-- name: put_queue(community_id, site_id, name, cores, memory_mb, disk_mb, max_wall_seconds, architecture, slots, nodes, gpus, gpu_model, gpu_memory_mb)^
-- Makes a queue online, or gives an existing one its new size; says whether it was made.
INSERT INTO queue (community_id, site_id, name, status, cores, memory_mb, disk_mb, max_wall_seconds, architecture, slots, nodes, gpus, gpu_model, gpu_memory_mb)
VALUES (:community_id, :site_id, :name, 'online', :cores, :memory_mb, :disk_mb, :max_wall_seconds, :architecture, :slots, :nodes, :gpus, :gpu_model, :gpu_memory_mb)
ON CONFLICT (name) DO UPDATE SET cores = excluded.cores, memory_mb = excluded.memory_mb, disk_mb = excluded.disk_mb,
    max_wall_seconds = excluded.max_wall_seconds, slots = excluded.slots, nodes = excluded.nodes, gpus = excluded.gpus, gpu_model = excluded.gpu_model,
    gpu_memory_mb = excluded.gpu_memory_mb
RETURNING queue_id, xmax = 0 AS is_new;

-- name: put_queue_storage(queue_id, endpoint_id, read_order, write_order)!
INSERT INTO queue_storage (queue_id, endpoint_id, read_order, write_order) VALUES (:queue_id, :endpoint_id, :read_order, :write_order)
ON CONFLICT (queue_id, endpoint_id) DO UPDATE SET read_order = excluded.read_order, write_order = excluded.write_order;

-- name: endpoints()
SELECT e.endpoint_id, e.name, s.name AS site, e.kind, e.root_url, e.is_tape, e.can_read, e.can_write FROM storage_endpoint e JOIN site s USING (site_id)
ORDER BY e.endpoint_id;

-- name: queue_endpoints()
SELECT queue_id, endpoint_id, read_order, write_order FROM queue_storage ORDER BY queue_id, coalesce(read_order, 1000000);

-- name: sites()
SELECT s.site_id, s.name, s.region, coalesce(array_agg(q.name ORDER BY q.name) FILTER (WHERE q.name IS NOT NULL), '{}') AS queues
FROM site s LEFT JOIN queue q USING (site_id) GROUP BY s.site_id ORDER BY s.name;

-- name: refresh_fill()!
-- Counts the hot jobs again when the last count is too old to be believed; see the migration.
SELECT refresh_job_fill();

-- name: queues()
-- Every queue with what fills it: few rows, looked at by the broker and by people.
SELECT q.*, c.name AS community, s.name AS site,
    coalesce(j.activated, 0)::bigint AS activated_jobs, coalesce(j.leased, 0)::bigint AS running_jobs, coalesce(j.other, 0)::bigint AS other_jobs,
    (SELECT count(*) FROM worker w WHERE w.queue_id = q.queue_id AND w.ended_at IS NULL) AS workers,
    (SELECT w.diagnosis FROM worker w WHERE w.queue_id = q.queue_id AND w.status = 'failed' AND w.ended_at > now() - interval '10 min'
     ORDER BY w.worker_id DESC LIMIT 1) AS last_failure
FROM queue q JOIN community c USING (community_id) JOIN site s USING (site_id)
LEFT JOIN (
    SELECT queue_id, sum(n) FILTER (WHERE status = 'activated') AS activated,
        sum(n) FILTER (WHERE status IN ('sent', 'starting', 'stagein', 'running', 'stageout')) AS leased,
        sum(n) FILTER (WHERE status NOT IN ('activated', 'sent', 'starting', 'stagein', 'running', 'stageout')) AS other
    FROM job_fill GROUP BY queue_id
) j USING (queue_id)
ORDER BY q.name;

-- name: queue_by_name(name)^
SELECT q.*, c.name AS community, s.name AS site FROM queue q JOIN community c USING (community_id) JOIN site s USING (site_id) WHERE q.name = :name;

-- name: queue_ids()
SELECT queue_id FROM queue ORDER BY queue_id;

-- name: queue_states(names)
-- What pilots' calls need to know of the queues of these names.
SELECT queue_id, name, status FROM queue WHERE name = ANY (:names::text[]);

-- name: demand(queue_id, ceiling)^
-- How many jobs a queue could start at once (counted no further than the ceiling), and how many pilots it has.
SELECT (SELECT count(*) FROM (SELECT 1 FROM job WHERE queue_id = :queue_id AND standing = 'ready' LIMIT :ceiling) ready) AS activated_jobs,
    (SELECT count(*) FROM job WHERE queue_id = :queue_id AND standing = 'leased') AS running_jobs;

-- name: note_pilot(queue_id)!
-- A pilot asked: kept at most once in 10 s, so that a flood of claims writes nothing.
UPDATE queue SET last_pilot_at = now() WHERE queue_id = :queue_id AND (last_pilot_at IS NULL OR last_pilot_at < now() - interval '10 s');

-- name: default_share(community_id)$
SELECT share_id FROM share WHERE community_id = :community_id ORDER BY share_id LIMIT 1;

-- name: shares()
SELECT s.share_id, s.parent_id, s.name, s.weight, coalesce(j.leased, 0) AS running_jobs
FROM share s LEFT JOIN (
    SELECT share_id, count(*) AS leased FROM job WHERE standing = 'leased' GROUP BY share_id
) j USING (share_id)
ORDER BY s.share_id;

-- name: note_provisioner(queue_id)!
-- A provisioner asked what the queue needs: kept at most once in 5 s.
UPDATE queue SET provisioned_at = now() WHERE queue_id = :queue_id AND (provisioned_at IS NULL OR provisioned_at < now() - interval '5 s');

-- name: jobs_by_status()
SELECT status, sum(n)::bigint AS n FROM job_fill GROUP BY status ORDER BY status;
