"""The schema of task documents over HTTP, and what a registration may say of a file's group."""

from pandawms.wire.schema import document_schema_text
from tests.api.conftest import Api
from tests.api.test_datasets import made, registration


async def test_anybody_may_read_the_schema_of_task_documents(api: Api) -> None:
    answer = await api.nobody.get("/schemas/task")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/schema+json")
    assert answer.text == document_schema_text()


async def test_a_file_is_registered_with_its_group(api: Api) -> None:
    dataset_id = await made(api)
    files = [registration("a.root", b"x") | {"boundary": "run 7"}, registration("b.root", b"y")]
    assert (await api.ada.post(f"/datasets/{dataset_id}/files", json={"files": files})).json() == {"added": 2, "known": 0}
    async with api.world.pool.acquire() as connection:
        found = await connection.fetch("SELECT name, boundary FROM file WHERE dataset_id = $1 ORDER BY 1", dataset_id)
    assert [tuple(row) for row in found] == [("a.root", "run 7"), ("b.root", None)]
