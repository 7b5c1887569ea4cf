"""What went wrong with the jobs of a task."""

from litestar import get
from litestar.params import FromPath

from pandawms.api import finding, measured
from pandawms.api.call import Call
from pandawms.api.policies import Action
from pandawms.engine.aggregate.ending import error_summary
from pandawms.wire.measure import TaskErrors


@get("/tasks/{task:str}/errors", opt={"policy": Action.LOOK})
async def errors(request: Call, task: FromPath[str]) -> TaskErrors:
    """The failed jobs of a task grouped by what went wrong: how many, where, when, with samples. Ids, numbers, hosts and paths make no difference."""
    async with request.core.pool.acquire() as connection:
        found = await finding.task(connection, request.who, task)
    async with request.core.reading() as connection:
        return measured.task_errors(found.task_id, await error_summary(connection, found.task_id))


ROUTES = (errors,)
