"""Looks up the datasets that the inputs of a document name, for the door; what is missing is refused, waited for or ignored as the document says."""

from collections.abc import Sequence
from dataclasses import dataclass

from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.domain.identity import Who
from pandawms.store import catalogue, tasks, units
from pandawms.store.catalogue import Dataset
from pandawms.store.database import Connection
from pandawms.wire.document import InputSpec, TaskDocument
from pandawms.wire.document_view import datasets

Found = tuple[str, Dataset | None]
"""A full name, and the dataset if it exists."""


@dataclass(frozen=True, slots=True)
class Source:
    """An input of a task with its datasets in their order; numbers have none, nor has an input whose missing datasets are ignored."""

    stream: str
    spec: InputSpec
    found: tuple[Found, ...] = ()

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """The datasets that exist."""
        return tuple(dataset for _, dataset in self.found if dataset is not None)

    @property
    def dataset(self) -> Dataset | None:
        """The first dataset that exists."""
        return next(iter(self.datasets), None)

    @property
    def missing(self) -> tuple[str, ...]:
        """The full names of those that do not exist yet."""
        return tuple(did for did, dataset in self.found if dataset is None)

    @property
    def is_open(self) -> bool:
        """Whether files may still come."""
        return bool(self.missing) or (self.spec.grow and any(dataset.is_open for dataset in self.datasets))


def output_did(owner: str, task_name: str, stream: str) -> str:
    """Returns the full name of an output dataset."""
    return f"user.{owner}:{task_name}.{stream}"


async def find(connection: Connection, who: Who, document: TaskDocument, stream: str, spec: InputSpec) -> Source:
    """Returns an input with what it reads. Raises Invalid that names the field for what is unknown, the task's own, or empty for ever."""
    if spec.is_numbered:
        return Source(stream, spec)
    names = datasets(spec) or (await _output_of(connection, who, stream, spec),)
    _refuse_own(who, document, stream, names)
    found = [(did, await _dataset(connection, who, stream, spec, did)) for did in names]
    source = Source(stream, spec, tuple(each for each in found if each[1] is not None or spec.if_missing == "wait"))
    _refuse_empty(source)
    return source


def _refuse_own(who: Who, document: TaskDocument, stream: str, names: Sequence[str]) -> None:
    own = {output_did(who.name, document.name, output): output for output in (*document.outputs, *(document.merge.outputs if document.merge else ()))}
    for did in names:
        if did in own:
            raise Invalid(
                f"inputs.{stream} and outputs.{own[did]} are the same dataset {did}: the task would wait for itself", code="input.own_output",
                field=f"inputs.{stream}", value=did, allowed="a dataset that another task or a user fills", hint="name another dataset, or rename the task",
            )  # fmt: skip


def _refuse_empty(source: Source) -> None:
    is_empty = all(not d.is_open and d.n_files == 0 and d.kind == "dataset" for d in source.datasets)
    if source.missing or source.spec.may_be_empty or not source.datasets or not is_empty:
        return
    first = source.datasets[0]
    raise Invalid(
        f"dataset {first.did} is closed and empty", code="input.empty", field=f"inputs.{source.stream}", value=first.did,
        allowed="a dataset with files, or may_be_empty: true",
        hint="look at the task that should have filled it" if first.producer_task_id else "add files to a new dataset",
    )  # fmt: skip


async def _dataset(connection: Connection, who: Who, stream: str, spec: InputSpec, did: str) -> Dataset | None:
    found = await catalogue.dataset_by_name(connection, did)
    if found is not None and found.community == who.community:
        return found
    if spec.if_missing != "refuse":
        return None
    near = did_you_mean(did, await catalogue.dataset_names(connection, who.community))
    field = f"inputs.{stream}.dataset" if spec.datasets is None else f"inputs.{stream}.datasets"
    raise Invalid(
        f"there is no dataset {did}", code="input.unknown_dataset", field=field, value=did, allowed="an existing dataset, as scope:name, or if_missing: wait",
        hint=f"did you mean {near}?" if near else "`panda ls datasets` lists them",
    )  # fmt: skip


async def _output_of(connection: Connection, who: Who, stream: str, spec: InputSpec) -> str:
    """Returns the dataset of {task, output}: of the newest task of this name that the submitter owns, or of the one that is waited for."""
    field, name = f"inputs.{stream}", spec.task or ""
    task_id = await tasks.latest_by_name(connection, who.user_id, name)
    if task_id is None:
        if spec.if_missing != "refuse":
            return output_did(who.name, name, spec.output or "")
        near = did_you_mean(name, await tasks.names_of(connection, who.user_id))
        raise Invalid(
            f"you have no task {name}", code="input.unknown_task", field=f"{field}.task", value=name,
            allowed="the name of one of your tasks, or if_missing: wait", hint=f"did you mean {near}?" if near else "submit that task first",
        )  # fmt: skip
    streams = {d.stream: f"{d.scope}:{d.name}" for d in await units.task_datasets(connection, [task_id]) if d.role == "output"}
    if spec.output not in streams:
        near = did_you_mean(spec.output or "", streams)
        raise Invalid(
            f"task {name} has no output {spec.output}", code="input.unknown_output", field=f"{field}.output", value=spec.output,
            allowed=", ".join(streams) or "it has none", hint=f"did you mean {near}?" if near else None,
        )  # fmt: skip
    return streams[spec.output]
