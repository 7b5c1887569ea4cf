"""Tasks are cut into jobs by every option, against the real database: every input is in one job that counts, and no limit is broken, also when jobs fail."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pandawms.engine.broker.step import step as broker
from pandawms.engine.define.step import step as define
from pandawms.engine.generate.step import step as generate
from pandawms.store import catalogue, events, identity, lists, places
from pandawms.store.catalogue import NewFile
from tests.engine import invariants
from tests.engine.play import FAILED, add_dataset, add_files, close_dataset, ended, hot, rows, run_with, unit_statuses, value
from tests.world import World

MB = 1 << 20
SEVEN: dict[str, Any] = {"program": {"command": "cat %IN > %OUT"}, "inputs": {"in": {"dataset": "user.ada:in"}}, "split": {}, "scouts": {"jobs": 0}}


async def add_sized(world: World, files: Sequence[tuple[str, int, int | None]], name: str = "in") -> int:
    """A closed dataset user.ada:name of files (name, MB, events)."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        made = await catalogue.add_dataset(connection, community_id=community_id, owner_id=world.who.user_id, scope="user.ada", name=name)
        assert made is not None
        await events.log(connection, "dataset", made, "create", None, "open", "test")
        new = [NewFile(file, uuid4(), mb * MB, b"\0\0\0\1", n_events) for file, mb, n_events in files]
        await catalogue.add_files(connection, made, "user.ada", new, world.endpoint_id)
    await close_dataset(world, made)
    return made


async def seven(world: World) -> int:
    """Seven files of 10 MB and 100 events each, named a to g."""
    return await add_sized(world, [(name, 10, 100) for name in "abcdefg"])


async def jobs(world: World, task_id: int, stream: str = "in") -> list[str]:
    """The names of the files of one input of each job, in the order of the jobs' first units, as one word a job."""
    found = await rows(
        world,
        """SELECT s.serial, s.attempt, string_agg(f.name, '' ORDER BY jf.n) AS names FROM job_spec s JOIN job_file jf USING (job_id)
        JOIN task_dataset td USING (task_dataset_id) LEFT JOIN file f ON f.file_id = jf.file_id
        WHERE s.task_id = $1 AND jf.role = 'input' AND td.stream = $2 AND s.kind = 'run' GROUP BY s.job_id, s.serial, s.attempt ORDER BY s.serial, s.attempt""",
        task_id, stream,
    )  # fmt: skip
    return [row["names"] for row in found]


OPTIONS: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({}, {}, ["a", "b", "c", "d", "e", "f", "g"]),
    ({"files_per_job": 3}, {}, ["abc", "def", "g"]),
    ({"max_files_per_job": 4, "mb_per_job": 1000}, {}, ["abcd", "efg"]),
    ({"events_per_job": 250}, {}, ["ab", "cd", "ef", "g"]),
    ({"mb_per_job": 30}, {}, ["abc", "def", "g"]),
    ({"mb_per_job": 35}, {"output_mb_per_input_mb": 0.5, "work_mb": 5}, ["ab", "cd", "ef", "g"]),
    ({"n_jobs": 3}, {}, ["abc", "de", "fg"]),
    ({"output_mb_per_job": 20}, {"output_mb_per_event": 0.05}, ["abcd", "efg"]),
    ({"wall_seconds_per_job": 3000}, {"base_seconds": 100, "wall_seconds_per_event": 10}, ["ab", "cd", "ef", "g"]),
    ({"files_per_job": 2, "mb_per_job": 15}, {}, ["a", "b", "c", "d", "e", "f", "g"]),
]


