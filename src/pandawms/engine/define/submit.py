"""The door: checks a task document against the database and stores the task whole, or nothing of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from pandawms.domain.errors import Conflict, Invalid, PandaError, did_you_mean
from pandawms.domain.identity import Who
from pandawms.domain.stages import Stage
from pandawms.domain.task import TaskStatus
from pandawms.engine.define import plan as planning
from pandawms.store import catalogue, events, identity, places, tasks, units
from pandawms.store.catalogue import Dataset
from pandawms.store.database import Connection
from pandawms.wire.checks import checked
from pandawms.wire.task import InputSpec, TaskDocument

WHO = str(Stage.DEFINE)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A task that was stored."""

    task_id: int
    name: str
    status: TaskStatus


@dataclass(frozen=True, slots=True)
class Source:
    """An input of a task as found: its dataset, or None for numbered events."""

    stream: str
    spec: InputSpec
    dataset: Dataset | None


@dataclass(frozen=True, slots=True)
class Checked:
    """A document that passed all checks, with what was looked up on the way."""

    document: TaskDocument
    community: str
    community_id: int
    share_id: int
    sources: tuple[Source, ...]


def output_did(owner: str, task_name: str, stream: str) -> str:
    """Returns the full name of an output dataset."""
    return f"user.{owner}:{task_name}.{stream}"


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
    sources = tuple([await _source(connection, who, stream, spec) for stream, spec in document.inputs.items()])
    _check_count(document, sources[0])
    await _check_free(connection, who, document)
    return Checked(document, community, community_id, share_id, sources)


async def submit(connection: Connection, who: Who, found: Checked) -> Submitted:
    """Stores a checked task in status registered, with its template and the datasets it will write; the caller commits.

    Raises Conflict when its name or an output's name was taken meanwhile.
    """
    document, source = found.document, found.sources[0]
    parent = source.dataset.producer_task_id if source.dataset else None
    task_id = await tasks.add(
        connection, community_id=found.community_id, owner_id=who.user_id, share_id=found.share_id, name=document.name, priority=document.priority,
        parent_task_id=parent, document=msgspec.to_builtins(document), who=who.name,
    )  # fmt: skip
    if task_id is None:
        raise _name_taken(document.name)
    for n, each in enumerate(found.sources):
        role = "input" if each.dataset else "pseudo_input"
        await units.add_task_dataset(connection, task_id, each.dataset.dataset_id if each.dataset else None, role, each.stream, is_master=n == 0)
    for stream, role in output_roles(document):
        await _add_output(connection, who, found, task_id, stream, role)
    return Submitted(task_id, document.name, TaskStatus.REGISTERED)


def output_roles(document: TaskDocument) -> list[tuple[str, str]]:
    """Returns every stream that a task writes, with its role: an output that is merged is transient."""
    merged = document.merge.inputs if document.merge else None
    roles = [(stream, "transient" if stream == merged else "output") for stream in document.outputs]
    return roles + [(stream, "output") for stream in (document.merge.outputs if document.merge else ())]


async def _add_output(connection: Connection, who: Who, found: Checked, task_id: int, stream: str, role: str) -> None:
    scope, _, name = output_did(who.name, found.document.name, stream).partition(":")
    dataset_id = await catalogue.add_dataset(
        connection, community_id=found.community_id, owner_id=who.user_id, scope=scope, name=name, is_transient=role == "transient", producer_task_id=task_id
    )
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


async def _source(connection: Connection, who: Who, stream: str, spec: InputSpec) -> Source:
    if spec.count is not None:
        return Source(stream, spec, None)
    found = await _dataset(connection, who, stream, spec)
    if not found.is_open and found.n_files == 0 and found.kind == "dataset":
        raise Invalid(
            f"dataset {found.did} is closed and empty", code="input.empty", field=f"inputs.{stream}", value=found.did,
            hint="look at the task that should have filled it" if found.producer_task_id else "add files to a new dataset",
        )  # fmt: skip
    return Source(stream, spec, found)


async def _dataset(connection: Connection, who: Who, stream: str, spec: InputSpec) -> Dataset:
    did = spec.dataset or await _output_of(connection, who, stream, spec)
    found = await catalogue.dataset_by_name(connection, did)
    if found is None or found.community != who.community:
        near = did_you_mean(did, await catalogue.dataset_names(connection))
        raise Invalid(
            f"there is no dataset {did}", code="input.unknown_dataset", field=f"inputs.{stream}.dataset", value=did,
            allowed="an existing dataset, as scope:name", hint=f"did you mean {near}?" if near else "`panda ls datasets` lists them",
        )  # fmt: skip
    return found


async def _output_of(connection: Connection, who: Who, stream: str, spec: InputSpec) -> str:
    """Returns the dataset of {task, output}: of the newest task of this name that the submitter owns."""
    field, name = f"inputs.{stream}", spec.task or ""
    task_id = await tasks.latest_by_name(connection, who.user_id, name)
    if task_id is None:
        near = did_you_mean(name, await tasks.names_of(connection, who.user_id))
        raise Invalid(
            f"you have no task {name}", code="input.unknown_task", field=f"{field}.task", value=name, allowed="the name of one of your tasks",
            hint=f"did you mean {near}?" if near else "submit that task first",
        )  # fmt: skip
    streams = {d.stream: f"{d.scope}:{d.name}" for d in await units.task_datasets(connection, [task_id]) if d.role == "output"}
    if spec.output not in streams:
        near = did_you_mean(spec.output or "", streams)
        raise Invalid(
            f"task {name} has no output {spec.output}", code="input.unknown_output", field=f"{field}.output", value=spec.output,
            allowed=", ".join(streams) or "it has none", hint=f"did you mean {near}?" if near else None,
        )  # fmt: skip
    return streams[spec.output]


def _check_count(document: TaskDocument, source: Source) -> None:
    planning.check_job_count(document, source.dataset.n_files if source.dataset else 0)


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


def sizes(sources: Sequence[Source]) -> int:
    """Returns how many files the primary input has now."""
    return sources[0].dataset.n_files if sources[0].dataset else 0
