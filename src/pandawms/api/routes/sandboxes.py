"""Sandboxes: users' programs, named by the sha256 of their content."""

from datetime import UTC, datetime, timedelta

import msgspec
from litestar import Response, get, head, put
from litestar.params import FromPath
from litestar.response import Stream

from pandawms.api.call import Call
from pandawms.api.policies import Action
from pandawms.data import blobs
from pandawms.domain.errors import Invalid, NotFound, Unavailable
from pandawms.domain.identity import Scope
from pandawms.store import catalogue, places
from pandawms.wire.names import Sha256
from pandawms.wire.system import SandboxAnswer

GZIP = "application/gzip"


class _Digest(msgspec.Struct):
    sha256: Sha256


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(msgspec.convert({"sha256": text}, _Digest).sha256)
    except msgspec.ValidationError:
        raise Invalid(
            "this is no sha256", code="not_allowed", field="sha256", value=text[:100], allowed="64 lower-case hexadecimal digits", hint="use sha256sum"
        ) from None


@head("/sandboxes/{sha256:str}", opt={"policy": Action.FETCH_SANDBOX, "answer": None})
async def look(request: Call, sha256: FromPath[str]) -> None:
    """Whether you have this sandbox here (404 when not)."""
    await _readable(request, _digest(sha256))


@get("/sandboxes/{sha256:str}", opt={"policy": Action.FETCH_SANDBOX, "answer": bytes, "media_type": GZIP})
async def fetch(request: Call, sha256: FromPath[str]) -> Stream:
    """The archive: for its owner, and for pilots with a job that needs it."""
    digest = _digest(sha256)
    size = await _readable(request, digest)
    headers = {"Content-Length": str(size), "ETag": f'"{sha256}"'}
    return Stream(blobs.read(request.core.blobs.sandbox(digest)), media_type=GZIP, headers=headers)


async def _readable(request: Call, digest: bytes) -> int:
    """The size of a sandbox that the caller may read. Raises NotFound otherwise."""
    who, path = request.who, request.core.blobs.sandbox(digest)
    async with request.core.pool.acquire() as connection:
        is_mine = who.has(Scope.USER) and await catalogue.sandbox_size(connection, digest, who.user_id) is not None
        queue = await places.queue_by_name(connection, who.queue) if who.queue is not None and not is_mine else None
        is_needed = queue is not None and await catalogue.sandbox_in_use(connection, digest.hex(), queue.queue_id)
    if (is_mine or is_needed) and path.exists():
        return path.stat().st_size
    raise NotFound("there is no such sandbox for you", code="sandbox.unknown", field="sha256", value=digest.hex(), hint="it expired, or was never sent")


@put("/sandboxes/{sha256:str}", opt={"policy": Action.STORE, "body": bytes, "media_type": GZIP}, status_code=201, request_max_body_size=None)
async def store(request: Call, sha256: FromPath[str]) -> Response[SandboxAnswer]:
    """Takes an archive whose sha256 is the one in the path. Sending it again keeps it longer."""
    digest, path = _digest(sha256), request.core.blobs.sandbox(_digest(sha256))
    written = await blobs.write(path, request.parts(), request.core.options.max_sandbox_bytes, digest)
    expires_at = datetime.now(UTC) + timedelta(days=request.core.services.options.sandbox_days)
    async with request.core.pool.acquire() as connection, connection.transaction():
        await catalogue.lock_sandbox(connection, digest)
        if not path.exists():
            raise Unavailable("an older copy of this sandbox was just deleted", code="sandbox.deleted", hint="send it again")
        is_new = await catalogue.sandbox_size(connection, digest, request.who.user_id) is None
        await catalogue.add_sandbox(connection, digest, request.who.user_id, written.size_bytes, expires_at)
        until = await catalogue.sandbox_until(connection, digest, request.who.user_id)
    answer = SandboxAnswer(sha256=sha256, size_bytes=written.size_bytes, expires_at=until)
    return Response(answer, status_code=201 if is_new else 200)


ROUTES = (look, fetch, store)
