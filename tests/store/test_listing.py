"""Files become units inside the database exactly as the pure rules of `wire.selection` say, each once, however often the input is listed."""

from random import Random
from typing import Any

import pytest

from pandawms.store import catalogue, listing, splitting, tasks, units
from pandawms.store.database import Connection
from pandawms.wire.document import BoundarySpec, InputSpec
from pandawms.wire.selection import Candidate, Choice, Cut, as_regex, group, selected
from tests.world import World

ADD = """
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[]) WITH ORDINALITY AS g (name, size_bytes, events, boundary, n)
), added AS (
    INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32, events, boundary)
    SELECT $1, 'user.ada', name, gen_random_uuid(), size_bytes, '\\x00000001', events, boundary FROM given ORDER BY n RETURNING events
)
UPDATE dataset SET n_files = n_files + t.n, n_events = n_events + t.events
FROM (SELECT count(*) AS n, coalesce(sum(events), 0) AS events FROM added) t WHERE dataset_id = $1
"""
MANY = """
INSERT INTO file (dataset_id, scope, name, guid, size_bytes, adler32, events)
SELECT $1, 'user.ada', 'file.' || lpad(i::text, 8, '0') || '.root', gen_random_uuid(), 1000 + i % 7, '\\x00000001', 100
FROM generate_series(1, $2::int) AS s (i)
"""


async def dataset(world: World, connection: Connection, name: str, files: list[Candidate] = [], boundary: str | None = None) -> int:  # noqa: B006 - never changed
    """An open dataset with these files."""
    community = await connection.fetchval("SELECT community_id FROM community WHERE name = 'local'")
    made = await catalogue.add_dataset(connection, community_id=community, owner_id=world.who.user_id, scope="user.ada", name=name)
    assert made is not None
    await add(connection, made, files, boundary)
    return made


async def add(connection: Connection, dataset_id: int, files: list[Candidate], boundary: str | None = None) -> None:
    """More files for a dataset."""
    await connection.execute(ADD, dataset_id, [f.name for f in files], [f.size_bytes for f in files], [f.events for f in files], [boundary for _ in files])


async def an_input(world: World, connection: Connection, dataset_ids: list[int], name: str = "reader") -> tuple[int, int]:
    """A task, made by hand, with an input of these datasets; returns the ids of both."""
    ((community, share),) = await connection.fetch("SELECT c.community_id, s.share_id FROM community c JOIN share s USING (community_id)")
    task_id = await tasks.add(
        connection, community_id=community, owner_id=world.who.user_id, share_id=share, name=name, priority=1, parent_task_id=None, document={}, who="test"
    )
    assert task_id is not None
    made = await units.add_task_dataset(connection, task_id, dataset_ids[0], "input", "data", is_master=True)
    if len(dataset_ids) > 1:
        await listing.add_sources(connection, made, [(f"user.ada:d{n}", dataset_id) for n, dataset_id in enumerate(dataset_ids)])
    return task_id, made


def choice(spec: InputSpec) -> Choice:
    """A selection as the store takes it."""
    return Choice(
        [as_regex(p) for p in spec.include], [as_regex(p) for p in spec.exclude], spec.names, spec.skip, spec.max_files, spec.max_events, spec.order,
        spec.events_per_file,
    )  # fmt: skip


async def rows(connection: Connection, task_dataset_id: int) -> list[Any]:
    """The units of an input in their order."""
    return list(await connection.fetch(
        "SELECT u.number, f.name, u.first_event, u.n_events, u.boundary FROM task_file u JOIN file f USING (file_id) WHERE u.task_dataset_id = $1 ORDER BY 1",
        task_dataset_id,
    ))  # fmt: skip


def some_files(random: Random, n: int, prefix: str) -> list[Candidate]:
    """Files of all kinds; a few have names that other datasets have, too."""
    return [
        Candidate(f"{random.choice(['both', prefix])}.{i:03d}.{random.choice(['root', 'log'])}", random.randrange(5), random.choice([None, 0, 7, 1000]))
        for i in range(n)
    ]


def some_spec(random: Random, names: list[str]) -> InputSpec:
    """A random selection."""
    given: dict[str, Any] = {
        "include": random.choice([(), ("*.root",), ("a.0?1.*", "both*"), ("[ab]*",)]), "exclude": random.choice([(), ("*.log",), ("*[!0-4].root",)]),
        "names": random.choice([(), (), tuple(random.sample(names, 5))]), "skip": random.choice([0, 0, 3, 1000]), "max_files": random.choice([None, None, 4]),
        "max_events": random.choice([None, None, 1, 2500]), "order": random.choice(["listed", "name", "size", "events"]),
        "events_per_file": random.choice([None, 10]),
    }  # fmt: skip
    return InputSpec(dataset="user.ada:x", **given)


