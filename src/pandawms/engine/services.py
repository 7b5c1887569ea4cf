"""What every stage is given: its limits and the plugins."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pandawms.data.blobs import Blobs
from pandawms.plugins.broker_rule import BrokerRule
from pandawms.plugins.data_manager import DataManager


@dataclass(frozen=True, slots=True)
class ScoutLimits:
    """When what the scouts of a task measured is abnormal. Nothing is when no more than `further_jobs` jobs are to come.

    The defaults are PanDA's where semantics 3.6 gives them. Its limits for short and inefficient jobs are set by each site; ours are wide: jobs of less
    than a minute, ten thousand or more of them; a tenth of the CPU, for a thousand or more. `least_cpu_efficiency` 0 asks for none of a single job.
    `larger_files` is how many files a job may take after the scouts were too short (PanDA's nMaxFiles).
    """

    further_jobs: int = 20
    cpu_time_factor: float = 2.0
    long_wall_seconds: float = 86_400.0
    memory_mb_per_core: float = 4000.0
    short_seconds: float = 60.0
    short_further_jobs: int = 10_000
    larger_files: int = 200
    least_cpu_efficiency: float = 0.0
    low_cpu_efficiency: float = 0.1
    inefficient_further_jobs: int = 1000
    efficiency_wall_seconds: float = 600.0
    high_io_mb_per_second: float = 0.5
    cpu_per_wall_factor: float = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the engine behaves; times in seconds.

    A lease is renewed by each heartbeat; it counts only time in which a server could hear (see watch). `poll_seconds` is how long a stage sleeps when
    nothing wakes it. `allocation_seconds` is how long an allocation stays valid, `look_again_seconds` when a task that no queue takes is brokered again.
    `jobs_per_round` is how many jobs one transaction of a command locks at most, `units_per_round` how many units it opens again.
    `task_days` is the greatest age of a task, 0 for any: it is finished then. `transient_days` is how long transient outputs stay when all is done.
    """

    lease_seconds: float = 120
    heartbeat_seconds: float = 30
    poll_seconds: float = 1
    hearing_gap_seconds: float = 15
    allocation_seconds: float = 60
    look_again_seconds: float = 10
    tasks_per_step: int = 50
    units_per_step: int = 5_000
    jobs_per_step: int = 5_000
    touches_per_step: int = 2_000
    retry_more_attempts: int = 3
    jobs_per_round: int = 1_000
    units_per_round: int = 10_000
    sandbox_days: int = 30
    task_days: float = 0
    transient_days: float = 1
    scouts: ScoutLimits = field(default_factory=ScoutLimits)


def now() -> datetime:
    """The time now."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The engine's options, plugins and blob folder, made once in the composition root."""

    data_manager: DataManager
    blobs: Blobs
    options: Options = field(default_factory=Options)
    broker_rules: tuple[BrokerRule, ...] = ()
    clock: Callable[[], datetime] = now
    """What limits of days are compared with. (Leases are compared with the database's clock.)"""
