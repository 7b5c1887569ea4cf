"""The door: checks a task document against the database and stores the task whole, or nothing of it."""

from dataclasses import dataclass

import msgspec

from pandawms.domain.errors import Conflict, Invalid, PandaError, did_you_mean
from pandawms.domain.identity import Who
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.engine.define import plan as planning
from pandawms.engine.define.sources import Source, find, output_did
from pandawms.store import catalogue, events, identity, listing, places, tasks, units
from pandawms.store.database import Connection
from pandawms.wire.checks import checked
from pandawms.wire.document import TaskDocument
from pandawms.wire.document_view import BUILD, is_transient
from pandawms.wire.selection import Counted

WHO = str(Stage.DEFINE)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was stored."""

    task_id: int
    name: str
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class Checked:
    """A document that passed all checks, with what was looked up on the way."""

    document: TaskDocument
    community: str
    community_id: int
    share_id: int
    sources: tuple[Source, ...]
    size: Counted


async def check(connection: Connection, who: Who, document: TaskDocument, *, needs_sandbox: bool = True) -> Checked:
    """Checks everything about a document but the queues. Raises Invalid, NotFound or Conflict that names the field; changes nothing.

    A dry run needs no sandbox: its program stays where it is.
    """
    checked(document, packed=True)
    community = document.community or who.community
    community_id = await _community(connection, who, community)
    share_id = await places.default_share(connection, community_id)
    if share_id is None:
        raise Invalid(f"community {community} has no share", code="community.no_share", field="community", value=community, hint="ask an operator")
    if needs_sandbox:
        await _check_sandbox(connection, who, document)
    found = tuple([await find(connection, who, document, stream, spec) for stream, spec in document.inputs.items()])
    size = await count(connection, found[0])
    planning.check_job_count(document, size)
    await _check_free(connection, who, document)
    return Checked(document, community, community_id, share_id, found, size)


async def count(connection: Connection, source: Source) -> Counted:
    """Returns how many files, bytes and events an input has now, as far as it takes them."""
    chosen, found = planning.choice(source.spec), source.datasets
    if chosen.is_all and all(dataset.kind == "dataset" for dataset in found):
        return Counted(sum(d.n_files for d in found), sum(d.n_bytes for d in found), sum(d.n_events for d in found)).limited(chosen)
    return await listing.count_files(connection, [dataset.dataset_id for dataset in found], chosen)


async def submit(connection: Connection, who: Who, found: Checked) -> Submitted:
    """Stores a checked task in status registered, with its template and the datasets it will write; the caller commits.

    Raises Conflict when its name or an output's name was taken meanwhile.
    """
    document = found.document
    parent = next((dataset.producer_task_id for dataset in found.sources[0].datasets if dataset.producer_task_id is not None), None)
    task_id = await tasks.add(
        connection, community_id=found.community_id, owner_id=who.user_id, share_id=found.share_id, name=document.name, priority=document.priority,
        parent_task_id=parent, document=msgspec.to_builtins(document), who=who.name,
    )  # fmt: skip
    if task_id is None:
        raise _name_taken(document.name)
    for n, each in enumerate(found.sources):
        await _add_input(connection, task_id, each, is_master=n == 0)
    for stream, role in output_roles(document):
        await _add_output(connection, who, found, task_id, stream, role)
    return Submitted(task_id, document.name, TaskStatus.REGISTERED)


def output_roles(document: TaskDocument) -> list[tuple[str, str]]:
    """Returns every stream that a task writes, with its role: an output that is merged is transient, and what is built is none of the results."""
    merged = document.merge.inputs if document.merge else None
    roles = [(stream, "transient" if stream == merged else "output") for stream in document.outputs]
    roles += [(stream, "output") for stream in (document.merge.outputs if document.merge else ())]
    return [*roles, (BUILD, "build")] if document.build is not None else roles


async def _add_input(connection: Connection, task_id: int, source: Source, *, is_master: bool) -> None:
    role = "pseudo_input" if source.spec.is_numbered else "input"
    first = source.dataset.dataset_id if source.dataset else None
    made = await units.add_task_dataset(connection, task_id, first, role, source.stream, is_master=is_master)
    if len(source.found) > 1 or source.missing:
        await listing.add_sources(connection, made, [(did, dataset.dataset_id if dataset else None) for did, dataset in source.found])


async def _add_output(connection: Connection, who: Who, found: Checked, task_id: int, stream: str, role: str) -> None:
    scope, _, name = output_did(who.name, found.document.name, stream).partition(":")
    dataset_id = await catalogue.add_dataset(
        connection, community_id=found.community_id, owner_id=who.user_id, scope=scope, name=name, producer_task_id=task_id,
        is_transient=role in ("transient", "build") or is_transient(found.document, stream),
    )  # fmt: skip
    if dataset_id is None:
        raise _output_taken(stream, f"{scope}:{name}")
    await units.add_task_dataset(connection, task_id, dataset_id, role, stream)
    await events.log(connection, "dataset", dataset_id, "create_output", None, "mutable", WHO)


async def _community(connection: Connection, who: Who, name: str) -> int:
    found = await identity.community_id(connection, name)
    if found is None or name != who.community:
        near = did_you_mean(name, [who.community])
        raise Invalid(
            f"you are no member of a community {name}", code="community.unknown", field="community", value=name, allowed=who.community,
            hint=f"did you mean {near}?" if near else "leave it out to use yours",
        )  # fmt: skip
    return found


async def _check_sandbox(connection: Connection, who: Who, document: TaskDocument) -> None:
    digest = document.program.sandbox
    if digest is None:
        return
    if await catalogue.sandbox_size(connection, bytes.fromhex(digest), who.user_id) is None:
        raise Invalid(
            "the sandbox was never uploaded, or has expired", code="sandbox.unknown", field="program.sandbox", value=digest,
            hint="upload it first; `panda submit` does so by itself",
        )  # fmt: skip


async def _check_free(connection: Connection, who: Who, document: TaskDocument) -> None:
    """Looks whether the names are free, for an early and friendly refusal; the unique indexes decide."""
    existing = await tasks.latest_by_name(connection, who.user_id, document.name)
    task = await tasks.get(connection, existing) if existing is not None else None
    if task is not None and task.status not in (TaskStatus.ABORTED, TaskStatus.BROKEN, TaskStatus.OBSOLETE):
        raise _name_taken(document.name)
    for stream, _role in output_roles(document):
        did = output_did(who.name, document.name, stream)
        if await catalogue.dataset_by_name(connection, did) is not None:
            raise _output_taken(stream, did)


def _name_taken(name: str) -> PandaError:
    return Conflict(
        f"you have a task {name} already", code="task.name_taken", field="name", value=name, allowed="a name that none of your tasks has",
        hint=f"choose another name, as in `panda submit --name {name}-2`, or retry the old one",
    )  # fmt: skip


def _output_taken(stream: str, did: str) -> PandaError:
    return Conflict(
        f"dataset {did} exists already", code="output.name_taken", field=f"outputs.{stream}", value=did, allowed="an output dataset that does not exist",
        hint="give the task another name",
    )  # fmt: skip
