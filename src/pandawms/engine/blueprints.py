"""What never changes about a version of a task, kept in memory by those who ask for it at every job: its document and where its outputs belong."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pandawms.domain.output_file import file_name, suffixes
from pandawms.store import tasks
from pandawms.store.database import Connection
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import BUILD, has_payloads, output_files, program_command, reads_library

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


class Stream(NamedTuple):
    """An output of every job of one kind: its name, what the program calls the file, the suffixes that the file keeps, and where it belongs."""

    name: str
    local_name: str
    suffixes: str
    target: Target


class Work(NamedTuple):
    """What jobs of one kind do: the command with its placeholders, what it writes, and the steps of the command (name, command) where it has any."""

    command: str
    streams: Sequence[Stream]
    steps: Sequence[tuple[str, str]] = ()


class Output(NamedTuple):
    """A file that a job is to write: under `local_name` in its work folder, as `name` in the dataset."""

    stream: str
    local_name: str
    name: str
    target: Target


@dataclass(frozen=True, slots=True, eq=False)
class Blueprint:
    """One version of a task; `blueprint` makes it. Two are the same only when they are one."""

    task_id: int
    version: int
    task_name: str
    document: TaskDocument
    run: Work
    merge: Work | None
    build: Work | None = None

    def work(self, kind: str) -> Work:
        """Returns what a job of this kind does."""
        special = {"merge": self.merge, "build": self.build}.get(kind)
        return special if special is not None else self.run

    def needs_library(self, kind: str) -> bool:
        """Whether a job of this kind reads what the build made."""
        return reads_library(self.document, kind)

    def has_payloads(self, kind: str) -> bool:
        """Whether jobs of this kind run a payload for each of their units, which writes what a job writes else."""
        return has_payloads(self.document, kind)

    def serial_of_unit(self, number: int) -> int:
        """Returns what the seed of a unit's payload and the names of its outputs follow from: the serial that a job of this unit alone would have."""
        return number + self.document.split.first_serial - 1

    def outputs(self, kind: str, serial: int, attempt: int, copy: int = 1) -> list[Output]:
        """Returns what a job of this kind writes, or each of its payloads (then serial and attempt are those of the unit), in the order of the document."""
        return [Output(s.name, s.local_name, file_name(self.task_name, s.name, serial, attempt, s.suffixes, copy), s.target) for s in self.work(kind).streams]


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
    document = decode_document(row.document)
    targets = {stream: Target(*target) for stream, target in row.targets.items()}
    merge = Work(document.merge.command, _streams(document.merge.outputs, targets)) if document.merge is not None else None
    run = Work(program_command(document), _streams(output_files(document), targets), [(step.name, step.command) for step in document.program.steps])
    build = Work(document.build.command, _streams({BUILD: document.build.output}, targets)) if document.build is not None else None
    return Blueprint(row.task_id, row.version, row.task_name, document, run, merge, build)


def _streams(local_names: Mapping[str, str], targets: Mapping[str, Target]) -> tuple[Stream, ...]:
    return tuple(Stream(name, local_name, suffixes(local_name), targets[name]) for name, local_name in local_names.items())