@pytest.mark.parametrize("seed", range(3))
async def test_the_database_chooses_as_the_pure_rules_do(world: World, seed: int) -> None:
    random = Random(seed)
    async with world.pool.acquire() as connection:
        sets = [some_files(random, 40, prefix) for prefix in ("a", "b")]
        ids = [await dataset(world, connection, f"d{n}", files) for n, files in enumerate(sets)]
        for n in range(40):
            spec = some_spec(random, [file.name for files in sets for file in files])
            used = ids[: random.choice([1, 2])]
            task_id, made = await an_input(world, connection, used, f"t{n}")
            expected = selected([file for files in sets[: len(used)] for file in files], spec)
            found = await listing.new_secondary_files(connection, made, choice(spec))
            assert [file.name for file in found] == [file.name for file in expected], spec
            half = found[: len(found) // 2]
            await splitting.number_files(connection, made, [file.file_id for file in half])
            assert await listing.new_secondary_files(connection, made, choice(spec)) == found[len(half) :], spec
            done = await listing.list_files(connection, task_id, made, choice(spec), Cut(3))
            assert [(r["name"], r["n_events"]) for r in await rows(connection, made)] == [(file.name, file.events) for file in expected], spec
            assert (done.n_units, done.is_complete) == (len(expected), False)
            assert done.n_unknown == sum(file.events is None for file in expected)


@pytest.mark.parametrize("seed", range(3))
async def test_a_growing_input_is_listed_once_and_up_to_its_limits(world: World, seed: int) -> None:
    """Whatever the order in which files come: as many units as one listing at the end would make, no file twice."""
    random = Random(seed)
    async with world.pool.acquire() as connection:
        for n in range(20):
            spec = some_spec(random, ["none"] * 5)
            spec = InputSpec(dataset="user.ada:x", include=spec.include, skip=spec.skip, max_files=spec.max_files, order=spec.order)
            files = some_files(random, 30, "a")
            dataset_id = await dataset(world, connection, f"d{n}")
            task_id, made = await an_input(world, connection, [dataset_id], f"t{n}")
            for start in range(0, 30, 10):
                await add(connection, dataset_id, files[start : start + 10])
                await listing.list_files(connection, task_id, made, choice(spec), Cut(3))
            found = [r["name"] for r in await rows(connection, made)]
            assert len(found) == len(set(found)) == len(selected(files, spec))
            assert [r["number"] for r in await rows(connection, made)] == list(range(1, len(found) + 1))
            (row,) = await connection.fetch("SELECT n_listed, n_seen, is_complete FROM task_dataset WHERE task_dataset_id = $1", made)
            assert tuple(row) == (len(found), 30, False)
            await connection.execute("UPDATE dataset SET is_open = false, closed_at = now() WHERE dataset_id = $1", dataset_id)
            assert (await listing.list_files(connection, task_id, made, choice(spec), Cut(3)))[:2] == (0, True)


async def test_files_with_many_events_are_cut_and_every_event_is_covered_once(world: World) -> None:
    files = [Candidate("a", 1, 2500), Candidate("b", 1, 1000), Candidate("c", 1, None), Candidate("d", 1, 0), Candidate("e", 1, 3000)]
    async with world.pool.acquire() as connection:
        dataset_id = await dataset(world, connection, "d", files)
        task_id, made = await an_input(world, connection, [dataset_id])
        done = await listing.list_files(connection, task_id, made, Choice(events_per_file=10, max_events=4500), Cut(3, events_per_unit=1000), grows=False)
        assert [tuple(r)[1:4] for r in await rows(connection, made)] == [
            ("a", 0, 1000), ("a", 1000, 1000), ("a", 2000, 500), ("b", None, 1000), ("c", None, 10), ("d", None, 0), ("e", 0, 990),
        ]  # fmt: skip
        assert done == (7, True, 5, 0, None)
        assert await connection.fetchval("SELECT n_events FROM task_dataset WHERE task_dataset_id = $1", made) == 4500
        assert await connection.fetchval("SELECT sum(to_number - from_number + 1) FROM task_range WHERE task_id = $1", task_id) == 7


async def test_files_without_known_events_are_told(world: World) -> None:
    async with world.pool.acquire() as connection:
        dataset_id = await dataset(world, connection, "d", [Candidate("a", 1, 5), Candidate("c"), Candidate("b")])
        task_id, made = await an_input(world, connection, [dataset_id])
        done = await listing.list_files(connection, task_id, made, Choice(), Cut(3, events_per_unit=1000))
        assert (done.n_unknown, done.unknown) == (2, "b")


@pytest.mark.parametrize("spec", [BoundarySpec(name_field=2, separator="_"), BoundarySpec(attribute="boundary"), None])
async def test_units_of_a_group_stand_together(world: World, spec: BoundarySpec | None) -> None:
    random = Random(5)
    files = [Candidate(f"x_{random.choice('abc')}_{i}" if i % 9 else f"plain{i}") for i in range(40)]
    async with world.pool.acquire() as connection:
        dataset_id = await dataset(world, connection, "d", files[:20], "run1")
        await add(connection, dataset_id, files[20:])
        task_id, made = await an_input(world, connection, [dataset_id])
        cut = Cut(3, name_field=spec.name_field if spec else None, separator=spec.separator if spec else ".", by_attribute=bool(spec and spec.attribute))
        await listing.list_files(connection, task_id, made, Choice(), cut)
        found = await rows(connection, made)
    attributes = {file.name: "run1" if n < 20 else None for n, file in enumerate(files)}
    assert [r["boundary"] for r in found] == [group(r["name"], attributes[r["name"]], spec) for r in found]
    groups = [r["boundary"] for r in found]
    assert groups == sorted(groups, key=str)
    assert sorted(r["name"] for r in found) == sorted(attributes)


async def test_random_order_is_another_one_and_stays(world: World) -> None:
    async with world.pool.acquire() as connection:
        dataset_id = await dataset(world, connection, "d", [Candidate(f"f{i:03d}") for i in range(100)])
        _, made = await an_input(world, connection, [dataset_id])
        found = [file.name for file in await listing.new_secondary_files(connection, made, Choice(sorting="random"))]
        assert found != sorted(found)
        assert sorted(found) == [f"f{i:03d}" for i in range(100)]
        assert found == [file.name for file in await listing.new_secondary_files(connection, made, Choice(sorting="random"))]
