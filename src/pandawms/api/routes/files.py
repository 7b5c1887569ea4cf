"""Files: look, and fetch their content."""

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from pandawms.api import finding, storing
from pandawms.api.call import Call
from pandawms.api.policies import Action
from pandawms.data import blobs
from pandawms.domain.errors import NotFound
from pandawms.store import catalogue, ids, job_lookups, places
from pandawms.store.catalogue import File as FileOfStore
from pandawms.store.database import Connection
from pandawms.wire.dataset import File, Replica

LOOK = {"policy": Action.LOOK}
BINARY = "application/octet-stream"


@get("/files/{file_id:int}", opt=LOOK)
async def get_file(request: Call, file_id: FromPath[int]) -> File:
    """One file, with its copies and the job that wrote it."""
    async with request.core.pool.acquire() as connection:
        found = await _find(request, connection, file_id)
        holding = (await catalogue.replicas(connection, [found.file_id])).get(found.file_id, ())
        known = {endpoint.endpoint_id: endpoint for endpoint in await places.endpoints(connection)}
        job_id = await job_lookups.job_of_file(connection, found.file_id)
    url = request.core.services.data_manager.url
    replicas = tuple(Replica(endpoint=known[each].name, url=url(known[each].root_url, found.scope, found.name)) for each in holding)
    return File(
        file_id=found.file_id, dataset_id=found.dataset_id, scope=found.scope, name=found.name, status="ready" if replicas else "expected",
        size_bytes=found.size_bytes, adler32=found.adler32.hex(), guid=str(found.guid), n_events=found.events, created_at=found.created_at, job_id=job_id,
        replicas=replicas,
    )  # fmt: skip


@get("/files/{file_id:int}/content", opt={**LOOK, "answer": bytes, "media_type": BINARY})
async def content(request: Call, file_id: FromPath[int]) -> Stream:
    """The bytes of a file; its ETag is its Adler-32."""
    async with request.core.pool.acquire() as connection:
        found = await _find(request, connection, file_id)
        place = await storing.readable(request.core, connection, found)
    headers = {
        "Content-Length": str(place.path.stat().st_size), "ETag": f'"{found.adler32.hex()}"',
        "Content-Disposition": f'attachment; filename="{found.name}"',
    }  # fmt: skip
    return Stream(blobs.read(place.path), media_type=BINARY, headers=headers)


async def _find(request: Call, connection: Connection, file_id: int) -> FileOfStore:
    """The file, if the caller may see its dataset."""
    missing = NotFound(f"there is no file {file_id}", code="file.unknown", field="file_id", value=file_id, hint="GET /datasets/{dataset}/files lists them")
    found = await catalogue.file(connection, ids.checked_id(file_id, "file_id"))
    if found is None:
        raise missing
    try:
        await finding.dataset(connection, request.who, str(found.dataset_id))
    except NotFound:
        raise missing from None
    return found


ROUTES = (get_file, content)
