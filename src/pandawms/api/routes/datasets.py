"""Datasets: make, fill, close, look."""

from typing import Annotated, Any, Literal

from litestar import Response, get, post, put
from litestar.params import FromPath, FromQuery, QueryParameter, RequestBody

from pandawms.api import finding, policies, storing, views
from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import Cursor, IdFilter, PageSize, TextFilter, page_of
from pandawms.api.policies import Action
from pandawms.api.routes.tasks import community
from pandawms.domain.errors import Conflict, Invalid
from pandawms.domain.stages import Stage
from pandawms.store import catalogue, events, identity, lists, wake
from pandawms.store.database import Connection
from pandawms.wire.dataset import Dataset, DatasetRequest, File, FileRegistrations, RegistrationAnswer
from pandawms.wire.page import DEFAULT_PAGE_SIZE, Page

LOOK = {"policy": Action.LOOK}
STORE = {"policy": Action.STORE}
ScopeFilter = Annotated[str | None, QueryParameter(name="scope", max_length=300)]


@post("/datasets", opt={**STORE, "is_repeatable": True}, status_code=201)
async def create(request: Call, data: RequestBody[DatasetRequest]) -> Response[Dataset]:
    """Makes an open dataset, in your own scope unless you say otherwise."""

    async def work(connection: Connection) -> dict[str, Any]:
        return {"dataset_id": await _create(request, connection, data)}

    done = await once(request, work)
    async with request.core.pool.acquire() as connection:
        found = await finding.dataset(connection, request.who, str(done.answer["dataset_id"]))
    return Response(views.dataset(found), status_code=201 if done.is_new else 200)


async def _create(request: Call, connection: Connection, data: DatasetRequest) -> int:
    who, scope, name = request.who, data.scope or f"user.{request.who.name}", data.community or request.who.community
    policies.write_scope(who, scope)
    community_id = await identity.community_id(connection, name) if policies.may_see(who, name) else None
    if community_id is None:
        raise Invalid(f"you are no member of {name}", code="community.unknown", field="community", value=name, allowed=who.community, hint="leave it out")
    dataset_id = await catalogue.add_dataset(connection, community_id=community_id, owner_id=who.user_id, scope=scope, name=data.name)
    if dataset_id is None:
        did = f"{scope}:{data.name}"
        raise Conflict(
            f"dataset {did} exists already", code="dataset.name_taken", field="name", value=did, allowed="a name that is free", hint="take another name"
        )
    await events.log(connection, "dataset", dataset_id, "create", None, "open", who.name)
    return dataset_id


@get("/datasets", opt=LOOK)
async def page(request: Call, in_scope: ScopeFilter = None, name: TextFilter = None, status: FromQuery[Literal["open", "closed"] | None] = None,
               task_id: IdFilter = None, limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[Dataset]:  # fmt: skip
    """Lists datasets, newest first."""
    is_open = None if status is None else status == "open"
    filters = {"community": community(request), "scope": in_scope, "name": name, "is_open": is_open, "task_id": task_id, "is_there": True}
    return await page_of(request, lists.DATASETS, filters, limit, cursor, views.dataset)


@get("/datasets/{dataset:str}", opt=LOOK)
async def get_dataset(request: Call, dataset: FromPath[str]) -> Dataset:
    """One dataset, by id or as scope:name."""
    async with request.core.pool.acquire() as connection:
        return views.dataset(await finding.dataset(connection, request.who, dataset))


@get("/datasets/{dataset:str}/files", opt=LOOK)
async def files(request: Call, dataset: FromPath[str], limit: PageSize = DEFAULT_PAGE_SIZE, cursor: Cursor = None) -> Page[File]:
    """The files of a dataset, in the order in which a task takes them."""
    async with request.core.pool.acquire() as connection:
        found = await finding.dataset(connection, request.who, dataset)
    return await page_of(request, lists.FILES, {"dataset_id": found.dataset_id}, limit, cursor, views.file)


@post("/datasets/{dataset:str}/files", opt={**STORE, "is_repeatable": True}, status_code=200)
async def register(request: Call, dataset: FromPath[str], data: RequestBody[FileRegistrations]) -> RegistrationAnswer:
    """Registers up to 10,000 files, all or none; their content is uploaded afterwards, or lies at its place already (operators)."""

    async def work(connection: Connection) -> dict[str, Any]:
        found = await finding.dataset(connection, request.who, dataset)
        policies.write_scope(request.who, found.scope)
        _refuse_output(found)
        added = await storing.register(request.core, connection, found, data.files, is_operator=policies.is_operator(request.who))
        await wake.stages(connection, Stage.DEFINE)
        return {"added": added, "known": len(data.files) - added}

    return RegistrationAnswer(**(await once(request, work)).answer)


@put("/datasets/{dataset:str}/files/{name:str}/content", opt={**STORE, "body": bytes}, status_code=200, request_max_body_size=None)
async def upload(request: Call, dataset: FromPath[str], name: FromPath[str]) -> File:
    """Takes the content of a file, whole or not at all, and registers it when it was not yet. Sending it twice is harmless."""
    async with request.core.pool.acquire() as connection:
        found = await finding.dataset(connection, request.who, dataset)
    policies.write_scope(request.who, found.scope)
    _refuse_output(found)
    stored = await storing.store(request.core, found, name, request.parts())
    async with request.core.pool.acquire() as connection, connection.transaction():
        await wake.stages(connection, Stage.DEFINE, Stage.PLACE)
    return File(
        file_id=stored.file_id, dataset_id=stored.dataset_id, scope=stored.scope, name=stored.name, status="ready", size_bytes=stored.size_bytes,
        adler32=stored.adler32.hex(), guid=str(stored.guid), n_events=stored.events, created_at=stored.created_at,
    )  # fmt: skip


@post("/datasets/{dataset:str}/close", opt={**STORE, "is_repeatable": True}, status_code=200)
async def close(request: Call, dataset: FromPath[str]) -> Dataset:
    """Closes a dataset: no file is added any more, and tasks that read it can end. Closing it twice is harmless."""
    async with request.core.pool.acquire() as connection, connection.transaction():
        found = await finding.dataset(connection, request.who, dataset)
        policies.write_scope(request.who, found.scope)
        _refuse_output(found)
        if await catalogue.close_dataset(connection, found.dataset_id):
            await events.log(connection, "dataset", found.dataset_id, "close", "open", "closed", request.who.name)
            await wake.stages(connection, Stage.DEFINE)
        return views.dataset(await finding.dataset(connection, request.who, str(found.dataset_id)))


def _refuse_output(found: catalogue.Dataset) -> None:
    if found.producer_task_id is not None and found.is_open:
        raise Conflict(
            f"dataset {found.did} is written by task {found.producer_task_id}", code="dataset.output", field="dataset", value=found.did,
            allowed="a dataset that no task writes", hint="make a dataset of your own; this one is closed when its task ends",
        )  # fmt: skip


ROUTES = (create, page, get_dataset, files, register, upload, close)
