"""Datasets and files over HTTP."""

import zlib
from pathlib import Path
from typing import Any

from tests.api.conftest import Api
from tests.api.test_tasks import submitted
from tests.world import task


def registration(name: str, content: bytes) -> dict[str, Any]:
    """A file as a client registers it."""
    return {"name": name, "size_bytes": len(content), "adler32": f"{zlib.adler32(content):08x}"}


async def made(api: Api, name: str = "d") -> int:
    """Makes a dataset of ada's and returns its id."""
    answer = await api.ada.post("/datasets", json={"name": name})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["dataset_id"])


def stored(api: Api) -> list[Path]:
    """The files in storage."""
    return [path for path in api.storage.rglob("*") if path.is_file()]


async def test_a_registered_file_is_uploaded_closed_and_fetched(api: Api) -> None:
    dataset_id, content = await made(api), b"muons" * 1000
    registered = await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": [registration("a.root", content)]})
    assert registered.json() == {"added": 1, "known": 0}
    assert (await api.ada.get(f"/datasets/{dataset_id}/files")).json()["items"][0]["status"] == "expected"
    for _ in range(2):
        file = (await api.ada.put(f"/datasets/{dataset_id}/files/a.root/content", content=content)).json()
        assert (file["status"], file["size_bytes"]) == ("ready", len(content))
    closed = (await api.ada.post(f"/datasets/{dataset_id}/close")).json()
    assert (closed["status"], closed["n_files"], closed["size_bytes"]) == ("closed", 1, len(content))
    fetched = await api.bob.get(f"/files/{file['file_id']}/content")
    assert fetched.content == content
    assert fetched.headers["etag"] == f'"{zlib.adler32(content):08x}"'
    assert fetched.headers["content-length"] == str(len(content))
    assert (await api.ada.get(f"/files/{file['file_id']}")).json()["replicas"][0]["endpoint"] == "disk"
    assert len(stored(api)) == 1


async def test_an_upload_with_other_content_than_registered_is_refused_and_leaves_nothing(api: Api) -> None:
    dataset_id = await made(api)
    await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": [registration("a.root", b"right")]})
    problem = (await api.ada.put(f"/datasets/{dataset_id}/files/a.root/content", content=b"wrong")).json()
    assert (problem["status"], problem["code"], problem["allowed"]) == (409, "file.differs", f"5 bytes, {zlib.adler32(b'right'):08x}")
    assert stored(api) == []


async def test_an_unregistered_upload_registers_itself(api: Api) -> None:
    dataset_id = await made(api)
    assert (await api.ada.put(f"/datasets/{dataset_id}/files/b.txt/content", content=b"x")).status_code == 200
    assert (await api.ada.get("/datasets/user.ada:d")).json()["n_files"] == 1


async def test_names_that_would_leave_their_folder_are_refused(api: Api) -> None:
    dataset_id = await made(api)
    for name in ("..", "%2e%2e%2fx", ".hidden", "a%0ab"):
        answer = await api.ada.put(f"/datasets/{dataset_id}/files/{name}/content", content=b"x")
        assert answer.status_code in (404, 405, 422), name
    assert stored(api) == []


async def test_only_the_owner_writes_and_only_the_community_sees(api: Api) -> None:
    dataset_id = await made(api)
    refused = (await api.bob.put(f"/datasets/{dataset_id}/files/a/content", content=b"x")).json()
    assert (refused["status"], refused["field"], refused["value"], refused["allowed"]) == (403, "scope", "user.ada", "user.bob")
    assert (await api.bob.post("/datasets", json={"name": "d", "scope": "user.ada"})).status_code == 403
    assert (await api.eve.get(f"/datasets/{dataset_id}")).status_code == 404
    assert (await api.bob.get(f"/datasets/{dataset_id}")).status_code == 200


async def test_a_closed_dataset_takes_no_files(api: Api) -> None:
    dataset_id = await made(api)
    await api.ada.post(f"/datasets/{dataset_id}/close")
    assert (await api.ada.put(f"/datasets/{dataset_id}/files/a/content", content=b"x")).json()["code"] == "dataset.closed"
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": [registration("a", b"x")]})).json()["code"] == "dataset.closed"


async def test_registering_in_bulk_is_all_or_none(api: Api) -> None:
    dataset_id = await made(api)
    files = [registration(f"f{n}", b"x") for n in range(100)]
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": files})).json() == {"added": 100, "known": 0}
    changed = [registration("new", b"x"), registration("f5", b"other")]
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": changed})).json()["code"] == "file.differs"
    assert (await api.ada.get(f"/datasets/{dataset_id}")).json()["n_files"] == 100
    repeated = [registration("x", b"x"), registration("x", b"x")]
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": repeated})).json()["field"] == "files[1].name"


async def test_only_operators_say_where_a_file_lies_and_only_at_its_place(api: Api) -> None:
    dataset_id = await made(api)
    place = api.world.services.data_manager.url(api.storage.as_uri(), "user.ada", "a")
    body = {"files": [{**registration("a", b"x"), "url": place}]}
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json=body)).json()["field"] == "files[0].url"
    assert (await api.operator.post(f"/datasets/{dataset_id}/files", json={"files": [{**body["files"][0], "url": "file:///etc/passwd"}]})).status_code == 422
    assert (await api.operator.post(f"/datasets/{dataset_id}/files", json=body)).json() == {"added": 1, "known": 0}


async def test_a_task_over_an_uploaded_dataset_waits_for_content(api: Api) -> None:
    dataset_id = await made(api)
    await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": [registration("a", b"x")]})
    await api.ada.post(f"/datasets/{dataset_id}/close")
    document = task(program={"command": "cat %IN > %OUT"}, inputs={"lines": {"dataset": "user.ada:d"}}, split={"files_per_job": 1})
    task_id = (await api.ada.post("/tasks", json=document)).json()["task_id"]
    await api.world.settle()
    why = (await api.ada.get(f"/tasks/{task_id}/why")).json()
    assert "jobs.wait_for_data" in [cause["code"] for cause in why["causes"]] or "broker.no_queue" in [cause["code"] for cause in why["causes"]], why
    await api.ada.put(f"/datasets/{dataset_id}/files/a/content", content=b"x")
    assert (await api.ada.get(f"/tasks/{task_id}/files")).json()["items"][0]["name"] == "a"


async def test_nobody_puts_files_into_what_a_task_writes(api: Api) -> None:
    task_id = await submitted(api)
    await api.world.settle()
    output = (await api.ada.get(f"/tasks/{task_id}/outputs")).json()["items"][0]["dataset"]
    file = {"name": "mine.txt", "size_bytes": 3, "adler32": "01020304"}
    registered = await api.ada.post(f"/datasets/{output}/files", json={"files": [file]})
    uploaded = await api.ada.put(f"/datasets/{output}/files/mine.txt/content", content=b"abc")
    for answer in (registered, uploaded):
        assert (answer.status_code, answer.json()["code"]) == (409, "dataset.output")
