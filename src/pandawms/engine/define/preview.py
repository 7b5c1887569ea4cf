"""What a dry run shows of a task: its inputs, the words for its split, what may surprise."""

from pandawms.engine.define import plan as planning
from pandawms.engine.define.first_jobs import Cut
from pandawms.engine.define.sources import Source
from pandawms.engine.define.submit import Checked
from pandawms.engine.splitting.preview import MOST_UNITS
from pandawms.wire.document import SplitSpec, TaskDocument
from pandawms.wire.selection import Counted
from pandawms.wire.task import PlanInput


def inputs(found: Checked) -> tuple[PlanInput, ...]:
    """The inputs as they are now; what the primary one takes is counted, of the others what their datasets have."""
    return tuple(_input(source, found, is_first=n == 0) for n, source in enumerate(found.sources))


def _input(source: Source, found: Checked, *, is_first: bool) -> PlanInput:
    spec = source.spec
    if spec.count is not None:
        text = f"events {spec.first_event} to {spec.first_event + spec.count - 1}"
        return PlanInput(stream=source.stream, kind="events", description=text, n_events=spec.count)
    if spec.pieces is not None:
        return PlanInput(stream=source.stream, kind="pieces", description=f"pieces 1 to {spec.pieces}")
    have = source.datasets
    size = found.size if is_first else Counted(sum(d.n_files for d in have), sum(d.n_bytes for d in have), sum(d.n_events for d in have))
    names = [did for did, _ in source.found]
    text = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return PlanInput(
        stream=source.stream, kind=spec.kinds[0], description=text or "nothing: its datasets do not exist", n_files=size.n_files,
        n_events=size.n_events or None, size_bytes=size.n_bytes, is_open=source.is_open,
    )  # fmt: skip


def split_words(document: TaskDocument) -> str:
    """How the task is cut, in words."""
    split, how = document.split, planning.plan(document)
    if isinstance(how, planning.Chunks):
        return f"{how.chunk} events a job"
    if isinstance(how, planning.Pieces):
        return _counted(planning.files_per_job(document), "piece")
    parts = [*_sizes(split), *_limits(split)]
    return ", ".join(parts or [_counted(planning.files_per_job(document), "file")])


def _sizes(split: SplitSpec) -> list[str]:
    words = []
    if split.events_per_job is not None:
        words.append(f"{split.events_per_job} events a job")
    if split.files_per_job is not None:
        words.append(_counted(split.files_per_job, "file"))
    if split.n_jobs is not None:
        words.append(f"{split.n_jobs} jobs")
    return words


def _limits(split: SplitSpec) -> list[str]:
    given = (
        (split.max_files_per_job, "files a job"), (split.mb_per_job, "MB a job"), (split.output_mb_per_job, "MB of output a job"),
        (split.wall_seconds_per_job, "seconds a job"), (split.max_jobs, "jobs"),
    )  # fmt: skip
    words = [f"at most {value} {what}" for value, what in given if value is not None]
    if split.boundary is not None:
        by = f"part {split.boundary.name_field} of the name" if split.boundary.name_field else "boundary"
        words.append(f"{'one job a group' if split.boundary.one_job_per_group else 'no job over several groups'} by {by}")
    return words


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n > 1 else ''} a job"


def merge_jobs(document: TaskDocument, n_jobs: int) -> int:
    """How many jobs merge what the run jobs write."""
    if document.merge is None or n_jobs == 0:
        return 0
    return -(-n_jobs // (document.merge.files_per_job or n_jobs))


def warnings(found: Checked, made: Cut) -> tuple[str, ...]:
    """What may surprise: inputs that are not complete, a number of jobs that is counted on, units that fit nowhere."""
    growing = [f"{d.did} is still open: jobs are made as files appear" for s in found.sources for d in s.datasets if d.is_open and s.spec.grow]
    missing = [f"{did} does not exist yet: the task waits for it" for source in found.sources for did in source.missing]
    estimate = [f"the number of jobs is counted on from the first {MOST_UNITS:,} units"] if made.is_estimate else []
    refused = [f"no job can be made of {made.n_refused} units: they pass a limit alone"] if made.n_refused else []
    return (*growing, *missing, *estimate, *refused)
