"""`POST /api/v2/pilot/claim`: a pilot asks for work and gets jobs under a lease."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class ClaimRequest:
    """What a slot can run now. `claim_id` is made by the pilot; the same one again gives the same jobs.

    `remaining_seconds` is what is left of the slot (None: no end known), `wait_seconds` (0 to 50) how long the server
    may hold the call open while nothing is there. A slot has `nodes` nodes; cores, memory_mb, disk_mb and gpus are those
    of each. A pilot that does not know of nodes has one, and GPUs of a model that nobody knows.
    """

    protocol: int
    pilot_version: str
    claim_id: str
    queue: str
    node: str
    worker_id: int | None = None
    n_jobs: int = 1
    cores: int = 1
    memory_mb: int = 0
    disk_mb: int = 0
    remaining_seconds: int | None = None
    architecture: str = ""
    gpus: int = 0
    wait_seconds: float = 0.0
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0


@dataclass(frozen=True)
class Environment:
    """The Python environment of a payload: interpreter versions (`>=3.11`), packages to install, variables to set."""

    python: str = ""
    packages: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sandbox:
    """The user's program: a tar.gz, named by its sha256. `url` may be relative to the server."""

    sha256: str
    size_bytes: int
    url: str


@dataclass(frozen=True)
class Resources:
    """What one job may use, on each of its nodes. Zero means that nothing is limited."""

    cores: int = 1
    memory_mb: int = 0
    disk_mb: int = 0
    wall_seconds: int = 0
    nodes: int = 1
    gpus: int = 0

    def part(self, n: int) -> Resources:
        """An equal part for each of `n` that run at the same time: at least a core, at least 1 MB of what is limited; all of them have the same time."""
        memory_mb, disk_mb = (max(1, size // n) if size else 0 for size in (self.memory_mb, self.disk_mb))
        return replace(self, cores=max(1, self.cores // n), memory_mb=memory_mb, disk_mb=disk_mb, gpus=self.gpus // n)


@dataclass(frozen=True)
class InputFile:
    """A file to bring to `local_name` in the work folder, from the first of `sources` that has it.

    `adler32` is 8 hexadecimal digits; an empty one or a negative size is unknown and not checked.
    """

    stream: str
    name: str
    local_name: str
    sources: tuple[str, ...]
    scope: str = ""
    size_bytes: int = -1
    adler32: str = ""
    guid: str = ""
    events: int | None = None


@dataclass(frozen=True)
class OutputFile:
    """A file that the payload writes as `local_name` and that the pilot stores at the url `destination`."""

    stream: str
    name: str
    local_name: str
    destination: str
    scope: str = ""
    optional: bool = False


@dataclass(frozen=True)
class LogTarget:
    """Where the log goes: with no destination it is uploaded by the log call."""

    destination: str | None = None


@dataclass(frozen=True)
class Traits:
    """What tells this job from its siblings; all of it is already expanded in the command."""

    first_event: int | None = None
    n_events: int | None = None
    seed: int | None = None
    serial: int | None = None


@dataclass(frozen=True)
class Step:
    """One of the commands of a job, run by /bin/sh as it is."""

    name: str
    command: str


@dataclass(frozen=True)
class Payload:
    """One of the payloads of a job, run in a folder of its own with the files of the program and the job's own inputs beside it.

    `n` is its place in the job, by which it is reported.
    """

    n: int
    command: str
    inputs: tuple[InputFile, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    text_files: dict[str, str] = field(default_factory=dict)
    traits: Traits = field(default_factory=Traits)


@dataclass(frozen=True)
class Each:
    """How the payloads of a job are run: so many `at_once`, which share cores, memory, disk and GPUs equally; one that takes longer than `wall_seconds`
    (0: no such limit) is ended and failed; after `stop_after_failures` (0: never) no further one begins."""

    at_once: int = 1
    wall_seconds: int = 0
    stop_after_failures: int = 0

    def width(self, n_payloads: int) -> int:
        """How many of so many payloads run at the same time: into so many parts the job's resources are divided."""
        return max(1, min(self.at_once, n_payloads))


@dataclass(frozen=True)
class JobSpec:
    """All that a pilot needs to run one job. `kind` is run, merge or build; `command` goes to /bin/sh as it is.

    Where there are `payloads`, they are run in place of the command, which fails in a pilot that does not know them.

    Where there are `steps`, they are run one after the other in place of the command, which does the same for a pilot that does not know them.
    `text_files` are written into the work folder before the payload starts (path to content).
    A job that has copies has a `gate`, run or store: before it runs its payload, or stores its outputs, its pilot says so by a heartbeat of that phase,
    and goes on only when the answer is ok. (What a pilot stores that does not know gates is refused when another copy has won.)
    """

    job_id: int
    task_id: int
    attempt: int
    claim_id: str
    command: str
    task_name: str = ""
    kind: str = "run"
    environment: Environment = field(default_factory=Environment)
    sandbox: Sandbox | None = None
    resources: Resources = field(default_factory=Resources)
    inputs: tuple[InputFile, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    text_files: dict[str, str] = field(default_factory=dict)
    log: LogTarget = field(default_factory=LogTarget)
    traits: Traits = field(default_factory=Traits)
    steps: tuple[Step, ...] = ()
    payloads: tuple[Payload, ...] = ()
    each: Each = field(default_factory=Each)
    gate: str | None = None


@dataclass(frozen=True)
class ClaimAnswer:
    """The jobs that are now leased to the pilot (none: nothing fits), and how often to say that they live."""

    lease_seconds: float
    heartbeat_seconds: float
    server_time: float
    jobs: tuple[JobSpec, ...] = ()