async def test_every_option_cuts_as_it_says(world: World) -> None:
    await seven(world)
    tasks = [await world.submit(**SEVEN | {"name": f"t{n}", "split": split, "resources": needs}) for n, (split, needs, _) in enumerate(OPTIONS)]
    ran = await world.run_all()
    for task_id, (split, _, expected) in zip(tasks, OPTIONS, strict=True):
        assert await jobs(world, task_id) == expected, split
        assert sorted(file.name for job in ran for file in job.inputs if job.task_id == task_id) == list("abcdefg")
        assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_jobs_that_fail_are_cut_smaller_and_every_file_is_done_once(world: World) -> None:
    await seven(world)
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 4}})
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    await rows(world, "UPDATE task_file SET units_per_job = 1 WHERE job_id = $1", first.job_id)
    ran = await world.run_all()
    assert await jobs(world, task_id) == ["abcd", "a", "b", "c", "d", "efg"]
    assert sorted(file.name for job in ran for file in job.inputs) == list("abcdefg")
    names = [output.name for job in (first, *ran) for output in job.outputs]
    assert len(set(names)) == len(names), "no attempt writes a name of another"
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"finished": 5, "failed": 1})
    await invariants.check(world)


async def test_units_that_need_more_memory_share_no_job_with_others_and_are_given_it(world: World) -> None:
    await seven(world)
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 7}})
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    await rows(world, "UPDATE task_file SET memory_mb = 3000 WHERE number IN (3, 4)")
    await world.settle()
    asked = await rows(world, "SELECT s.serial, r.memory_mb FROM job j JOIN job_spec s USING (job_id) JOIN requirement r USING (requirement_id) ORDER BY 1")
    assert [tuple(row) for row in asked] == [(1, 1000), (3, 3000), (5, 1000)]
    await world.run_all()
    assert await jobs(world, task_id) == ["abcdefg", "ab", "cd", "efg"]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_what_a_job_is_foreseen_to_need_is_what_it_asks_for(world: World) -> None:
    await seven(world)
    await world.submit(**SEVEN | {"split": {"files_per_job": 7}, "resources": {"wall_seconds_per_event": 10, "output_mb_per_input_mb": 30}})
    await world.settle()
    need = (await rows(world, "SELECT r.* FROM job JOIN requirement r USING (requirement_id)"))[0]
    assert 7000 <= need["wall_seconds"] <= 7000 * 9 / 8
    assert 70 * 31 <= need["disk_mb"] <= 70 * 31 * 9 / 8


async def test_an_open_input_is_cut_into_whole_jobs_until_it_is_closed(world: World) -> None:
    dataset_id = await add_dataset(world, 5, is_open=True)
    task_id = await world.submit(**SEVEN | {"split": {"events_per_job": 30}})
    await world.settle()
    assert await hot(world, task_id) == {"activated": 1}
    assert (await value(world, "SELECT reason ->> 'code' FROM task")) == "input.growing"
    await add_files(world, dataset_id, 2, first=5)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 2}
    await close_dataset(world, dataset_id)
    ran = await world.run_all()
    assert [len(job.inputs) for job in ran] == [3, 3, 1]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_another_attempt_does_not_wait_for_more_input(world: World) -> None:
    await add_dataset(world, 3, is_open=True)
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 3}})
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    await rows(world, "UPDATE task_file SET units_per_job = 2 WHERE job_id = $1", first.job_id)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 2}


async def test_equal_parts_wait_until_the_whole_input_is_known(world: World) -> None:
    dataset_id = await add_dataset(world, 5, is_open=True)
    task_id = await world.submit(**SEVEN | {"split": {"n_jobs": 2}})
    await world.settle()
    assert await hot(world, task_id) == {}
    assert (await value(world, "SELECT reason ->> 'code' FROM task")) == "input.growing"
    await close_dataset(world, dataset_id)
    await world.run_all()
    assert await ended(world, task_id) == {"finished": 2}


async def test_what_max_jobs_leaves_over_is_no_input_of_the_task(world: World) -> None:
    await seven(world)
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 2, "max_jobs": 2}})
    ran = await run_with(world, {("run", 1): FAILED}, most=1)
    ran += await world.run_all()
    assert await jobs(world, task_id) == ["ab", "ab", "cd"]
    assert await unit_statuses(world, task_id) == {"finished": 4, "removed": 3}
    assert await world.status(task_id) == "done"
    assert (await world.progress(task_id)).n_listed == 4
    await invariants.check(world)


