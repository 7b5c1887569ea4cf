"""Any document: it is refused with the field and what would be right, or its task runs to a verdict. None hangs, and none fails inside the engine.

A third of the documents is drawn from the strategy of the document's own tests, mostly of the right types and mostly contradictory; the others make sense but
for a few parts of such a one. Sizes are cut down so that a task has few jobs, names are those that are there. `PANDA_TEST_RANDOM_DOCUMENTS` is how many
(`make soak`).
"""

import json
import os
import random
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from structlog.testing import capture_logs

from pandawms.domain.errors import Conflict, Invalid, NotFound, PandaError
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.submission import submit
from pandawms.store import commands, events, identity, places
from pandawms.wire.checks import decode_document
from pandawms.wire.pilot.claim import ClaimRequest, JobSpec
from tests.engine import invariants, inventing
from tests.engine.machine import Clock
from tests.engine.play import FAILED, HOPELESS, add_dataset, rows, watch
from tests.unit.wire.documents import documents
from tests.world import World, task

DOCUMENTS = int(os.environ.get("PANDA_TEST_RANDOM_DOCUMENTS", "30"))
AT_ONCE = 30
ROUNDS = 60
"""Within so many rounds of engine, pilots and clock a task must have ended, or say what it waits for."""
MOST = 40
"""Events or pieces of an input, at most."""
GRAFTED = ("split", "resources", "outputs", "merge", "build", "scouts", "goal", "retry", "queues", "exclude_queues", "expires_after_seconds")
SELECTION = ("include", "exclude", "names", "skip", "max_files", "max_events", "order", "events_per_file", "grow", "may_be_empty", "if_missing")
WAITS = {"input.missing", "goal_missed", "parent_incomplete", "scouts.failed"}
"""Codes (or rules) of reasons for which a task may stand still: a dataset that nobody makes, and what a person has to decide."""


@cache
def drawn(n: int) -> list[dict[str, Any]]:
    """The first n documents of the strategy, always the same ones."""
    found: list[dict[str, Any]] = []

    @settings(max_examples=n, database=None, derandomize=True, phases=[Phase.generate], deadline=None, suppress_health_check=list(HealthCheck))
    @given(documents())
    def collect(document: dict[str, Any]) -> None:
        found.append(document)

    collect()
    return found


