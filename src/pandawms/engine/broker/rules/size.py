"""A job must fit into one slot of the queue: nodes, cores, memory, disk, wall time and GPUs are all the same comparison."""

from dataclasses import dataclass

from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class Size:
    """Rejects queues whose slot has less than a job needs; `need` and `offer` name the fields that are compared."""

    name: str
    need: str
    offer: str
    what: str

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue whose slot is too small in this one respect."""
        value: int = getattr(task.requirement, self.need)
        limit: int = getattr(queue, self.offer)
        if value <= limit:
            return 1.0
        return Rejection(queue.name, self.name, f"a job needs {value} {self.what}, a slot has {limit}", limit, value)


NODES = Size("nodes", "nodes", "nodes", "nodes")
CORES = Size("cores", "cores", "cores", "cores")
MEMORY = Size("memory", "memory_mb", "memory_mb", "MB of memory")
DISK = Size("disk", "disk_mb", "disk_mb", "MB of disk")
WALL_TIME = Size("wall_time", "wall_seconds", "max_wall_seconds", "s of wall time")
GPUS = Size("gpus", "gpus", "gpus", "GPUs")
GPU_MEMORY = Size("gpu_memory", "gpu_memory_mb", "gpu_memory_mb", "MB of memory on each GPU")
