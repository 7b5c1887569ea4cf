"""Jobs: list, look, logs, kill."""

from __future__ import annotations

from pandawms.client.calls import Call, get, segment, send
from pandawms.client.resource import Resource, Runner, endpoint, paged
from pandawms.client.script import Request
from pandawms.wire.command import TaskCommand
from pandawms.wire.event import ChangeEvent
from pandawms.wire.job import JobDetail, JobFile, JobSummary
from pandawms.wire.page import MAX_PAGE_SIZE, Page
from pandawms.wire.task import CommandAnswer
from pandawms.wire.why import Why


def _get(job_id: int) -> Call[JobDetail]:
    """Everything about one job."""
    return get(JobDetail, f"/jobs/{job_id}")


def _page(
    *,
    task_id: int | None = None,
    status: str | tuple[str, ...] | None = None,
    queue: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Call[Page[JobSummary]]:
    """One page of jobs, newest first."""
    query = {"task_id": task_id, "status": status, "queue": queue, "limit": limit, "cursor": cursor}
    return get(Page[JobSummary], "/jobs", query)


def _files(job_id: int) -> Call[Page[JobFile]]:
    """The input and output files of a job."""
    return get(Page[JobFile], f"/jobs/{job_id}/files")


def _events(job_id: int) -> Call[Page[ChangeEvent]]:
    """The history of a job."""
    return get(Page[ChangeEvent], f"/jobs/{job_id}/events", {"limit": MAX_PAGE_SIZE})


def _why(job_id: int) -> Call[Why]:
    """Why the job is as it is."""
    return get(Why, f"/jobs/{segment(job_id)}/why")


def _kill(job_id: int, reason: str = "") -> Call[CommandAnswer]:
    """Asks for the end of one job; its inputs are not tried again by themselves."""
    return send("POST", CommandAnswer, f"/jobs/{job_id}/kill", TaskCommand(reason=reason))


def _log(job_id: int) -> Call[bytes]:
    """The log folder of an ended job as tar.gz (at most 10 MiB)."""
    return Call(Request("GET", f"/jobs/{job_id}/log"), lambda reply: reply.body)


class Jobs(Resource[Runner]):
    """The jobs of the API."""

    get = endpoint(_get)
    page = endpoint(_page)
    list = paged(_page)
    files = paged(_files)
    events = paged(_events)
    why = endpoint(_why)
    kill = endpoint(_kill)
    log = endpoint(_log)