async def test_files_are_cut_by_events_and_no_job_mixes_their_pieces(world: World) -> None:
    await add_sized(world, [("a", 10, 100), ("b", 10, 40), ("c", 10, 30)])
    task_id = await world.submit(**SEVEN | {"split": {"events_per_job": 40}, "program": {"command": "read %IN > %OUT"}})
    ran = await run_with(world, {("run", 2): FAILED}, most=2)
    ran += await world.run_all()
    asked = sorted((job.traits.serial or 0, job.attempt, job.inputs[0].name, job.traits.first_event, job.traits.n_events) for job in ran)
    assert asked == [
        (1, 1, "a", 0, 40), (2, 1, "a", 40, 40), (2, 2, "a", 40, 40), (3, 1, "a", 80, 20), (4, 1, "b", None, 40), (5, 1, "c", None, 30),
    ]  # fmt: skip
    assert (await world.status(task_id), (await world.progress(task_id)).n_events_finished) == ("done", 170)
    await invariants.check(world)


GROUPED = [("x.1", 10, 10), ("y.1", 10, 10), ("x.2", 10, 10), ("y.2", 10, 10), ("x.3", 10, 10)]


GROUPS: list[tuple[dict[str, Any], list[str]]] = [
    ({"boundary": {"name_field": 1}}, ["x.1x.2x.3", "y.1y.2"]),
    ({"boundary": {"name_field": 1}, "files_per_job": 2}, ["x.1x.2", "x.3", "y.1y.2"]),
    ({"boundary": {"name_field": 1, "one_job_per_group": True}}, ["x.1x.2x.3", "y.1y.2"]),
]


async def test_no_job_has_files_of_two_groups(world: World) -> None:
    await add_sized(world, GROUPED)
    for n, (split, expected) in enumerate(GROUPS):
        task_id = await world.submit(**SEVEN | {"name": f"t{n}", "split": split})
        await run_with(world, {("run", 1): FAILED}, most=1)
        await world.run_all()
        assert await jobs(world, task_id) == [expected[0], *expected]
        assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_serials_and_seeds_begin_where_the_task_says(world: World) -> None:
    await world.submit(split={"events_per_job": 5, "first_serial": 41, "seed_offset": 7})
    ran = await world.run_all()
    assert [job.traits.serial for job in ran] == [41, 42]
    assert [job.outputs[0].name for job in ran] == ["t.out.000041.1.txt", "t.out.000042.1.txt"]
    plain = {job.traits.serial: job.traits.seed for job in ran}
    task_id = ran[0].task_id
    assert plain == {serial: (task_id * 1_000_003 + serial + 7) % 900_000_000 + 1 for serial in (41, 42)}


