"""The GPUs must be of the right kind."""

from dataclasses import dataclass

from pandawms.domain.gpu import ANY_MODEL, is_model
from pandawms.domain.snapshot import QueueSnapshot, Rejection, TaskSnapshot


@dataclass(frozen=True, slots=True)
class GpuModel:
    """Rejects queues whose GPUs are of another model than the task's pattern takes."""

    name: str = "gpu_model"

    def judge(self, task: TaskSnapshot, queue: QueueSnapshot) -> Rejection | float:
        """Rejects a queue whose model does not fit the pattern; one whose model nobody told fits only tasks that take any."""
        wanted = task.requirement.gpu_model
        if is_model(wanted, queue.gpu_model):
            return 1.0
        offered = queue.gpu_model or "of no known model"
        return Rejection(queue.name, self.name, f"its GPUs are {offered}, the task asks for {wanted}", queue.gpu_model or ANY_MODEL, wanted)


GPU_MODEL = GpuModel()