def grafted(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A document that makes sense, with a few parts of a random one in it: near the border between what is right and what is not."""
    found = task(**inventing.document(chance, "t", "user.ada:x", "user.ada:y", ["z-evgen"]))
    if "task" in found["inputs"].get("in", {}):
        found["inputs"]["in"]["output"] = "muons"
    for key in chance.sample(GRAFTED, chance.randint(1, 3)):
        if isinstance(document.get(key), dict):
            found[key] = found.get(key, {}) | document[key] if chance.random() < 0.5 else document[key]
        elif key in document:
            found[key] = document[key]
    stream, spec = next(iter(found["inputs"].items()))
    if chance.random() < 0.5 and isinstance(document.get("inputs"), dict) and document["inputs"]:
        other = next(iter(document["inputs"].values()))
        chosen = {key: other[key] for key in SELECTION if key in other} if isinstance(other, dict) else {}
        found["inputs"][stream] = spec | dict(chance.sample(sorted(chosen.items()), min(len(chosen), 2)))
    return found


def adapted(document: dict[str, Any], n: int) -> dict[str, Any]:
    """The document as a client would send it, with a name of its own, few jobs, and datasets that are there (but for those of user.you)."""
    found: dict[str, Any] = json.loads(json.dumps(document).replace("user.me:", "user.ada:"))
    if found.get("name") in ("t", "z-evgen"):
        found["name"] = f"d{n}"
    if isinstance(found.get("program"), dict):
        found["program"] = {key: value for key, value in found["program"].items() if key == "command" or (key == "sandbox" and n % 10 == 0)}
    for spec in found["inputs"].values() if isinstance(found.get("inputs"), dict) else ():
        if isinstance(spec, dict):
            _adapt_input(spec)
    return found


def _adapt_input(spec: dict[str, Any]) -> None:
    if spec.pop("files", None) is not None:
        spec["dataset"] = "user.ada:x"
    for key in ("count", "pieces"):
        if isinstance(spec.get(key), int):
            spec[key] = min(spec[key], MOST)


async def prepare(world: World) -> list[World]:
    """Makes two large queues, q and r, the datasets user.ada:x and y, and a task z-evgen whose output can be read; returns the servers of all queues."""
    await add_dataset(world, 7, "x")
    await add_dataset(world, 3, "y")
    await world.submit(name="z-evgen", outputs={"muons": "m.root"})
    await world.run_all()
    found = [world]
    async with world.pool.acquire() as connection, connection.transaction():
        community_id, site_id = await identity.ensure_community(connection, "local"), await places.ensure_site(connection, "here")
        for name in ("q", "r"):
            queue_id, _ = await places.put_queue(
                connection, community_id, site_id, name, cores=8, memory_mb=2_000_000, disk_mb=2_000_000, max_wall_seconds=2_592_000,
                architecture="x86_64", slots=100, nodes=2, gpus=2, gpu_model="NVIDIA A100", gpu_memory_mb=80_000,
            )  # fmt: skip
            await places.put_queue_storage(connection, queue_id, world.endpoint_id, 1, 1)
            await events.log(connection, "queue", queue_id, "add", None, "online", "test")
            found.append(replace(world, queue_id=queue_id))
    return found


async def submitted(world: World, document: dict[str, Any]) -> int | PandaError:
    """Submits a document; a refusal names the field, and what is allowed or would help."""
    try:
        async with world.pool.acquire() as connection, connection.transaction():
            return (await submit(connection, world.services, world.who, decode_document(document))).task_id
    except (Invalid, NotFound, Conflict) as error:
        assert error.code, f"{error!r} has no code: {document}"
        assert error.field, f"{error!r} names no field: {document}"
        assert error.allowed or error.hint, f"{error!r} does not help: {document}"
        return error


async def claimed(server: World) -> tuple[JobSpec, ...]:
    """What a pilot with a large slot gets."""
    request = ClaimRequest(
        1, "test", f"{random.getrandbits(128):032x}", "q", "node", n_jobs=100, cores=8, memory_mb=2_000_000, disk_mb=2_000_000, architecture="x86_64", gpus=2,
        nodes=2, gpu_model="NVIDIA A100", gpu_memory_mb=80_000,
    )  # fmt: skip
    return await server.dispatcher.claim(Claim(server.queue_id, request))


async def run(world: World, servers: list[World], clock: Clock, chance: random.Random, document_of: dict[int, dict[str, Any]]) -> None:
    """Engine, pilots and clock work until nothing moves any more, or time is up."""
    idle = 0
    for _round in range(ROUNDS):
        await world.settle()
        ran = 0
        for server in servers:
            for job in await claimed(server):
                await server.report(job, *([chance.choice([FAILED, HOPELESS])] if chance.random() < 0.15 else []))
                ran += 1
        idle = 0 if ran else idle + 1
        if idle > 3 or not await open_tasks(world, document_of):
            return
        if not ran:
            clock.ahead += clock.ahead + clock.minute * 30
            await watch(world)
            await rows(world, "UPDATE task SET next_look_at = now() WHERE ended_at IS NULL AND next_look_at > now()")
            await rows(world, "UPDATE task_avoid SET until_at = now()")
    raise AssertionError(f"still busy after {ROUNDS} rounds: {await open_tasks(world, document_of)}")


async def open_tasks(world: World, document_of: dict[int, dict[str, Any]]) -> list[str]:
    """Tasks that have not ended, with their reasons and documents."""
    found = await rows(world, "SELECT task_id, status, reason FROM task WHERE ended_at IS NULL ORDER BY 1")
    return [f"{row['status']} {row['reason']}: {json.dumps(document_of[row['task_id']])}" for row in found]


async def is_waiting(world: World) -> bool:
    """Whether every task that has not ended says for what it waits that nobody here will give it."""
    found = await rows(world, "SELECT reason FROM task WHERE ended_at IS NULL")
    return all((row["reason"] or {}).get("code") in WAITS or (row["reason"] or {}).get("rule") in WAITS for row in found)


@pytest.mark.parametrize("part", range(-(-DOCUMENTS // AT_ONCE)))
async def test_a_document_is_refused_with_the_field_or_its_task_comes_to_a_verdict(world: World, part: int) -> None:
    clock, chance = Clock(), random.Random(part)
    world = replace(world, services=replace(world.services, clock=clock))
    servers = await prepare(world)
    found: Counter[str] = Counter()
    document_of: dict[int, dict[str, Any]] = {}
    with capture_logs() as logs:
        for n, document in enumerate(drawn(DOCUMENTS)[part * AT_ONCE : (part + 1) * AT_ONCE]):
            given = adapted(grafted(document, chance) if n % 3 else document, n)
            answer = await submitted(world, given)
            if isinstance(answer, int):
                document_of[answer] = given
            found["accepted" if isinstance(answer, int) else str(answer.code)] += 1
        await run(world, servers, clock, chance, document_of)
        assert await is_waiting(world), "\n".join(await open_tasks(world, document_of))
        left = await rows(world, "SELECT task_id FROM task WHERE ended_at IS NULL")
        async with world.pool.acquire() as connection:
            await commands.ask_many(connection, "kill", [row["task_id"] for row in left], world.who.user_id, {})
        await run(world, servers, clock, chance, document_of)
    wrong = [line for line in logs if line["event"] in ("task.failed_in_stage", "command.failed", "stage.failed")]
    assert not wrong, f"{wrong} {[document_of.get(line.get('task_id', 0)) for line in wrong]}"
    assert not await open_tasks(world, document_of)
    assert found["accepted"] > 0, found
    await invariants.check(world)
    if "PANDA_TEST_MACHINE_SHOW" in os.environ:
        print(found, Counter(row["status"] for row in await rows(world, "SELECT status FROM task")))
