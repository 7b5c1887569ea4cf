"""The first jobs of a dry run, cut as generate would cut them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from pandawms.domain.job import seed
from pandawms.engine.define import plan as planning
from pandawms.engine.define.sources import Source
from pandawms.engine.define.submit import Checked
from pandawms.engine.splitting.cut import Job, Piece
from pandawms.engine.splitting.preview import MOST_UNITS, PreviewFile, pieces_of_files, preview
from pandawms.store import listing
from pandawms.store.database import Connection
from pandawms.store.listing import SecondaryFile
from pandawms.wire import placeholders
from pandawms.wire.document import InputSpec, TaskDocument
from pandawms.wire.document_view import BUILD, is_counted_in_events, output_files, primary, program_command
from pandawms.wire.selection import Candidate, group, up_to
from pandawms.wire.task import PlanJob

FIRST_JOBS = 3
"""How many jobs a dry run shows in full."""
SHOWN_FILES = 1000
"""Files of a job, or of a secondary input, that a dry run names at most."""


@dataclass(frozen=True, slots=True)
class Cut:
    """How many jobs a task makes now, and the first of them."""

    n_jobs: int
    first_jobs: tuple[PlanJob, ...]
    is_estimate: bool = False
    n_refused: int = 0


async def cut(connection: Connection, found: Checked) -> Cut:
    """Cuts the task as generate would: all of it, or (an estimate then) its first units. Jobs of numbers are counted."""
    document = found.document
    named = {s.stream: await _names(connection, s) for s in found.sources[1:] if not s.spec.is_numbered}
    if found.sources[0].spec.is_numbered:
        n_jobs = planning.count_jobs(document, found.size)
        width = planning.files_per_job(document)
        return Cut(n_jobs, tuple(_job(document, 1 + n * width, None, named) for n in range(min(FIRST_JOBS, n_jobs))))
    files = await _files(connection, found.sources[0], MOST_UNITS)
    used = up_to([Candidate(f.name, f.size_bytes, f.events) for f in files], primary(document)[1].max_events)
    pieces = pieces_of_files([PreviewFile(f.name, f.size_bytes, u.events, f.boundary) for f, u in zip(files, used, strict=True)], document)
    more = max(0, found.size.n_files - len(files)) * max(1, len(pieces)) // max(1, len(files))
    seen = preview(pieces, document, len(pieces) + more)
    ordered = files if document.split.boundary is None else sorted(files, key=lambda f: group(f.name, f.boundary, document.split.boundary) or "")
    shown = [_job(document, serial, _Share.of(job.pieces, ordered), named) for serial, job in zip(_serials(seen.first_jobs), seen.first_jobs, strict=True)]
    return Cut(seen.n_jobs, tuple(shown), seen.is_estimate, sum(seen.refused.values()))


def _serials(jobs: Sequence[Job]) -> list[int]:
    """A job has the number of its first unit."""
    return [job.pieces[0].number for job in jobs]


@dataclass(frozen=True, slots=True)
class _Share:
    """The primary files of a job, and its events where a part of a file is cut out."""

    names: tuple[str, ...]
    first_event: int | None
    n_events: int | None

    @classmethod
    def of(cls, pieces: Sequence[Piece], files: Sequence[SecondaryFile]) -> "_Share":
        """The share that pieces of these files make."""
        names = dict.fromkeys(files[piece.file_id].name for piece in pieces if piece.file_id is not None)
        known = [piece.n_events for piece in pieces if piece.n_events is not None]
        return cls(tuple(names), pieces[0].first_event, sum(known) if len(known) == len(pieces) else None)


async def _files(connection: Connection, source: Source, most: int) -> list[SecondaryFile]:
    ids = [dataset.dataset_id for dataset in source.datasets]
    return await listing.chosen_files(connection, ids, planning.choice(source.spec), most=most) if ids else []


async def _names(connection: Connection, source: Source) -> list[str]:
    return [file.name for file in await _files(connection, source, SHOWN_FILES)]


def _job(document: TaskDocument, serial: int, share: _Share | None, others: Mapping[str, Sequence[str]]) -> PlanJob:
    """A job of numbers (without a share), or of files; secondary files are those of a first attempt without pauses. Of several payloads the command is that of
    the first."""
    stream, _ = primary(document)
    per_job = len(share.names) if share else planning.files_per_job(document)
    mine = {name: _companions(document.inputs[name], names, serial, per_job) for name, names in others.items()}
    each = document.program.each
    if share is not None:
        mine = {stream: share.names if each is None else share.names[:1], **mine}
    width = 1 if each is None else max(1, min(each.at_once, _payloads(document, serial, per_job)))
    number = serial + document.split.first_serial - 1
    numbers = {
        "SEED": seed(0, number, document.split.seed_offset), "SERIAL": number, "ATTEMPT": 1, "JOB_ID": 0, "TASK_ID": 0,
        "CORES": max(1, document.resources.cores // width), "NODES": document.resources.nodes, "GPUS": document.resources.gpus // width,
    }  # fmt: skip
    first, n_events = (share.first_event, share.n_events) if share else _events(document, serial)
    if is_counted_in_events(document):
        numbers |= {"EVENTS": n_events or 0, "FIRST_EVENT": first or 0}
    beside = {} if document.build is None else {BUILD: document.build.output}
    values = placeholders.Values(numbers, mine, output_files(document), beside)
    command = placeholders.expand(program_command(document), values).command
    return PlanJob(serial=number, command=command, first_event=first, n_events=n_events, files=share.names if share else ())


def _payloads(document: TaskDocument, serial: int, per_job: int) -> int:
    """How many payloads a job has: the last one of numbered pieces may have fewer."""
    pieces = primary(document)[1].pieces
    return per_job if pieces is None else min(per_job, pieces - serial + 1)


def _events(document: TaskDocument, serial: int) -> tuple[int | None, int | None]:
    how = planning.plan(document)
    if not isinstance(how, planning.Chunks):
        return None, None
    first = how.first + (serial - 1) * how.chunk
    return first, min(how.chunk, how.first + how.count - first)


def _companions(spec: InputSpec, names: Sequence[str], serial: int, per_job: int) -> Sequence[str]:
    """The files of a secondary input that go with a job."""
    if spec.whole:
        return names
    if spec.per_job is None and spec.ratio is not None:
        return names[int((serial - 1) * spec.ratio) : ceil((serial - 1 + per_job) * spec.ratio)]
    n_before = (serial - 1) // max(1, per_job)
    return names[n_before * (spec.per_job or 0) : (n_before + 1) * (spec.per_job or 0)]
