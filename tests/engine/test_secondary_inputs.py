"""Files of secondary inputs go along with the jobs: the same ones in every attempt, and none lacks without a reason."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from pandawms.engine.define.step import step as define
from pandawms.store.database import Options, open_pool
from tests.conftest import Database
from tests.engine import invariants
from tests.engine.play import FAILED, add_dataset, add_files, close_dataset, hot, rows, value
from tests.engine.test_races import another
from tests.engine.test_splitting import add_sized, jobs, seven
from tests.world import World


def with_secondary(**told: Any) -> dict[str, Any]:
    """A task over seven files, two a job, with a secondary input."""
    return {
        "program": {"command": "mix %IN with %{extra:comma} > %OUT"}, "scouts": {"jobs": 0}, "split": {"files_per_job": 2},
        "inputs": {"in": {"dataset": "user.ada:in"}, "extra": {"dataset": "user.ada:extra"} | told},
    }  # fmt: skip


async def extra(world: World, n: int) -> None:
    """A closed dataset of n files of 1 MB, named 1, 2, …"""
    await add_sized(world, [(str(number), 1, 1) for number in range(1, n + 1)], name="extra")


@pytest.mark.parametrize(
    ("told", "n", "expected"),
    [
        ({"whole": True}, 3, ["123", "123", "123", "123"]),
        ({"per_job": 2}, 8, ["12", "34", "56", "78"]),
        ({"per_job": 2, "reuse": True}, 3, ["12", "31", "23", "12"]),
        ({"ratio": 1}, 7, ["12", "34", "56", "7"]),
        ({"ratio": 0.5}, 4, ["1", "2", "3", "4"]),
        ({"ratio": 1, "reuse": True}, 3, ["12", "13", "23", "1"]),
    ],
)
async def test_files_go_along_as_the_task_says(world: World, told: dict[str, Any], n: int, expected: list[str]) -> None:
    await seven(world)
    await extra(world, n)
    task_id = await world.submit(**with_secondary(**told))
    ran = await world.run_all()
    assert await jobs(world, task_id) == ["ab", "cd", "ef", "g"]
    assert await jobs(world, task_id, "extra") == expected
    assert [job.command for job in ran] == [f"mix {' '.join(a)} with {','.join(b)} > out.txt" for a, b in zip(["ab", "cd", "ef", "g"], expected, strict=True)]
    assert [file.stream for file in ran[0].inputs] == ["in", "in", *["extra"] * len(expected[0])]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


@pytest.mark.parametrize("told", [{"whole": True}, {"per_job": 2}, {"ratio": 1}])
async def test_another_attempt_has_the_same_files(world: World, told: dict[str, Any]) -> None:
    await seven(world)
    await extra(world, 9)
    task_id = await world.submit(**with_secondary(**told))
    await world.settle()
    (first,) = await world.claim()
    await world.report(first, FAILED)
    await world.run_all()
    before, again = (await jobs(world, task_id, "extra"))[:2]
    assert before == again
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_units_for_which_no_files_are_left_have_failed_and_say_why(world: World) -> None:
    await seven(world)
    await extra(world, 4)
    task_id = await world.submit(**with_secondary(per_job=2))
    await world.run_all()
    assert await jobs(world, task_id, "extra") == ["12", "34"]
    assert {row["code"] for row in await rows(world, "SELECT reason ->> 'code' AS code FROM task_file WHERE status = 'failed'")} == {"secondary.exhausted"}
    assert (await world.status(task_id), (await world.progress(task_id)).n_failed) == ("finished", 3)
    await invariants.check(world)


async def test_jobs_wait_for_more_files_of_a_secondary_input_that_grows(world: World) -> None:
    await seven(world)
    dataset_id = await add_dataset(world, 3, "extra", is_open=True)
    task_id = await world.submit(**with_secondary(per_job=2))
    await world.settle()
    assert await hot(world, task_id) == {"activated": 1}
    assert await value(world, "SELECT reason ->> 'code' FROM task") == "secondary.growing"
    await add_files(world, dataset_id, 5, first=3)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 4}
    await close_dataset(world, dataset_id)
    await world.run_all()
    given = await rows(world, "SELECT f.name FROM job_file jf JOIN file f USING (file_id) WHERE f.dataset_id = $1 ORDER BY jf.job_id, jf.n", dataset_id)
    assert [row["name"] for row in given] == [f"f{n:06d}" for n in range(8)]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_engines_that_work_at_once_give_every_unit_to_one_job_and_no_file_twice(world: World, database: Database) -> None:
    await add_sized(world, [(f"f{n:03d}", n * 7 % 23, None) for n in range(150)])
    await extra(world, 200)
    document = with_secondary(per_job=1) | {"split": {"mb_per_job": 60, "max_files_per_job": 6}}
    task_id = await world.submit(**document)
    await define(world.pool, world.services)
    await rows(world, "UPDATE task_file SET is_ranged = false")
    await rows(world, "DELETE FROM task_range")  # units in no range are passed over where others hold them: parts are cut beside each other
    async with open_pool(Options(database.url, max_connections=8), "test") as pool:
        small = replace(world, services=replace(world.services, options=replace(world.services.options, units_per_step=10)))
        await asyncio.gather(*(engine.settle() for engine in (small, another(small, pool), another(small, pool))))
    await world.settle()
    assert await value(world, "SELECT count(DISTINCT task_file_id) = 150 AND count(task_file_id) = 150 FROM job_file WHERE task_id = $1", task_id)
    given = await rows(world, "SELECT file_id FROM job_file WHERE task_id = $1 AND task_file_id IS NULL", task_id)
    n_jobs = await value(world, "SELECT count(*) FROM job WHERE task_id = $1", task_id)
    assert len({row["file_id"] for row in given}) == len(given) == n_jobs == await value(world, "SELECT max(n_given) FROM task_dataset")
    await invariants.check(world)


async def test_the_whole_of_an_input_is_waited_for(world: World) -> None:
    await seven(world)
    dataset_id = await add_dataset(world, 2, "extra", is_open=True)
    task_id = await world.submit(**with_secondary(whole=True))
    await world.settle()
    assert await hot(world, task_id) == {}
    await close_dataset(world, dataset_id)
    await world.settle()
    assert await hot(world, task_id) == {"activated": 4}


async def test_events_have_files_going_along_too(world: World) -> None:
    await extra(world, 5)
    task_id = await world.submit(
        program={"command": "mix %FIRST_EVENT %{extra} > %OUT"}, inputs={"in": {"count": 10}, "extra": {"dataset": "user.ada:extra", "per_job": 1}},
    )  # fmt: skip
    ran = await world.run_all()
    assert [job.command for job in ran] == [f"mix {1 + 2 * n} {n + 1} > out.txt" for n in range(5)]
    assert await world.status(task_id) == "done"
    await invariants.check(world)


async def test_an_empty_input_is_no_word_in_the_command(world: World) -> None:
    await seven(world)
    dataset_id = await add_dataset(world, 0, "extra", is_open=True)
    await world.submit(**with_secondary(whole=True, may_be_empty=True))
    await close_dataset(world, dataset_id)
    await world.settle()
    (job,) = await world.claim()
    assert job.command == "mix a b with '' > out.txt"
