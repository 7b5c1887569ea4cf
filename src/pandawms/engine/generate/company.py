"""Reads the files of secondary inputs that go along with a window of units, and notes what was handed out."""

from collections.abc import Sequence
from dataclasses import dataclass

from pandawms.engine.generate.plan import Companion
from pandawms.engine.splitting.cut import Job, Piece
from pandawms.engine.splitting.limits import MOST_FILES
from pandawms.engine.splitting.secondaries import Company, Secondary, fraction, numbers, places_of_unit
from pandawms.store import splitting
from pandawms.store.database import Connection
from pandawms.store.splitting import NumberedFile, SecondaryRow
from pandawms.wire.document import InputSpec, TaskDocument
from pandawms.wire.document_view import secondaries


@dataclass(frozen=True, slots=True)
class Along:
    """The secondary inputs of a task for one window: what the cut asks, and the files behind its numbers."""

    secondaries: tuple[Secondary, ...] = ()
    files: tuple[dict[int, NumberedFile], ...] = ()

    def company(self) -> Company | None:
        """Returns what the cut asks; None when the task has no secondary inputs."""
        return Company(self.secondaries) if self.secondaries else None

    def companions(self, jobs: Sequence[Job]) -> list[list[Companion]]:
        """Returns the files that go along with each job, input by input; nothing at all when the task has no secondary inputs."""
        if not self.secondaries:
            return []
        return [self._of(job) for job in jobs]

    def _of(self, job: Job) -> list[Companion]:
        inputs = zip(self.secondaries, self.files, job.companions, strict=True)
        return [Companion(each.task_dataset_id, files[n].file_id) for each, files, mine in inputs for n in mine]


async def read(connection: Connection, document: TaskDocument, task_id: int, pieces: Sequence[Piece]) -> Along:
    """Returns the secondary inputs of a task with what these units may need of them; other jobs of the task wait until the transaction ends."""
    wanted = secondaries(document)
    if not wanted:
        return Along()
    rows = {row.stream: row for row in await splitting.secondaries(connection, task_id)}
    found = [await _secondary(connection, spec, rows[stream], pieces) for stream, spec in wanted.items()]
    return Along(tuple(each for each, _ in found), tuple(files for _, files in found))


async def note(connection: Connection, along: Along, jobs: Sequence[Job]) -> None:
    """Notes how many places the last of these jobs left handed out."""
    if along.secondaries and jobs:
        now = {each.task_dataset_id: n for each, n in zip(along.secondaries, jobs[-1].n_given, strict=True) if n != each.n_given}
        await splitting.give(connection, now)


async def _secondary(connection: Connection, spec: InputSpec, row: SecondaryRow, pieces: Sequence[Piece]) -> tuple[Secondary, dict[int, NumberedFile]]:
    tried = {piece.job_id for piece in pieces if piece.job_id is not None}
    kept = await splitting.kept(connection, row.task_dataset_id, tried) if spec.per_job is not None else {}
    vacant = await splitting.vacant(connection, row.task_dataset_id)
    wanted = set(range(1, row.n_files + 1)) if vacant else _needed(spec, row, pieces) | {n for mine in kept.values() for n in mine}
    files = await splitting.numbered(connection, row.task_dataset_id, wanted)
    return Secondary(
        row.task_dataset_id, row.n_files, row.is_complete, spec.per_job, None if spec.ratio is None else fraction(spec.ratio), spec.whole, spec.reuse,
        row.n_given, {n: file.size_bytes for n, file in files.items()}, kept, vacant,
    ), files  # fmt: skip


def _needed(spec: InputSpec, row: SecondaryRow, pieces: Sequence[Piece]) -> set[int]:
    """The numbers of all files that these units may need; more than a job can have are not looked for."""
    if spec.ratio is not None:
        ratio = fraction(spec.ratio)
        return {n for piece in pieces for n in numbers(places_of_unit(ratio, piece.number), row.n_files, reuse=spec.reuse)}
    if spec.per_job is not None:
        return set(numbers(range(row.n_given + 1, row.n_given + spec.per_job * len(pieces) + 1), row.n_files, reuse=spec.reuse))
    return set(range(1, min(row.n_files, MOST_FILES + 1) + 1))
