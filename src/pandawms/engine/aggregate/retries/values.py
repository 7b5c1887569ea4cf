"""What the plan of retries looks at and what it decides, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pandawms.domain.outcome import Outcome
from pandawms.domain.retry_rule import Action, Kind, Rule
from pandawms.store.retry_rules import Decision

OWN_STEP = "retry.memory_step_mb"
"""The name of the rule that a task file makes with this field."""


FailureKey = int | tuple[int, int]
"""A job, or a payload of a job by its place."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a job ended that did not do its work, where, and what it had been given.

    `is_closed` says that it ended before it ran. `memory_mb` and `wall_seconds` are its limits, `max_rss_mb` what it used of memory at most, `n_units` how many
    units it had, `has_other_copy` whether one of its inputs has a copy that its queue does not read.
    """

    job_id: int
    outcome: Outcome
    queue_id: int
    queue: str
    is_closed: bool = False
    attempt: int = 1
    cores: int = 1
    memory_mb: int = 1000
    wall_seconds: int = 3600
    max_rss_mb: int | None = None
    n_units: int = 1
    has_other_copy: bool = False


@dataclass(frozen=True, slots=True)
class FailedUnit:
    """A unit whose last job failed: its counters and limits (those that are None are the task's), and what earlier failures have changed for its next job.

    `payload` is its place in a job of several payloads, where its own payload failed.
    """

    task_file_id: int
    job_id: int
    attempt: int
    max_attempts: int
    failed_attempts: int = 0
    forgiven_failures: int = 0
    free_attempts: int = 0
    max_failures: int | None = None
    memory_mb: int | None = None
    wall_seconds: int | None = None
    units_per_job: int | None = None
    payload: int | None = None

    @property
    def failure(self) -> FailureKey:
        """Which failure it is judged by: that of its own payload where its job had several, else that of the job."""
        return self.job_id if self.payload is None else (self.job_id, self.payload)


@dataclass(frozen=True, slots=True)
class TaskPicture:
    """A task whose units failed.

    `memory_mb` is what its jobs have without a raise, `memory_step_mb` and `max_memory_mb` are its own wishes. `most_memory_mb` and `most_wall_seconds` are the
    largest slot among the queues that it may use (None: unknown), `open_queues` those of them (ids) that take jobs now and that it does not avoid. `raised`
    counts its units by the memory they were raised to, `n_units` all its units.
    """

    task_id: int
    name: str = ""
    community: str = ""
    type: str = "events"
    memory_mb: int = 1000
    max_failures: int | None = None
    max_memory_mb: int | None = None
    memory_step_mb: int | None = None
    use_rules: bool = True
    is_fixed: bool = False
    most_memory_mb: int | None = None
    most_wall_seconds: int | None = None
    open_queues: frozenset[int] = frozenset()
    n_units: int = 1
    raised: dict[int, int] = field(default_factory=dict)

    def most_failures(self, unit: FailedUnit) -> int | None:
        """How many real failures a unit may have; None for any number."""
        return self.max_failures if unit.max_failures is None else unit.max_failures

    def has_used_up(self, unit: FailedUnit, forgiven_failures: int) -> bool:
        """Whether a unit has had all the failures that it may have, when so many of them are forgiven."""
        most = self.most_failures(unit)
        return most is not None and unit.failed_attempts - forgiven_failures >= most


@dataclass(frozen=True, slots=True)
class Changes:
    """What the rules for one job change for its units; None where nothing. `memory` is the rule that may raise the memory."""

    limit: int | None = None
    ignored: int | None = None
    memory: Rule | None = None
    memory_mb: int | None = None
    wall_seconds: int | None = None
    fewer: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """A failure with what the rules wanted for it and what became of each of its units."""

    task: TaskPicture
    failure: Failure
    wanted: Changes
    pairs: Sequence[tuple[FailedUnit, Decision]]

    @property
    def n_units(self) -> int:
        """How many units were judged."""
        return len(self.pairs)

    @property
    def n_again(self) -> int:
        """How many of them are tried again."""
        return sum(after.is_again for _, after in self.pairs)


@dataclass(frozen=True, slots=True)
class Act:
    """What a rule did about a job, or about a task (`job_id` None), or would have done (`is_applied` False): kept, and shown by `panda why`.

    `rule` is None for what needs no rule. `before` and `after` are the number that was changed, in its unit.
    """

    job_id: int | None
    kind: Kind
    action: Action
    reason: str
    rule: Rule | None = None
    is_applied: bool = True
    n_units: int = 1
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Avoidance:
    """A queue that the task avoids for so many seconds, and why."""

    queue_id: int
    seconds: int
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass decided. `task_memory_mb` is the memory that the whole task is raised to, None when it is not; `slow` names rules left out for their time."""

    decisions: tuple[Decision, ...] = ()
    acts: tuple[Act, ...] = ()
    avoided: tuple[Avoidance, ...] = ()
    task_memory_mb: int | None = None
    slow: tuple[str, ...] = ()
