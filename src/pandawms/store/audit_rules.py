"""What the audit looks at: the rules in words, the queries that look for rows that break them, and the tables of moves that they are given."""

from dataclasses import dataclass, field
from typing import Any

from pandawms.domain.dataset import DATASET_STATE
from pandawms.domain.job import JOB, LEASED, QUEUED
from pandawms.domain.machine import Machine
from pandawms.domain.queue import QUEUE
from pandawms.domain.task import TASK
from pandawms.domain.worker import WORKER

RULES = {
    "one_place": "a job is hot or in the archive, never both and never neither",
    "final_once": "an ended job has one final status, which is finished exactly when its outcome is success",
    "lease": "a job has a lease exactly while a pilot has it, and its claim from then on",
    "job_refs": "what a job names exists: identity, task, template, queue, share, requirement, community, the job before it",
    "job_agrees": "a job's row and its log agree with its identity",
    "job_extras": "orders, usage, edges and commands belong to jobs that are there",
    "complete": "a job has its inputs, and when it succeeded a file for every output of its template",
    "log_status": "replaying the log gives the present status of every job, task, dataset, queue and worker",
    "log_chain": "each step of a log begins where the one before it ended",
    "log_move": "each step of a log is a move of the table of its state machine",
    "log_order": "the times of a log run forward",
    "done_once": "a unit is finished exactly when one finished job, or one finished payload of a job, covers it, and never two",
    "unit_state": "a unit is running or merging exactly while the job that it names is, and that is the only one at work on it, or the lead of its copies",
    "payloads": "an account of a payload agrees with its job and its unit, and only one that finished has outputs",
    "unit_refs": "what a unit names exists: task, dataset, file, job; and the job names it",
    "attempts": "a unit had as many attempts as jobs name it, as many failures as failed, and no more than it may",
    "clones": "of the copies of a job one leads, which is the only one that may succeed, and its group stands where it stands",
    "numbering": "the units of an input are numbered without a gap, and its chunks of events follow each other",
    "counters": "the counters of a dataset in a task are those of its units",
    "ranges": "a unit that no job had is in exactly one range, and no other unit is",
    "task_refs": "what a task names exists: template, share, datasets",
    "verdict": "a task that ended has the verdict that its units give",
    "ended_task": "a task that has ended has no hot job and no open unit",
    "file_refs": "what a file of a job names exists and agrees: identity, dataset, unit, catalogue entry, merge group",
    "outputs": "an output dataset holds the outputs of finished jobs and nothing else",
    "merged_once": "what is merged came from finished jobs, each file once",
    "group": "a merge group is not empty, and stands where its last merge job stands",
    "catalogue_refs": "what a file or a replica names exists, and what a job wrote is stored somewhere",
    "dataset_counters": "the counters of a dataset are those of its files",
}
"""Every rule, by the word that the queries use for it."""

EARLIER_DATASET_MOVES = (" create open", "open close closed", "closed reopen open", "closed remove removed")
"""Lines of release 0.1 in the logs of datasets, in words that the table of states does not have."""


def moves(machine: Machine[Any, Any]) -> list[str]:
    """Returns every line that a log of this machine may hold, as "from event to"; the first line of a log has no from."""
    begins = [f" {event} {target}" for event, target in machine.initial.items()]
    return begins + [f"{source} {event} {target}" for (source, event), target in machine.transitions.items()]


@dataclass(frozen=True, slots=True)
class Check:
    """A query of an aggregate that gives rows (rule, id, part and what helps to understand them) of a range of ids that break a rule.

    `needs_details` leaves out ranges of jobs that were exported; `knows_export` tells the query of the others whether the range was. `joins_sets` forbids to
    look up one row at a time, which old statistics may advise and which takes the square of the time.
    """

    aggregate: str
    query: str
    needs_details: bool = False
    knows_export: bool = False
    joins_sets: bool = False
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Domain:
    """One kind of thing with ids, the query that cuts its ids into ranges, and the checks of a range."""

    name: str
    next: str
    checks: tuple[Check, ...]
    is_exported: bool = False


def _of_jobs(query: str, *, joins_sets: bool = False) -> Check:
    return Check("audit_jobs", query, needs_details=True, knows_export=True, joins_sets=joins_sets)


def _log(entity: str, machine: Machine[Any, Any], *earlier: str) -> Check:
    return Check("audit", "entity_log", joins_sets=True, given={"entity": entity, "entity_moves": [*moves(machine), *earlier]})


GIVEN: dict[str, Any] = {
    "leased": sorted(str(status) for status in LEASED),
    "queued": sorted(str(status) for status in QUEUED),
    "final": sorted(str(status) for status in JOB.final),
    "job_moves": moves(JOB),
    "task_moves": moves(TASK),
}
"""What all queries may ask for beside their range."""

DOMAINS = (
    Domain("queues", "next_queues", (_log("queue", QUEUE),)),
    Domain("workers", "next_workers", (_log("worker", WORKER),)),
    Domain("datasets", "next_datasets", (Check("audit_data", "dataset_counters"), _log("dataset", DATASET_STATE, *EARLIER_DATASET_MOVES))),
    Domain("files", "next_files", (Check("audit_data", "file_rows", joins_sets=True),)),
    Domain(
        "tasks",
        "next_tasks",
        (
            Check("audit", "task_rows"),
            Check("audit", "task_log", joins_sets=True),
            Check("audit_data", "counters"),
            Check("audit_data", "numbering"),
            Check("audit_data", "ranges"),
            Check("audit_data", "attempts", joins_sets=True),
            Check("audit_data", "clone_rows"),
            Check("audit_data", "outputs_counted", joins_sets=True),
        ),
    ),
    Domain("units", "next_units", (Check("audit_data", "unit_rows"),)),
    Domain("merge groups", "next_groups", (Check("audit_data", "group_rows"),)),
    Domain(
        "jobs",
        "next_jobs",
        (
            Check("audit_jobs", "job_rows", knows_export=True, joins_sets=True),
            _of_jobs("job_log", joins_sets=True),
            _of_jobs("job_complete", joins_sets=True),
            *(_of_jobs(query) for query in ("job_inputs", "job_outputs", "merged_files", "job_extras")),
        ),
        is_exported=True,
    ),
)
"""What is looked at, in this order."""
