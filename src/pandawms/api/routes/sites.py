"""Sites: places with queues and storage."""

from litestar import get

from pandawms.api import policies
from pandawms.api.call import Call
from pandawms.api.paging import PageSize, whole
from pandawms.api.policies import Action
from pandawms.store import places
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page
from pandawms.wire.queue import Site


@get("/sites", opt={"policy": Action.LOOK})
async def page(request: Call, limit: PageSize = DEFAULT_PAGE_SIZE) -> Page[Site]:
    """All sites by name, with the queues that you may use."""
    async with request.core.reading() as connection:
        queues = {row.name for row in await places.queues(connection) if policies.may_see(request.who, row.community)}
        endpoints, rows = await places.endpoints(connection), await places.sites(connection)
    sites = [
        Site(name=row.name, queues=tuple(q for q in row.queues if q in queues), storage_endpoints=tuple(e.name for e in endpoints if e.site == row.name))
        for row in rows
    ]
    return whole(sites[:limit])


ROUTES = (page,)
