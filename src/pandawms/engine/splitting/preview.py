"""What a task would be cut into, for a dry run. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from pandawms.engine.requirements import effective
from pandawms.engine.splitting.cut import Job, Piece, Refused, cut
from pandawms.engine.splitting.limits import Reason, Room, rules
from pandawms.engine.splitting.of_task import split_of
from pandawms.engine.splitting.secondaries import Company
from pandawms.wire.document import BoundarySpec, TaskDocument

MOST_UNITS = 20_000
"""Units that a preview cuts; what comes after them is counted on."""


@dataclass(frozen=True, slots=True)
class PreviewFile:
    """A file as the catalogue knows it; `boundary` is the group that it tells."""

    name: str
    size_bytes: int
    n_events: int | None = None
    boundary: str | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """Jobs that would be made of an input, of all of it or (`is_estimate`) counted on from its first units.

    `first_jobs` are shown in full, `closed_by` says how many jobs were closed by what, `refused` of how many units no job could be made.
    """

    n_jobs: int
    is_estimate: bool
    first_jobs: tuple[Job, ...]
    closed_by: Mapping[Reason, int]
    refused: Mapping[Reason, int]


def preview(pieces: Iterable[Piece], document: TaskDocument, n_units: int, room: Room | None = None, company: Company | None = None, *,
            n_first: int = 3) -> Preview:  # fmt: skip
    """Returns what `n_units` units, of which `pieces` are all or the first, would be cut into in a queue with this room (None: any)."""
    by = rules(split_of(document, {}), effective(document.resources), room, n_units)
    seen = list(islice(pieces, MOST_UNITS))
    made = list(cut(seen, by, company=company))
    jobs = [one for one in made if isinstance(one, Job)]
    refused = Counter[Reason]()
    for one in made:
        if isinstance(one, Refused):
            refused[one.reason] += len(one.pieces)
    n_jobs = len(jobs) if len(seen) >= n_units or not seen else -(-len(jobs) * n_units // len(seen))
    if document.split.max_jobs is not None:
        n_jobs = min(n_jobs, document.split.max_jobs)
    return Preview(n_jobs, len(seen) < n_units, tuple(jobs[:n_first]), dict(Counter(job.closed_by for job in jobs)), dict(refused))


def pieces_of_files(files: Sequence[PreviewFile], document: TaskDocument) -> list[Piece]:
    """Returns the units that files will be, in the order of their numbers: cut by events, sorted by groups."""
    boundary, chunk = document.split.boundary, document.split.events_per_job
    grouped = files if boundary is None else sorted(files, key=lambda file: group(file, boundary))
    units = chain.from_iterable(
        _units(file, file_id, chunk, "" if boundary is None else group(file, boundary)) for file_id, file in enumerate(grouped)
    )  # fmt: skip
    return [piece._replace(number=number) for number, piece in enumerate(units, 1)]


def group(file: PreviewFile, boundary: BoundarySpec) -> str:
    """Returns the group of a file: a part of its name (the first is 1), or what the catalogue tells; empty where there is none."""
    if boundary.name_field is None:
        return file.boundary or ""
    parts = file.name.split(boundary.separator)
    return parts[boundary.name_field - 1] if boundary.name_field <= len(parts) else ""


def _units(file: PreviewFile, file_id: int, chunk: int | None, group: str) -> list[Piece]:
    if chunk is None or file.n_events is None or file.n_events <= chunk:
        return [Piece(0, file.size_bytes, file.n_events, None, file_id, group=group)]
    return [Piece(0, file.size_bytes, min(chunk, file.n_events - first), first, file_id, group=group) for first in range(0, file.n_events, chunk)]
