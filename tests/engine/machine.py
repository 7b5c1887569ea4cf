"""All that may happen to tasks, as actions of a machine that walks at random: users, two engines, two servers, pilots of two queues, and the clock."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from pandawms.domain.codes import Code
from pandawms.domain.command import Verb, accepting
from pandawms.domain.errors import PandaError
from pandawms.domain.outcome import SUCCESS, Outcome, outcome
from pandawms.domain.task import TaskStatus
from pandawms.engine import forking
from pandawms.engine.command import asking, changes
from pandawms.engine.watch.hearing import hear
from pandawms.engine.watch.step import step as watch
from pandawms.store import commands, events, identity, places, tasks
from pandawms.store.database import Pool
from pandawms.wire.pilot.claim import JobSpec
from pandawms.wire.pilot.report import JobReport
from tests.engine import inventing
from tests.engine.history import History
from tests.engine.play import add_dataset, add_files, beat, close_dataset, expire, rows, value
from tests.world import STAGES, World, payloads_of, report_of

RARE = {Verb.KILL: 0, Verb.FORK: 0, Verb.RELEASE: 1, Verb.FINISH: 1, Verb.OBSOLETE: 1, Verb.RESUME: 12}
"""How often verbs are chosen, where it is not 3; kills and forks have actions of their own."""
MOST_ACTIVE = 5
"""With more tasks that have not ended new ones are rare."""
WORDS = {"paused": "resume", "exhausted": "finish"}
"""What a person says at last to tasks that wait for a person's word."""
STOPPED = outcome(Code.KILLED_BY_SERVER)


IN_TIME = {"accepted"}


def in_vain(job: JobSpec) -> set[str]:
    """How a report that changes nothing is answered: heartbeats may have told all that payloads did, and another copy may have won."""
    return {"refused", "repeated"} if job.payloads or job.gate else {"refused"}


class Clock:
    """The time of day, which a test turns."""

    minute = timedelta(minutes=1)

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        """Returns the time that it is."""
        return datetime.now(UTC) + self.ahead


