"""The task document: what a user writes to have inputs processed by a program into outputs.

The order of `inputs` and `outputs` in a document matters (%IN is the first input, %OUT the first output), so whoever keeps
a document keeps it as text or JSON, never in a form that sorts its keys. A field that is left out means what it meant when the
field did not exist: schema 1 documents are schema 2 documents.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pandawms.wire.names import Command, DatasetName, FileName, FilePattern, InputFileName, Name, Sha256, StreamName, VariableName

MAX_JOBS_PER_TASK = 1_000_000

InputKind = Literal["events", "pieces", "dataset", "task", "files"]
Order = Literal["listed", "name", "size", "events", "random"]
IfMissing = Literal["refuse", "wait", "ignore"]
OnMiss = Literal["finish", "fail", "exhaust"]
CloneMode = Literal["run_once", "store_once"]

WallSeconds = Annotated[int, Meta(ge=1, le=2_592_000)]
"""At most 30 days."""
GpuModel = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 ._+()/*?!\[\]-]+$(?!\n)", min_length=1, max_length=100)]
"""A name, or a pattern with *, ? and [...]."""


class StepSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of several commands that a job runs one after the other."""

    name: Annotated[Name, Meta(description="What logs, errors and accounts call it; unique in its task.")]
    command: Annotated[Command, Meta(description="Run by /bin/sh in the job's work folder, after its placeholders were replaced.")]


class EachSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The command runs once for every input unit of a job, each time in a folder of its own: many small payloads share one job."""

    at_once: Annotated[int, Meta(ge=1, le=256, description="So many payloads of a job run side by side, with equal parts of cores, GPUs and memory.")] = 1
    wall_seconds: Annotated[WallSeconds, Meta(description="A payload that runs longer is ended and fails.")] | None = None
    stop_after_failures: Annotated[int, Meta(ge=1, le=1000, description="After so many failures a job begins no further payload.")] | None = None


class ProgramSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What runs: a command, or several steps in one work folder, of which the first that fails ends the job.

    `files` are beside the task file and are packed by the client, which leaves `sandbox` in their place.
    """

    command: Annotated[Command, Meta(description="Run by /bin/sh in the job's work folder, once its placeholders (%IN, %OUT, …) are replaced.")] | None = None
    steps: Annotated[tuple[StepSpec, ...], Meta(max_length=100, description="Instead of a command: several, run one after the other.")] = ()
    each: Annotated[EachSpec, Meta(description="Run the command once for every unit of a job, each with an account and outputs of its own.")] | None = None
    files: Annotated[tuple[str, ...], Meta(max_length=1000, description="Files and folders beside the task file that travel with it.")] = ()
    sandbox: Annotated[Sha256, Meta(description="Instead of files: the content that was uploaded. The client writes it.")] | None = None


class EnvironmentSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The Python environment of the payload, built and kept by the pilot, and the variables that it sees."""

    python: Annotated[str, Meta(min_length=1, max_length=100, description="Version specifier as in >=3.11.")] | None = None
    packages: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=300)], ...],
        Meta(max_length=500, description="Python packages as pip takes them, such as numpy==2.4.6."),
    ] = ()
    variables: Annotated[dict[VariableName, Annotated[str, Meta(max_length=10_000)]], Meta(description="Environment variables.")] = {}


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input of exactly one kind: numbered events or numbered pieces without data, datasets, another task's output, or local files.

    Local `files` (patterns beside the task file) are uploaded by the client, which leaves `dataset` in their place. The first input is the
    primary one, by which the task is split; every other one is secondary: its files go along, by exactly one of `per_job`, `ratio` and `whole`.
    """

    count: Annotated[int, Meta(ge=1, le=1_000_000_000_000, description="Events to make.")] | None = None
    first: Annotated[int, Meta(ge=0, le=1_000_000_000_000, description="Number of the first event; 1 unless given.")] | None = None
    pieces: Annotated[int, Meta(ge=1, le=MAX_JOBS_PER_TASK, description="Numbered pieces of work without data and without events.")] | None = None
    dataset: Annotated[DatasetName, Meta(description="The dataset that is read, as scope:name.")] | None = None
    datasets: Annotated[tuple[DatasetName, ...], Meta(min_length=1, max_length=1000, description="Several datasets, read one after the other.")] | None = None
    task: Annotated[Name, Meta(description="The task whose output is read, while it is being written, too.")] | None = None
    output: Annotated[StreamName, Meta(description="Which output of that task.")] | None = None
    files: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=4096)], ...],
            Meta(min_length=1, max_length=100_000, description="Files of your machine, as patterns beside the task file; the client uploads them."),
        ]
        | None
    ) = None

    include: Annotated[tuple[FilePattern, ...], Meta(max_length=100, description="Only files whose name matches one of these patterns.")] = ()
    exclude: Annotated[tuple[FilePattern, ...], Meta(max_length=100, description="No file whose name matches one of these patterns.")] = ()
    names: Annotated[tuple[InputFileName, ...], Meta(max_length=100_000, description="Only files with exactly these names.")] = ()
    skip: Annotated[int, Meta(ge=0, le=100_000_000, description="So many files are left out at the beginning, in the order of `order`.")] = 0
    max_files: Annotated[int, Meta(ge=1, le=100_000_000, description="At most so many files.")] | None = None
    max_events: Annotated[int, Meta(ge=1, le=1_000_000_000_000, description="Files up to so many events; the last one may be cut.")] | None = None
    order: Annotated[Order, Meta(description="In which order files are used: sizes and events from the largest on.")] = "listed"
    events_per_file: Annotated[int, Meta(ge=1, le=1_000_000_000_000, description="For files whose events the catalogue does not know.")] | None = None
    grow: Annotated[bool, Meta(description="List again until the dataset is closed; else only what is there at submit.")] = True
    may_be_empty: Annotated[bool, Meta(description="No files at all is done, not broken.")] = False
    if_missing: Annotated[IfMissing, Meta(description="What a dataset means that does not exist.")] = "refuse"

    per_job: Annotated[int, Meta(ge=1, le=10_000, description="Of a secondary input: so many files to every job.")] | None = None
    ratio: Annotated[float, Meta(gt=0, le=10_000, description="Of a secondary input: so many files for each primary file of a job.")] | None = None
    whole: Annotated[bool, Meta(description="Of a secondary input: all files to every job.")] = False
    reuse: Annotated[bool, Meta(description="Of a secondary input: start again from the first file when they run out.")] = False

    @property
    def kinds(self) -> tuple[InputKind, ...]:
        """All kinds of which a field is given; a right input has exactly one."""
        given: dict[InputKind, bool] = {
            "events": self.count is not None or self.first is not None,
            "pieces": self.pieces is not None,
            "dataset": self.dataset is not None or self.datasets is not None,
            "task": self.task is not None or self.output is not None,
            "files": self.files is not None,
        }
        return tuple(kind for kind, is_given in given.items() if is_given)

    @property
    def first_event(self) -> int:
        """Number of the first event (of an events input)."""
        return 1 if self.first is None else self.first

    @property
    def is_numbered(self) -> bool:
        """Whether it is made of numbers (events or pieces) and has no files."""
        return self.count is not None or self.pieces is not None


class BoundarySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Groups of files that no job may mix: by a field of the file name (`name_field`, the first is 1), or by what the catalogue tells."""

    name_field: Annotated[int, Meta(ge=1, le=100, description="Which part of the file name names the group, the first is 1.")] | None = None
    separator: Annotated[str, Meta(min_length=1, max_length=10, description="What stands between the parts of a name.")] = "."
    attribute: Annotated[Literal["boundary"], Meta(description="The group is what the files were registered with.")] | None = None
    one_job_per_group: Annotated[bool, Meta(description="A group is exactly one job, whatever its size.")] = False


class SplitSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the primary input is cut into jobs: as large as all given limits let them be; one file (or piece) each when nothing is given.

    One of events_per_job, files_per_job and n_jobs names the size; the others are limits beside it, or alone. A file that passes a limit of the task by
    itself is a job of its own.
    """

    events_per_job: Annotated[int, Meta(ge=1, le=1_000_000_000_000, description="Events of a job; a file with more becomes several units.")] | None = None
    files_per_job: Annotated[int, Meta(ge=1, le=10_000, description="Files (or pieces) of a job; 1 when nothing else says how large a job is.")] | None = None
    max_files_per_job: Annotated[int, Meta(ge=1, le=10_000, description="200 unless given.")] | None = None
    mb_per_job: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Input, output and work disk of a job together, at most, in 2^20 bytes.")] | None = None
    n_jobs: Annotated[int, Meta(ge=1, le=MAX_JOBS_PER_TASK, description="So many jobs of equal size, or fewer where the input does not divide.")] | None = None
    max_jobs: Annotated[int, Meta(ge=1, le=MAX_JOBS_PER_TASK, description="No more jobs than these; what is left over is no part of the task.")] | None = None
    output_mb_per_job: Annotated[int, Meta(ge=1, le=1_000_000_000, description="Wanted size of a job's output, from resources.output_*.")] | None = None
    wall_seconds_per_job: Annotated[WallSeconds, Meta(description="Wanted wall time of a job, from resources.wall_seconds_per_*.")] | None = None
    boundary: BoundarySpec | None = None
    first_serial: Annotated[int, Meta(ge=1, le=1_000_000_000, description="%SERIAL of the first job.")] = 1
    seed_offset: Annotated[int, Meta(ge=0, le=2_000_000_000, description="Added to every job's %SEED.")] = 0


class OutputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output with more than its file name."""

    file: Annotated[FileName, Meta(description="The name under which the program writes it in its work folder.")]
    optional: Annotated[bool, Meta(description="A job that does not write it succeeds all the same.")] = False
    transient: Annotated[bool, Meta(description="Removed when the tasks that read it are done.")] = False


class MergeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Merge jobs over one output stream, whose own files are then transient. All files of a queue in one job unless `files_per_job` or `mb_per_job`."""

    inputs: Annotated[StreamName, Meta(description="The output that is merged.")]
    command: Annotated[Command, Meta(description="Merges %IN into its outputs.")]
    outputs: Annotated[dict[StreamName, FileName], Meta(min_length=1, max_length=100, description="What a merge job writes: file names by stream.")]
    files_per_job: Annotated[int, Meta(ge=2, le=10_000, description="Files of a merge job at most; all of the task unless given.")] | None = None
    mb_per_job: (
        Annotated[int, Meta(ge=1, le=1_000_000_000, description="Size of the files of a merge job at most, in 2^20 bytes; a larger file is alone.")] | None
    ) = None


class BuildSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job that runs once for each queue before the others and packs what they need, such as compiled programs, into one file. They get it as %{build}."""

    command: Annotated[Command, Meta(description="Builds, and writes the file `output` into the work folder; the program's files are there.")]
    output: Annotated[FileName, Meta(description="The file that it writes, such as lib.tgz.")]
    wall_seconds: Annotated[WallSeconds, Meta(description="A build that takes longer is ended.")] = 3600
    memory_mb: Annotated[int, Meta(ge=1, le=10_000_000, description="Memory of the build.")] = 1000


class ResourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one job needs: memory and disk for all its cores together, wall time as the limit of its run.

    A job over several nodes has cores, memory_mb, disk_mb and gpus on each of them; its program runs on the first one and starts the others' parts itself.

    The rates tell how a job grows with its input: it runs base_seconds + wall_seconds_per_event for each event + wall_seconds_per_mb for each
    megabyte read; its disk is work_mb + input + output. They size jobs; disk_mb and wall_seconds stay what a job asks for when no rate is given.
    """

    nodes: Annotated[int, Meta(ge=1, le=10_000, description="Nodes of a job. Merge and build jobs have one.")] = 1
    cores: Annotated[int, Meta(ge=1, le=1024, description="Processor cores of a job, on each node.")] = 1
    memory_mb: Annotated[int, Meta(ge=1, le=10_000_000, description="Memory of a job, for all its cores together; on each node.")] = 1000
    disk_mb: Annotated[int, Meta(ge=1, le=100_000_000, description="Disk of a job for inputs, outputs and work files, on each node.")] = 1000
    wall_seconds: Annotated[WallSeconds, Meta(description="A job that runs longer is ended; at most 30 days.")] = 3600
    architecture: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)", max_length=50, description="Such as x86_64; any takes all.")] = "any"
    gpus: Annotated[int, Meta(ge=0, le=64, description="GPUs of a job, on each node. Build jobs have none.")] = 0
    gpu_model: Annotated[GpuModel, Meta(description="Pattern for their model, such as *A100* (capitals or not); any takes all, known or not.")] = "any"
    gpu_memory_mb: Annotated[int, Meta(ge=0, le=10_000_000, description="Memory of each GPU at least; 0 takes any.")] = 0
    base_seconds: Annotated[int, Meta(ge=0, le=2_592_000, description="Seconds of a job before its first event.")] = 0
    wall_seconds_per_event: Annotated[float, Meta(gt=0, le=2_592_000, description="Wall time of one event.")] | None = None
    wall_seconds_per_mb: Annotated[float, Meta(gt=0, le=2_592_000, description="Wall time of one megabyte of input.")] | None = None
    output_mb_per_event: Annotated[float, Meta(gt=0, le=1_000_000, description="Output of one event.")] | None = None
    output_mb_per_input_mb: Annotated[float, Meta(gt=0, le=1_000_000, description="Output of one megabyte of input.")] | None = None
    work_mb: Annotated[int, Meta(ge=0, le=100_000_000, description="Disk of a job beside its inputs and outputs.")] | None = None
    base_memory_mb: Annotated[int, Meta(ge=0, le=10_000_000, description="The part of memory_mb that does not grow with cores.")] = 0
    is_fixed: Annotated[bool, Meta(description="Nothing measured or retried changes these numbers.")] = False


class ScoutSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The first jobs of a task run alone, to learn what the others need. jobs: 0 means none; tasks of fewer than `from_jobs` jobs have none."""

    jobs: Annotated[int, Meta(ge=0, le=1000, description="How many jobs run first; none with 0.")] = 10
    success: Annotated[float, Meta(ge=0, le=1, description="The part of the scouts that must succeed.")] = 0.5
    from_jobs: Annotated[int, Meta(ge=1, le=MAX_JOBS_PER_TASK, description="Smaller tasks have no scouts.")] = 101


class CloningSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several copies of every job in different queues, of which one counts: for inputs that must not wait for a slow or broken queue."""

    mode: Annotated[CloneMode, Meta(description="Which copy counts: the first that starts its program, or the first that is about to store its outputs.")]
    copies: Annotated[int, Meta(ge=2, le=10, description="Copies of a job, each in another queue; fewer where fewer queues can take it.")] = 2


class GoalSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the task has reached what it is for, and what a miss means: finished, failed, or exhausted (a person decides)."""

    percent: Annotated[float, Meta(gt=0, le=100, description="Of the input's events, or files where no events are counted.")] = 100.0
    on_miss: Annotated[OnMiss, Meta(description="What a task becomes that misses its goal: finished, failed or exhausted.")] = "finish"
    finish_early: Annotated[bool, Meta(description="End as soon as the goal is reached, not only when everything was tried.")] = True


class RetrySpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often one input unit may be tried before it counts as failed: `max_attempts` counts all tries, `max_failures` real failures."""

    max_attempts: Annotated[int, Meta(ge=1, le=50, description="Tries of a unit, whatever ended them.")] = 3
    max_failures: Annotated[int, Meta(ge=1, le=50, description="Tries of a unit that failed by its own fault.")] | None = None
    memory_step_mb: Annotated[int, Meta(ge=1, le=10_000_000, description="More memory after each out-of-memory.")] | None = None
    max_memory_mb: Annotated[int, Meta(ge=1, le=10_000_000, description="Never more memory than this.")] | None = None
    use_rules: Annotated[bool, Meta(description="Whether the server's retry rules act on this task.")] = True


class TaskDocument(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A task as a user writes it: process these inputs with this program into these outputs."""

    name: Annotated[Name, Meta(description="Unique among your tasks; its datasets are named after it.")]
    program: ProgramSpec
    inputs: Annotated[dict[StreamName, InputSpec], Meta(min_length=1, max_length=20, description="Inputs by stream; the first one is the primary one.")]
    outputs: Annotated[
        dict[StreamName, FileName | OutputSpec], Meta(max_length=100, description="Outputs by stream: the file that each job writes, or {file, optional, …}.")
    ] = {}
    description: Annotated[str, Meta(max_length=10_000, description="Text for people.")] = ""
    environment: EnvironmentSpec = EnvironmentSpec()
    split: SplitSpec = SplitSpec()
    merge: MergeSpec | None = None
    build: BuildSpec | None = None
    resources: ResourceSpec = ResourceSpec()
    scouts: ScoutSpec = ScoutSpec()
    cloning: CloningSpec | None = None
    goal: GoalSpec = GoalSpec()
    retry: RetrySpec = RetrySpec()
    priority: Annotated[int, Meta(ge=0, le=10_000, description="Higher runs earlier, within a share.")] = 1000
    community: Annotated[Name, Meta(description="The community that it runs for; yours unless given.")] | None = None
    queues: Annotated[tuple[Name, ...], Meta(max_length=1000, description="Only these queues; any queue when empty.")] = ()
    exclude_queues: Annotated[tuple[Name, ...], Meta(max_length=1000, description="None of these queues.")] = ()
    expires_after_seconds: Annotated[int, Meta(ge=60, le=31_536_000, description="The whole task must end so long after its submit.")] | None = None
    schema: Annotated[Literal[1, 2], Meta(description="Version of this document's form.")] = 2
