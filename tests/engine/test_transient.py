"""Transient outputs go when all that read them have been done for some time, and never before; nothing that was built on them is touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pandawms.data.storage import local_path
from pandawms.domain.errors import Conflict
from pandawms.engine import forking
from pandawms.engine.watch.transient import step as remove
from pandawms.store import tasks
from tests.engine import invariants
from tests.engine.play import FILES, HOPELESS, ask, rows, run_with, told, value
from tests.world import World

PARENT: dict[str, Any] = {"outputs": {"out": {"file": "o.txt", "transient": True}, "log": "l.txt"}}
CHILD: dict[str, Any] = FILES | {"name": "child", "inputs": {"in": {"task": "t", "output": "out"}}}


@pytest.fixture
async def stored(world: World, tmp_path: Path) -> World:
    """A world whose endpoint is a folder."""
    await rows(world, "UPDATE storage_endpoint SET root_url = $1", tmp_path.as_uri())
    return world


def later(world: World, **ahead: float) -> World:
    """The world with its clock ahead."""
    then = datetime.now(UTC) + timedelta(**ahead)
    return replace(world, services=replace(world.services, clock=lambda: then))


async def look(world: World) -> int:
    """One step of the removal."""
    return await remove(world.pool, world.services)


async def paths(world: World, stream: str) -> list[Path]:
    """Where the files of an output are; they are made when they are not there."""
    found = await rows(
        world, "SELECT f.scope, f.name, e.root_url FROM file f JOIN replica r USING (file_id) JOIN storage_endpoint e USING (endpoint_id)"
        " JOIN task_dataset td USING (dataset_id) WHERE td.stream = $1 AND td.role = 'output' ORDER BY 2", stream,
    )  # fmt: skip
    places = [local_path(world.services.data_manager.url(row["root_url"], row["scope"], row["name"])) for row in found]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    return places


async def test_a_transient_output_goes_a_day_after_all_its_readers_are_done(stored: World) -> None:
    parent = await stored.submit(**PARENT)
    child = await stored.submit(**CHILD)
    await stored.run_all()
    assert [await stored.status(each) for each in (parent, child)] == ["done", "done"]
    written, kept = await paths(stored, "out"), await paths(stored, "log")
    assert await look(later(stored, hours=23)) == 0
    assert await look(later(stored, hours=25)) == 1 + 5, "one dataset, five files"
    assert [path.name[:5] for path in written if not path.exists()] == ["t.out"] * 5
    assert all(path.exists() for path in kept)
    moves = await rows(stored, "SELECT e.event FROM entity_event e JOIN dataset d ON d.dataset_id = e.entity_id WHERE e.entity = 'dataset' AND d.removed_at"
                               " IS NOT NULL ORDER BY event_id")  # fmt: skip
    assert [row["event"] for row in moves] == ["create_output", "freeze", "expire"]
    assert await look(later(stored, hours=26)) == 0
    await invariants.check(stored)


@pytest.mark.parametrize("why", ["no reader", "reader works", "reader failed", "task works again", "command waits"])
async def test_it_stays(stored: World, why: str) -> None:
    parent = await stored.submit(**PARENT)
    child = await stored.submit(**CHILD | {"retry": {"max_attempts": 1}}) if why != "no reader" else None
    if why == "reader failed":
        await stored.run_all()
        other = await stored.submit(**CHILD | {"name": "other", "retry": {"max_attempts": 1}})
        await run_with(stored, {("run", serial): HOPELESS for serial in range(1, 6)})
        assert await stored.status(other) == "failed"
    elif why == "reader works":
        await run_with(stored, {}, most=6)
        assert child is not None
        assert (await stored.status(parent), await stored.status(child)) == ("done", "running")
    else:
        await stored.run_all()
    if why == "task works again":
        await told(stored, "extend", parent, changes={"inputs": {"events": {"count": 14}}})
        assert await stored.status(parent) == "running"
    if why == "command waits":
        await ask(stored, "extend", task_id=parent, changes={"priority": 3})
    assert await look(later(stored, days=3)) == 0
    assert await value(stored, "SELECT count(*) FROM dataset WHERE removed_at IS NOT NULL") == 0


async def test_what_a_fork_shares_stays(stored: World) -> None:
    parent = await stored.submit(**PARENT)
    await stored.submit(**CHILD)
    await stored.run_all()
    async with stored.pool.acquire() as connection, connection.transaction():
        original = await tasks.get(connection, parent)
        assert original is not None
        await forking.fork(connection, stored.services, stored.who, original, original.document | {"name": "u"})
    await stored.run_all()
    assert await look(later(stored, days=3)) == 0
    await invariants.check(stored)


async def test_nobody_goes_on_with_what_is_gone(stored: World) -> None:
    parent = await stored.submit(**PARENT)
    child = await stored.submit(**CHILD)
    await stored.run_all()
    (name,) = [row["name"] for row in await rows(stored, "SELECT name FROM file WHERE name LIKE 't.log.%' ORDER BY 1 LIMIT 1")]
    assert await look(later(stored, days=3))
    for task_id, verb, given in (
        (parent, "extend", {"changes": {"inputs": {"events": {"count": 14}}}}), (child, "extend", {"changes": {"priority": 3}}),
        (parent, "recover", {"files": [name]}),
    ):  # fmt: skip
        assert "was transient and is removed" in await told(stored, verb, task_id, **given)
    async with stored.pool.acquire() as connection, connection.transaction():
        original = await tasks.get(connection, parent)
        assert original is not None
        with pytest.raises(Conflict, match="was transient and is removed"):
            await forking.fork(connection, stored.services, stored.who, original, original.document | {"name": "u"})
    await invariants.check(stored)


async def test_files_on_a_storage_that_does_not_answer_are_deleted_when_it_does(stored: World, tmp_path: Path) -> None:
    await stored.submit(**PARENT)
    await stored.submit(**CHILD)
    await stored.run_all()
    files = [path for path in await paths(stored, "out") if path.name.startswith("t.out")]
    await rows(stored, "UPDATE storage_endpoint SET root_url = 'http://away'")
    assert await look(later(stored, days=2)) == 1, "the dataset alone"
    await rows(stored, "UPDATE storage_endpoint SET root_url = $1", tmp_path.as_uri())
    assert await look(later(stored, days=2)) == 5
    assert len(files) == 5
    assert not any(path.exists() for path in files)