@dataclass
class Machine:
    """The world as two engines and the servers of two queues see it (first by engine, then by queue), and what pilots hold and held."""

    worlds: list[list[World]]
    chance: random.Random
    clock: Clock
    history: History = field(default_factory=History)
    held: list[tuple[int, JobSpec]] = field(default_factory=list)
    past: list[tuple[int, JobReport]] = field(default_factory=list)
    claims: list[tuple[int, UUID, int]] = field(default_factory=list)
    datasets: list[int] = field(default_factory=list)
    n_files: int = 0
    n_names: int = 0
    trail: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def world(self) -> World:
        """One of the engines, or servers of the first queue."""
        return self.chance.choice(self.worlds)[0]

    def server(self, queue: int) -> World:
        """A server, as a pilot of this queue sees it."""
        return self.chance.choice(self.worlds)[queue]

    def note(self, what: str) -> None:
        """Adds to the trail, and counts."""
        self.trail.append(what)
        self.seen[what] += 1

    # Users ------------------------------------------------------------------------------------------------------------

    async def submit(self) -> None:
        """A task of one of many kinds; some refer to datasets that nobody has made yet."""
        extra = await self._dataset(is_open=False)
        dataset = await self._dataset(is_open=self.chance.random() < 0.5)
        given = inventing.document(self.chance, f"t{self.n_names}", dataset, extra, await self._parents())
        if "in" in given["inputs"] and self.chance.random() < 0.1:
            given["inputs"]["in"] |= {"if_missing": "wait", "dataset": f"user.ada:late{self.n_names}"} if "dataset" in given["inputs"]["in"] else {}
        self.n_names += 1
        try:
            await self.world.submit(**given)
            self.note("submit")
        except PandaError as error:
            self.note(f"submit!{error.code}")

    async def _dataset(self, *, is_open: bool) -> str:
        name = f"in{len(self.datasets)}"
        self.datasets.append(await add_dataset(self.world, self.chance.randint(1, 6), name, is_open=is_open))
        return f"user.ada:{name}"

    async def make_late(self) -> None:
        """A dataset is made that some task may have waited for."""
        name = f"late{self.chance.randrange(self.n_names + 1)}"
        if not await value(self.world, "SELECT count(*) FROM dataset WHERE name = $1", name):
            self.datasets.append(await add_dataset(self.world, self.chance.randint(0, 3), name, is_open=self.chance.random() < 0.5))

    async def _parents(self) -> list[str]:
        found = await rows(
            self.world,
            "SELECT t.name FROM task t JOIN task_dataset td USING (task_id) JOIN dataset d USING (dataset_id)"
            " WHERE td.role = 'output' AND td.stream = 'out' AND d.removed_at IS NULL AND (d.is_open OR d.n_files > 0) ORDER BY t.task_id",
        )
        return [row["name"] for row in found]

    async def grow(self) -> None:
        """An open dataset grows, or is closed."""
        found = await rows(self.world, "SELECT dataset_id FROM dataset WHERE dataset_id = ANY ($1) AND is_open ORDER BY 1", self.datasets)
        if found:
            chosen = self.chance.choice(found)["dataset_id"]
            if self.chance.random() < 0.7:
                self.n_files += 10
                await add_files(self.world, chosen, self.chance.randint(1, 4), 100 + self.n_files)
            else:
                await close_dataset(self.world, chosen)

    async def _task(self) -> int | None:
        found = [row["task_id"] for row in await rows(self.world, "SELECT task_id FROM task ORDER BY 1")]
        return self.chance.choice(found) if found else None

    async def command(self, verb: Verb | None = None) -> None:
        """Some task is given some command, as the API does; it may be refused."""
        task_id = await self._task()
        if task_id is None:
            return
        if verb is None:
            status = TaskStatus(await self.world.status(task_id))
            verbs = accepting(status) if self.chance.random() < 0.9 else tuple(Verb)
            weights = [RARE.get(verb, 3) for verb in verbs]
            if not any(weights):
                return
            (verb,) = self.chance.choices(verbs, weights)
        try:
            await self._ask(task_id, verb)
            self.note(f"{verb}:{task_id % 1000}")
            self.seen[str(verb)] += 1
        except PandaError as error:
            self.seen[f"{verb}!{error.code}"] += 1

    async def _ask(self, task_id: int, verb: Verb) -> None:
        world = self.world
        files = await rows(
            world, "SELECT f.name FROM file f JOIN task_dataset td USING (dataset_id) WHERE td.task_id = $1 AND td.role = 'output' ORDER BY 1", task_id
        )
        async with world.pool.acquire() as connection, connection.transaction():
            task = await tasks.get(connection, task_id)
            assert task is not None
            given = inventing.arguments(self.chance, verb, task.document, [row["name"] for row in files])
            if verb is Verb.RECOVER and not given["files"]:
                return
            await asking.check(connection, task, verb, given)
            await commands.ask(connection, str(verb), task_id=task_id, asked_by=world.who.user_id, arguments=given)

    async def kill(self) -> None:
        """Some task is killed."""
        await self.command(Verb.KILL)

    async def kill_job(self) -> None:
        """Some job is killed, hot or not."""
        job_id = await value(self.world, "SELECT job_id FROM job_spec ORDER BY md5(job_id || $1::text) LIMIT 1", str(self.chance.random()))
        if job_id is not None:
            async with self.world.pool.acquire() as connection:
                await commands.ask(connection, "kill", job_id=job_id, asked_by=self.world.who.user_id)

    async def fork(self) -> None:
        """A copy of some task is made."""
        task_id, world = await self._task(), self.world
        if task_id is None:
            return
        try:
            async with world.pool.acquire() as connection, connection.transaction():
                original = await tasks.get(connection, task_id)
                assert original is not None
                document = changes.changed(Verb.FORK, original.document, {"name": f"t{self.n_names}"})
                await forking.fork(connection, world.services, world.who, original, document)
            self.n_names += 1
            self.note("fork")
        except PandaError as error:
            self.seen[f"fork!{error.code}"] += 1

    # Engines ----------------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """The engines come to rest."""
        for _ in range(200):
            if not await self._turn([*STAGES, *STAGES]):
                return
        raise AssertionError(f"the engine does not come to rest: {await self.busy()}")

    async def busy(self) -> list[dict[str, Any]]:
        """Tasks that have not ended."""
        return [dict(row) for row in await rows(self.world, "SELECT task_id, name, status, reason FROM task WHERE ended_at IS NULL ORDER BY 1")]

    async def stages(self) -> None:
        """Some stages take a step, one after the other or all at once, in some engine."""
        await self._turn(self.chance.choices(STAGES, k=self.chance.randint(1, 6)))

    async def _turn(self, steps: Any) -> int:
        engines = [self.chance.choice(self.worlds)[0] for _ in steps]
        if self.chance.random() < 0.5:
            return sum([await step(engine.pool, engine.services) for step, engine in zip(steps, engines, strict=True)])
        return sum(await asyncio.gather(*(step(engine.pool, engine.services) for step, engine in zip(steps, engines, strict=True))))

    async def turn_clock(self) -> None:
        """Time goes by, a minute to a month: what was put off is due, and watch looks."""
        self.clock.ahead += self.chance.choice([timedelta(minutes=2)] * 6 + [timedelta(hours=2)] * 3 + [timedelta(days=2), timedelta(days=31)])
        await self.hurry()
        await self.look()

    async def hurry(self) -> None:
        """What waits for its next look by the clock of the database is due."""
        await rows(self.world, "UPDATE task SET next_look_at = now() WHERE next_look_at > now()")
        await rows(self.world, "UPDATE command SET next_at = now() WHERE applied_at IS NULL AND next_at > now()")
        if self.chance.random() < 0.5:
            await rows(self.world, "UPDATE allocation SET expires_at = now() - interval '1 s'")
            await rows(self.world, "UPDATE task_avoid SET until_at = now()")
            await rows(self.world, "UPDATE task_dataset SET next_listing_at = NULL WHERE next_listing_at IS NOT NULL")

    async def look(self) -> None:
        """Watch looks, in a time in which servers hear."""
        await hear(self.world.pool, self.world.services)
        await watch(self.world.pool, self.world.services)

    # Pilots -----------------------------------------------------------------------------------------------------------

    async def claim(self) -> None:
        """A pilot of some queue claims up to six jobs; at times its answer is lost, and it claims again."""
        ready = await rows(self.world, "SELECT DISTINCT queue_id FROM job WHERE status = 'activated' ORDER BY 1")
        if not ready:
            await self.settle()
        queue = int(self.chance.choice(ready)["queue_id"] != self.world.queue_id) if ready else self.chance.randrange(2)
        claim_id, n_jobs = uuid4(), self.chance.randint(1, 6)
        found = {job.job_id: job for job in await self.server(queue).claim(n_jobs, claim_id)}
        if self.chance.random() < 0.3:
            again = {job.job_id: job for job in await self.server(queue).claim(n_jobs, claim_id)}
            assert found.keys() <= again.keys(), "a claim that was repeated lost a job"
            found = again
        assert not found.keys() & {job.job_id for _, job in self.held}, "a job was given to two pilots"
        self.held += [(queue, job) for job in found.values()]
        self.seen["claimed"] += len(found)

    def take(self) -> tuple[int, JobSpec] | None:
        """Removes one job from the hands of the pilots."""
        return self.held.pop(self.chance.randrange(len(self.held))) if self.held else None

    async def is_held(self, job: JobSpec) -> bool:
        """Whether a job is still its pilot's."""
        found = await value(self.world, "SELECT count(*) FROM job WHERE job_id = $1 AND standing = 'leased' AND claim_id = $2", job.job_id, UUID(job.claim_id))
        return bool(found)

    async def heartbeat(self) -> None:
        """A pilot says that a job lives, and obeys."""
        taken = self.take()
        if taken is None:
            return
        queue, job = taken
        is_held = await self.is_held(job)
        early = payloads_of(job)[: self.chance.randint(0, 1)]
        verdict = (await beat(self.server(queue), job, self.chance.choice(["stage_in", "running", "stage_out"]), payloads=early)).verdict
        assert (verdict == "gone") is not is_held, f"{verdict}, and the job is {'held' if is_held else 'gone'}"
        if verdict == "ok":
            self.held.append(taken)
        elif verdict == "kill":
            await self._end(queue, job, STOPPED)

    async def report(self) -> None:
        """A job ends, one way or another."""
        taken = self.take()
        if taken is not None:
            await self._end(*taken, self.chance.choice([SUCCESS] * 3 + [self.chance.choice(inventing.OUTCOMES)]))

    async def report_many(self) -> None:
        """Several jobs end at once, while an engine works."""
        taken = [found for _ in range(self.chance.randint(2, 6)) if (found := self.take())]
        ends = [self._end(*each, self.chance.choice([SUCCESS] * 5 + [self.chance.choice(inventing.OUTCOMES)]), is_alone=False) for each in taken]
        await asyncio.gather(*ends, self.stages())

    async def _end(self, queue: int, job: JobSpec, how: Outcome, *, is_alone: bool = True) -> None:
        given = report_of(job, how, wall_seconds=self.chance.choice([5.0, 500.0]), max_rss_mb=self.chance.choice([0.0, 100.0, 3000.0]))
        is_held = await self.is_held(job)
        verdict = await self._tell(queue, given)
        if is_alone:
            assert verdict in (IN_TIME if is_held and not job.gate else in_vain(job) | (IN_TIME if is_held else set())), f"{verdict}: {is_held=}"
        if verdict == "accepted":
            self.past.append((queue, given))
            self.seen[f"ended:{'success' if how == SUCCESS else 'failure'}"] += 1
            if self.chance.random() < 0.2:
                assert await self._tell(queue, given) == "repeated"

    async def _tell(self, queue: int, given: JobReport) -> str:
        server = self.server(queue)
        (verdict,) = await server.reporter.report(server.queue_id, [given])
        return verdict.verdict

    async def late_report(self) -> None:
        """A report comes again, with another outcome: it changes nothing. It may say what became of the job all the same: that it failed, as its merge did or
        as another copy has won, or that it succeeded, as all its payloads had."""
        if self.past:
            queue, given = self.chance.choice(self.past)
            other = inventing.OUTCOMES[0] if given.outcome == SUCCESS else SUCCESS
            ends = await rows(self.world, "SELECT status, error_code FROM job_archive WHERE job_id = $1", given.job_id)
            status, code = ends[0] if ends else ("merging", None)
            is_told = status in ("finished", "merging") if other == SUCCESS else code in (other.code, Code.ANOTHER_COPY_WON.number)
            verdict = await self._tell(queue, replace(given, outcome=other, outputs=(), payloads=()))
            assert verdict == ("repeated" if is_told else "refused"), f"{verdict}: {given} and now {other}, of a job that is {status} ({code})"

    async def lose(self) -> None:
        """A pilot is not heard any more, and reports success after all."""
        taken = self.take()
        if taken is not None:
            queue, job = taken
            await hear(self.world.pool, self.world.services)
            await expire(self.world, job.job_id)
            await watch(self.world.pool, self.world.services)
            assert (await beat(self.server(queue), job)).verdict == "gone"
            assert await self._tell(queue, report_of(job)) in in_vain(job)

    # The walk ---------------------------------------------------------------------------------------------------------

    async def step(self) -> None:
        """One random action, and then all is looked at."""
        n_active = await value(self.world, "SELECT count(*) FROM task WHERE ended_at IS NULL")
        choices = [
            (self.submit, 1 if n_active > MOST_ACTIVE else 6), (self.settle, 6), (self.stages, 8), (self.turn_clock, 2), (self.claim, 9), (self.command, 7),
            (self.kill, 0.4), (self.kill_job, 0.5), (self.fork, 1), (self.grow, 3), (self.make_late, 1), (self.late_report, 1 if self.past else 0),
        ]  # fmt: skip
        if self.held:
            choices += [(self.heartbeat, 3), (self.report, 9), (self.report_many, 6), (self.lose, 3)]
        (chosen,) = self.chance.choices([choice for choice, _ in choices], [weight for _, weight in choices])
        self.note(chosen.__name__)
        await chosen()
        await self.history.check(self.world)

    async def run_out(self) -> None:
        """The inputs are closed, pilots run all that there is, and time goes by until nothing moves any more."""
        for n in range(self.n_names):
            if not await value(self.world, "SELECT count(*) FROM dataset WHERE name = $1", f"late{n}"):
                self.datasets.append(await add_dataset(self.world, 1, f"late{n}"))
        for dataset_id in self.datasets:
            await close_dataset(self.world, dataset_id)
        self.held.clear()
        await hear(self.world.pool, self.world.services)
        await expire(self.world)
        idle = 0
        while idle < 3:
            await self.look()
            await self.settle()
            idle = 0 if await self._run() else idle + 1
            self.clock.ahead += timedelta(hours=2)
            await self.hurry()
            await rows(self.world, "UPDATE allocation SET expires_at = now() - interval '1 s'")
            await rows(self.world, "UPDATE task_avoid SET until_at = now()")
            await rows(self.world, "UPDATE task_dataset SET next_listing_at = NULL WHERE next_listing_at IS NOT NULL")

    async def _run(self) -> int:
        ran = 0
        for queue in (0, 1):
            while jobs := await self.server(queue).claim(50):
                for job in jobs:
                    await self._end(queue, job, SUCCESS)
                ran += len(jobs)
                await self.settle()
        return ran

    async def to_the_end(self) -> None:
        """All is run; who waits for a person's word gets it; what is left then says what it lacks; that is killed, and then all has ended."""
        self.note("to_the_end")
        await self.run_out()
        await self.history.check(self.world)
        for _ in range(3):
            waiting = [task for task in await self.busy() if task["status"] in WORDS]
            for task in waiting:
                await self._say(WORDS[task["status"]], task["task_id"])
            if waiting:
                await self.run_out()
        await self.history.check(self.world)
        left = await self.busy()
        silent = [task for task in left if not says_why(task["reason"] or {})]
        assert not silent, f"tasks that stand still and do not say why: {silent}"
        for task in left:
            await self._say("kill", task["task_id"])
        await self.run_out()
        await self.history.check(self.world)
        assert not await self.busy(), f"killed, and not ended: {await self.busy()}"
        assert await value(self.world, "SELECT count(*) FROM job") == 0
        assert await value(self.world, "SELECT count(*) FROM command WHERE applied_at IS NULL") == 0
        assert not await rows(self.world, "SELECT verb, answer FROM command WHERE answer LIKE 'failed: %'")

    async def _say(self, verb: str, task_id: int) -> None:
        self.seen[f"last:{verb}"] += 1
        async with self.world.pool.acquire() as connection:
            await commands.ask_many(connection, verb, [task_id], self.world.who.user_id, {})


