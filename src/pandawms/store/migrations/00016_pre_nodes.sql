-- Jobs over several nodes and on GPUs of a kind: what a job asks for and what a slot of a queue has. Cores, memory, disk and GPUs are those of one node.
-- Safe under the code before it, which sees one node and GPUs of any kind everywhere: no task may ask for more while such code runs.

ALTER TABLE requirement
    ADD COLUMN nodes integer NOT NULL DEFAULT 1 CHECK (nodes > 0),
    ADD COLUMN gpu_model text NOT NULL DEFAULT 'any',
    ADD COLUMN gpu_memory_mb integer NOT NULL DEFAULT 0 CHECK (gpu_memory_mb >= 0);
-- The older columns stay first, which the code before it looks classes up by.
ALTER TABLE requirement DROP CONSTRAINT requirement_cores_memory_mb_disk_mb_wall_seconds_architectu_key;
ALTER TABLE requirement ADD CONSTRAINT requirement_class
    UNIQUE (cores, memory_mb, disk_mb, wall_seconds, architecture, gpus, kind, nodes, gpu_model, gpu_memory_mb);

-- An empty model and no memory: not known.
ALTER TABLE queue
    ADD COLUMN nodes integer NOT NULL DEFAULT 1 CHECK (nodes > 0),
    ADD COLUMN gpu_model text NOT NULL DEFAULT '',
    ADD COLUMN gpu_memory_mb integer NOT NULL DEFAULT 0 CHECK (gpu_memory_mb >= 0);