async def add_queue(world: World, name: str, **changes: Any) -> int:
    """Another queue beside `local`, with larger slots."""
    async with world.pool.acquire() as connection, connection.transaction():
        community_id = await identity.ensure_community(connection, "local")
        site_id = await places.ensure_site(connection, "here")
        given: dict[str, Any] = {"cores": 1, "memory_mb": 8000, "disk_mb": 100_000, "max_wall_seconds": 86_400, "slots": 1} | changes
        queue_id, _ = await places.put_queue(connection, community_id, site_id, name, architecture="x86_64", **given)
        await places.put_queue_storage(connection, queue_id, world.endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
        return queue_id


async def test_a_file_that_no_queue_can_hold_has_failed_and_says_why(world: World) -> None:
    await add_sized(world, [("a", 10, 1), ("b", 20_000, 1), ("c", 10, 1)])
    task_id = await world.submit(**SEVEN)
    await world.run_all()
    assert await jobs(world, task_id) == ["a", "c"]
    reason = await value(world, "SELECT reason FROM task_file WHERE number = 2")
    assert (reason["code"], reason["limit"], reason["value"]) == ("split.queue_disk", 10_000, 20_000)
    async with world.pool.acquire() as connection:
        listed = await lists.page(connection, lists.UNITS, {"task_id": task_id}, None, 10, 10)
    assert [unit.reason for unit in listed] == [None, reason, None]
    assert await world.status(task_id) == "finished"
    await invariants.check(world)


async def test_a_file_that_is_too_large_for_one_queue_goes_to_another(world: World) -> None:
    big = await add_queue(world, "big")
    await add_sized(world, [("a", 20_000, 1), ("b", 20_000, 1)])
    task_id = await world.submit(**SEVEN)
    await world.settle()
    await world.settle()
    assert await jobs(world, task_id) == ["a", "b"]
    assert [row["queue_id"] for row in await rows(world, "SELECT queue_id FROM job")] == [big, big]


async def test_jobs_are_sized_to_their_queue_and_two_queues_share_a_task(world: World) -> None:
    await add_queue(world, "big", disk_mb=40)
    await rows(world, "UPDATE queue SET disk_mb = 20 WHERE name = 'local'")
    await add_sized(world, [(f"f{n:02d}", 10, 1) for n in range(40)])
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 10}, "resources": {"disk_mb": 1}})
    await world.settle()
    sizes = await rows(world, "SELECT q.name, count(*) AS n FROM job j JOIN queue q USING (queue_id) JOIN job_file USING (job_id) GROUP BY q.name, j.job_id")
    assert {row["name"] for row in sizes} == {"local", "big"}
    assert max(row["n"] for row in sizes if row["name"] == "local") == 2
    assert max(row["n"] for row in sizes if row["name"] == "big") == 4
    assert sum(row["n"] for row in sizes) == 40
    assert await value(world, "SELECT count(DISTINCT task_file_id) FROM job_file WHERE task_id = $1", task_id) == 40


async def test_no_job_is_cut_short_by_the_size_of_a_step(world: World) -> None:
    await rows(world, "UPDATE queue SET disk_mb = 20")
    await add_sized(world, [(name, 10, 1) for name in "abcdefghi"])
    task_id = await world.submit(**SEVEN | {"split": {"files_per_job": 3}, "resources": {"disk_mb": 1}})
    small = replace(world, services=replace(world.services, options=replace(world.services.options, units_per_step=3)))
    await small.settle()
    assert await jobs(world, task_id) == ["ab", "cd", "ef", "gh", "i"]


async def test_many_small_and_large_files_are_all_done_once_whatever_fails(world: World) -> None:
    files = [(f"f{n:03d}", n * 7 % 23, n * 11 % 17) for n in range(120)]
    await add_sized(world, files)
    task_id = await world.submit(**SEVEN | {"split": {"mb_per_job": 40, "max_files_per_job": 6}, "retry": {"max_attempts": 4}})
    await world.settle()
    done: list[str] = []
    n = 0
    while claimed := await world.claim():
        n += 1
        if n % 3 == 0 and claimed[0].attempt < 4:
            await world.report(claimed[0], FAILED)
            await rows(world, "UPDATE task_file SET units_per_job = $2 WHERE job_id = $1", claimed[0].job_id, 1 + n % 4)
        else:
            await world.report(claimed[0])
            done += [file.name for file in claimed[0].inputs]
        await world.settle()
    assert sorted(done) == [name for name, _, _ in files]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


SCOUTED: dict[str, Any] = {"inputs": {"events": {"count": 30}}, "split": {"events_per_job": 1}, "scouts": {"jobs": 4, "from_jobs": 20}}