def says_why(reason: dict[str, Any]) -> bool:
    """Whether a reason names what a task lacks; that no stage has moved it (`stuck.…`, which the watch says) is none."""
    code = str(reason.get("code") or reason.get("rule") or "")
    return bool(code) and not code.startswith("stuck.")


async def machine(world: World, other: Pool, seed: int) -> Machine:
    """Makes a machine over a world, with a second queue and another engine."""
    clock = Clock()
    options = replace(world.services.options, jobs_per_round=3, units_per_round=3)  # commands take several rounds
    first = replace(world, services=replace(world.services, clock=clock, options=options))
    async with world.pool.acquire() as connection, connection.transaction():
        community_id, site_id = await identity.ensure_community(connection, "local"), await places.ensure_site(connection, "here")
        queue_id, _ = await places.put_queue(
            connection, community_id, site_id, "other", cores=1, memory_mb=4000, disk_mb=10_000, max_wall_seconds=86_400, architecture="x86_64", slots=2
        )
        await places.put_queue_storage(connection, queue_id, world.endpoint_id, 1, 1)
        await events.log(connection, "queue", queue_id, "add", None, "online", "test")
    engines = [first, replace(first, pool=other)]
    return Machine([[engine, replace(engine, queue_id=queue_id)] for engine in engines], random.Random(seed), clock)
