"""Whether a queue has what a task asks for beside memory and time: what neither learning nor retries change. Pure."""

from pandawms.domain.gpu import is_model
from pandawms.engine.requirements import Effective
from pandawms.store.retry_rules import Slot
from pandawms.wire.document import ResourceSpec, TaskDocument


def may_run_in(slot: Slot, document: TaskDocument, community: str, wanted: ResourceSpec | Effective) -> bool:
    """Whether jobs of a task may ever run in a queue, as far as its list of queues, community, nodes, cores, GPUs and architecture go."""
    return (
        slot.community == community
        and (not document.queues or slot.name in document.queues)
        and slot.name not in document.exclude_queues
        and slot.nodes >= wanted.nodes
        and slot.cores >= wanted.cores
        and _has_gpus(slot, wanted)
        and ("any" in (wanted.architecture, slot.architecture) or wanted.architecture == slot.architecture)
    )


def _has_gpus(slot: Slot, wanted: ResourceSpec | Effective) -> bool:
    return slot.gpus >= wanted.gpus and slot.gpu_memory_mb >= wanted.gpu_memory_mb and is_model(wanted.gpu_model, slot.gpu_model)