async def test_only_scouts_are_made_until_they_are_judged(world: World) -> None:
    task_id = await world.submit(**SCOUTED)
    await world.settle()
    assert (await world.status(task_id), await hot(world, task_id)) == ("scouting", {"activated": 4})
    assert (await value(world, "SELECT reason ->> 'code' FROM task")) == "scouts.running"
    (first,) = await world.claim()
    await world.report(first, FAILED)
    await world.settle()
    again = await rows(world, "SELECT s.serial, s.attempt FROM job JOIN job_spec s USING (job_id) WHERE job.task_id = $1 ORDER BY 1", task_id)
    assert [tuple(row) for row in again] == [(1, 2), (2, 1), (3, 1), (4, 1)], "the failed one is replaced, nothing else is made"
    for _ in range(4):
        (job,) = await world.claim()
        await world.report(job)
        await world.settle()
    assert await world.status(task_id) == "running"
    assert await hot(world, task_id) == {"activated": 26}
    await world.run_all()
    assert (await world.status(task_id), await ended(world, task_id)) == ("done", {"finished": 30, "failed": 1})
    await invariants.check(world)


async def test_more_scouts_than_asked_for_are_never_made_however_much_a_queue_was_given(world: World) -> None:
    task_id = await world.submit(**SCOUTED)
    await define(world.pool, world.services)
    await broker(world.pool, world.services)
    await rows(world, "UPDATE allocation SET quota = 30")
    await generate(world.pool, world.services)
    assert await hot(world, task_id) == {"defined": 4}


async def test_a_task_of_few_jobs_or_without_scouts_starts_with_all_of_them(world: World) -> None:
    few = await world.submit(**SCOUTED | {"name": "few", "scouts": {"jobs": 4, "from_jobs": 31}})
    none = await world.submit(**SCOUTED | {"name": "none", "scouts": {"jobs": 0, "from_jobs": 2}})
    await world.settle()
    assert [await world.status(task_id) for task_id in (few, none)] == ["running", "running"]
    assert [await hot(world, task_id) for task_id in (few, none)] == [{"activated": 30}] * 2


WHOLE_GROUPS: dict[str, Any] = {"split": {"boundary": {"name_field": 1, "one_job_per_group": True}}}


async def test_a_group_is_one_job_though_its_files_came_at_several_times(world: World) -> None:
    dataset_id = await add_dataset(world, 0, is_open=True)
    task_id = await world.submit(**SEVEN | WHOLE_GROUPS)
    for names in (["x.1", "y.1"], ["x.2"], ["y.2", "x.3"]):
        await add_named(world, dataset_id, names)
        await world.settle()
    assert (await value(world, "SELECT count(*) FROM task_file"), await define(world.pool, world.services)) == (0, 0)
    await close_dataset(world, dataset_id)
    await world.run_all()
    assert (await jobs(world, task_id), await world.status(task_id)) == (["x.1x.2x.3", "y.1y.2"], "done")
    await invariants.check(world)


async def test_a_group_of_more_files_than_any_window_fails_whole_and_the_others_run(world: World) -> None:
    await add_named(world, await add_dataset(world, 0), [f"x.{n}" for n in range(15_001)] + ["a.1", "z.1", "z.2"])
    task_id = await world.submit(**SEVEN | WHOLE_GROUPS | {"goal": {"on_miss": "finish"}})
    await world.run_all()
    assert await jobs(world, task_id) == ["a.1", "z.1z.2"]
    found = await rows(world, "SELECT DISTINCT reason ->> 'code' AS code, reason ->> 'limit' AS most FROM task_file WHERE status = 'failed'")
    assert [tuple(row) for row in found] == [("split.all_files", "10000")]
    assert (await unit_statuses(world, task_id), await world.status(task_id)) == ({"failed": 15_001, "finished": 3}, "finished")
    await invariants.check(world)


async def add_named(world: World, dataset_id: int, names: Sequence[str]) -> None:
    """Adds files of these names."""
    async with world.pool.acquire() as connection, connection.transaction():
        new = [NewFile(name, uuid4(), 10, b"\0\0\0\1", 10) for name in names]
        await catalogue.add_files(connection, dataset_id, "user.ada", new, world.endpoint_id)
