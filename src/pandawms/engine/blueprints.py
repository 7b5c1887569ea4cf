"""What never changes about a version of a task, kept in memory by those who ask for it at every job: its document and where its outputs belong."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pandawms.domain.output_file import file_name
from pandawms.store import tasks
from pandawms.store.database import Connection
from pandawms.wire.checks import decode_document
from pandawms.wire.task import TaskDocument

Version = tuple[int, int]
"""A task and the version of its document."""
MOST = 1000
"""Blueprints kept; a document is a few kB."""


class Target(NamedTuple):
    """The dataset that takes a stream of outputs; `role` is output, or transient when the files wait there for a merge."""

    task_dataset_id: int
    dataset_id: int
    role: str
    scope: str


class Output(NamedTuple):
    """A file that a job is to write: under `local_name` in its work folder, as `name` in the dataset."""

    stream: str
    local_name: str
    name: str
    target: Target


@dataclass(frozen=True, slots=True)
class Blueprint:
    """One version of a task."""

    task_id: int
    version: int
    task_name: str
    document: TaskDocument
    targets: Mapping[str, Target]

    def command(self, kind: str) -> str:
        """Returns the command of a job of this kind, with its placeholders."""
        return self.document.merge.command if kind == "merge" and self.document.merge is not None else self.document.program.command

    def outputs(self, kind: str, serial: int, attempt: int) -> list[Output]:
        """Returns what a job of this kind writes, in the order of the document."""
        streams = self.document.merge.outputs if kind == "merge" and self.document.merge is not None else self.document.outputs
        return [
            Output(stream, local_name, file_name(self.task_name, stream, serial, attempt, local_name), self.targets[stream])
            for stream, local_name in streams.items()
        ]


@dataclass(slots=True)
class Blueprints:
    """Blueprints read from the database once; the oldest go when there are many."""

    _kept: dict[Version, Blueprint] = field(default_factory=dict)

    async def of(self, connection: Connection, wanted: Collection[Version]) -> Mapping[Version, Blueprint]:
        """Returns the blueprints of these versions, and maybe others."""
        missing = [version for version in wanted if version not in self._kept]
        if missing:
            self._kept |= {(row.task_id, row.version): blueprint(row) for row in await tasks.blueprints(connection, missing)}
        while len(self._kept) > max(MOST, len(wanted)):
            self._kept.pop(next(version for version in self._kept if version not in wanted))
        return self._kept


def blueprint(row: tasks.BlueprintRow) -> Blueprint:
    """Returns the blueprint that a row of the store holds."""
    targets: dict[str, Any] = row.targets
    return Blueprint(row.task_id, row.version, row.task_name, decode_document(row.document), {stream: Target(*target) for stream, target in targets.items()})
