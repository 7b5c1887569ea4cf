"""From what a user asks for to what a job needs."""

from pandawms.domain.snapshot import JobKind, Requirement
from pandawms.wire.task import ResourceSpec


def requirement(resources: ResourceSpec, kind: JobKind = JobKind.RUN) -> Requirement:
    """Returns what one job of these resources needs."""
    return Requirement(resources.cores, resources.memory_mb, resources.disk_mb, resources.wall_seconds, resources.architecture, resources.gpus, kind)
