"""The stream of changes."""

from litestar import get
from litestar.response import Stream

from pandawms.api import finding
from pandawms.api.call import Call, header
from pandawms.api.paging import IdFilter
from pandawms.api.policies import Action
from pandawms.api.streaming import Visible, position, stream

EVENT_STREAM = "text/event-stream"


@get("/events", opt={"policy": Action.LOOK, "answer": str, "media_type": EVENT_STREAM})
async def changes(request: Call, task_id: IdFilter = None) -> Stream:
    """Changes of status as they happen (server-sent events); with the header Last-Event-ID it goes on behind that event, without it begins now."""
    last = header(request, "Last-Event-ID")
    after = position(last) if last is not None else None
    if task_id is not None:
        async with request.core.pool.acquire() as connection:
            await finding.task(connection, request.who, str(task_id))
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return Stream(stream(request.core, Visible(request.who, task_id), after), media_type=EVENT_STREAM, headers=headers)


ROUTES = (changes,)
