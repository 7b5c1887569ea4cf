"""Lists the inputs of one task: units of its primary input, and what its other inputs have. What is a unit already stays as it is."""

from dataclasses import dataclass

from pandawms.domain.errors import Invalid
from pandawms.engine.define import plan as planning
from pandawms.store import listing, splitting, units
from pandawms.store.database import Connection
from pandawms.wire.document import InputSpec, TaskDocument
from pandawms.wire.document_view import datasets, is_by_whole_group, primary, secondaries


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task has after a listing: units, and whether more may come."""

    n_units: int
    is_complete: bool


async def tie_new(connection: Connection, task_id: int, document: TaskDocument) -> None:
    """Ties datasets that the document names and that the task does not know yet: an extension may have brought them."""
    for tied in await units.task_datasets(connection, [task_id]):
        if tied.role == "input" and tied.stream in document.inputs:
            known = {f"{tied.scope}:{tied.name}", *await listing.sources(connection, tied.task_dataset_id)}
            new = [did for did in datasets(document.inputs[tied.stream]) if did not in known]
            if new and tied.status != "defined":
                await listing.add_sources(connection, tied.task_dataset_id, [(did, None) for did in new])


async def find_missing(connection: Connection, task_id: int, document: TaskDocument) -> list[str]:
    """Ties what the task waited for and what exists now; returns what it has to wait for still. What it may do without is forgotten."""
    if not await listing.find_missing(connection, task_id):
        return []
    for tied in await units.task_datasets(connection, [task_id]):
        if tied.role == "input" and tied.stream in document.inputs and document.inputs[tied.stream].if_missing == "ignore":
            await listing.drop_missing(connection, tied.task_dataset_id)
    return await listing.find_missing(connection, task_id)


async def list_inputs(connection: Connection, task_id: int, document: TaskDocument) -> Outcome:
    """Lists what is not listed yet. Raises Invalid, whose code and text tell the user, when the task can never work as it is written."""
    tied = {d.stream: d for d in await units.task_datasets(connection, [task_id]) if d.role in ("input", "pseudo_input")}
    for stream, spec in secondaries(document).items():
        if stream in tied:
            await _note_secondary(connection, tied[stream].task_dataset_id, spec)
    source = tied[primary(document)[0]]
    how = planning.plan(document)
    if isinstance(how, planning.Files):
        return await _files(connection, source, document)
    return await _numbers(connection, source, document, how)


async def _numbers(connection: Connection, source: units.TaskDataset, document: TaskDocument, how: planning.Chunks | planning.Pieces) -> Outcome:
    """Numbers after those that are units: of a new task all of them."""
    reach = await listing.reach(connection, source.task_dataset_id)
    attempts, ids = document.retry.max_attempts, (source.task_id, source.task_dataset_id)
    n_units = reach.last_number
    if isinstance(how, planning.Pieces):
        if how.count > reach.last_number:
            n_units = await units.add_pieces(connection, *ids, count=how.count - reach.last_number, max_attempts=attempts)
    else:
        first = how.first if reach.next_event is None else reach.next_event
        if how.first + how.count > first:
            n_units = await units.add_event_chunks(
                connection, *ids, first=first, count=how.first + how.count - first, chunk=how.chunk, max_attempts=attempts
            )  # fmt: skip
    await listing.complete_numbers(connection, source.task_dataset_id)  # an extension may bring none
    return Outcome(n_units, is_complete=True)


async def _files(connection: Connection, source: units.TaskDataset, document: TaskDocument) -> Outcome:
    stream, spec = primary(document)
    chosen = planning.choice(spec)
    if await _must_wait(connection, source.task_dataset_id, document):
        return Outcome(source.n_listed, is_complete=False)
    if document.split.events_per_job is not None or not source.n_listed:
        found = await listing.count_files(connection, await listing.dataset_ids(connection, source.task_dataset_id), chosen)
        planning.check_job_count(document, found)
    listed = await listing.list_files(connection, source.task_id, source.task_dataset_id, chosen, planning.cut(document), grows=spec.grow)
    if listed.n_unknown and planning.needs_events(document):
        raise Invalid(
            f"nobody counted the events of {listed.n_unknown} files, {listed.unknown} among them", code="input.events_unknown",
            field=f"inputs.{stream}.events_per_file", value=listed.unknown, allowed="files whose events are known",
            hint="write events_per_file, or split by files_per_job",
        )  # fmt: skip
    return Outcome(source.n_listed + listed.n_units, listed.is_complete)


async def _must_wait(connection: Connection, task_dataset_id: int, document: TaskDocument) -> bool:
    """Whether nothing of a primary input is listed before all of it is there: units stand by group in each listing, and a group is to be one job."""
    if not is_by_whole_group(document):
        return False
    await listing.hold_input(connection, task_dataset_id)
    return not await listing.note_seen(connection, task_dataset_id, grows=primary(document)[1].grow)


async def feed(connection: Connection, grown: listing.Growing, document: TaskDocument) -> None:
    """Lists an input again that has grown or closed."""
    spec = document.inputs[grown.stream]
    if grown.is_master:
        if not await _must_wait(connection, grown.task_dataset_id, document):
            chosen, cut = planning.choice(spec), planning.cut(document)
            await listing.list_files(connection, grown.task_id, grown.task_dataset_id, chosen, cut, grows=spec.grow)
    else:
        await _note_secondary(connection, grown.task_dataset_id, spec)


async def _note_secondary(connection: Connection, task_dataset_id: int, spec: InputSpec) -> None:
    """Numbers the files of a secondary input that are new, and notes what it has now: they keep their numbers, whatever comes later. Of an input that does not
    grow only what comes in place of lost files is new."""
    vacant = await splitting.vacant(connection, task_dataset_id)
    files = await listing.new_secondary_files(connection, task_dataset_id, planning.choice(spec))
    if vacant and not spec.grow:
        files = files[: len(vacant)]
    await splitting.number_files(connection, task_dataset_id, [file.file_id for file in files])
    await listing.note_seen(connection, task_dataset_id, grows=spec.grow or len(vacant) > len(files))
