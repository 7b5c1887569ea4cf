"""Answers claims in batches: one statement picks and leases, then each pilot is told all about its jobs."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from pandawms.domain.queue import PERMITS, QueueStatus
from pandawms.engine.blueprints import Blueprint, Blueprints, Version
from pandawms.engine.dispatch import payloads, resolve
from pandawms.engine.dispatch import plan as planning
from pandawms.engine.dispatch.offer import Offer
from pandawms.engine.dispatch.plan import Claim
from pandawms.engine.gathering import Gatherer
from pandawms.engine.job_facts import JobFacts
from pandawms.engine.services import Services
from pandawms.store import builds, jobs, leases, places
from pandawms.store import payloads as payloads_store
from pandawms.store.database import Connection, Pool
from pandawms.store.leases import Facts, Given
from pandawms.store.payloads import PayloadUnit
from pandawms.wire.pilot.claim import JobSpec

SPARE = 32
"""Ready jobs that a first try reads beyond those wanted: so many may another server be taking at the same time."""
MORE_SPARE = 4096
"""The same for the second try of claims that got less than they wanted."""
PILOT_SECONDS = 10.0
"""How often the database is told that pilots ask at a queue."""


@dataclass(slots=True)
class Dispatcher:
    """The claims of one server process; `facts` are kept for the reports that come."""

    pool: Pool
    services: Services
    facts: JobFacts = field(default_factory=JobFacts)
    _offer: Offer = field(default_factory=Offer)
    _blueprints: Blueprints = field(default_factory=Blueprints)
    _pilots_noted: dict[int, float] = field(default_factory=dict)
    _gatherer: Gatherer[Claim, tuple[JobSpec, ...]] = field(init=False)

    def __post_init__(self) -> None:
        self._gatherer = Gatherer(self._work)

    async def claim(self, claim: Claim) -> tuple[JobSpec, ...]:
        """Gives the claim its jobs, leased and committed; the same claim again gets the same jobs, in its own queue only. Empty when nothing fits."""
        return await self._gatherer.do(claim)

    async def _work(self, claims: Sequence[Claim]) -> Sequence[tuple[JobSpec, ...]]:
        asked = {claim.claim_id: claim for claim in claims}
        async with self.pool.acquire() as connection:
            await self._offer.refresh(connection)
            await self._note_pilots(connection, {claim.queue_id for claim in claims})
            given = await self._give(connection, list(asked.values()))
            specs = await self._specs(connection, given) if given else {}
        found: dict[tuple[str, int], list[JobSpec]] = {}
        for each in sorted(given):
            found.setdefault((each.claim_id, each.queue_id), []).append(specs[each.job_id])
        return [tuple(found.get((claim.claim_id, claim.queue_id), ())) for claim in claims]

    async def _give(self, connection: Connection, claims: Sequence[Claim]) -> list[Given]:
        """Jobs for claims that have none yet; those that hold some, because their answer was lost, get them again and no more.

        A claim for one job that holds it cannot get another: the database refuses the batch. Only then, or when there was nothing for it, it is looked up.
        A claim for several may have ended a part of them, so it is always looked up.
        """
        given = await self._held(connection, [claim for claim in claims if claim.request.n_jobs > 1])
        try:
            return given + await self._take(connection, _without(claims, given))
        except asyncpg.UniqueViolationError:
            given = await self._held(connection, claims)
            return given + await self._take(connection, _without(claims, given))

    async def _take(self, connection: Connection, claims: Sequence[Claim]) -> list[Given]:
        """Claims that got less than they wanted try once more, with what is new and with more rows in reserve."""
        given = await self._pick(connection, planning.groups(claims, self._offer.fitting, {}), SPARE)
        got = Counter(each.claim_id for each in given)
        short = [claim for claim in claims if got[claim.claim_id] < claim.request.n_jobs]
        if short:
            held = await self._held(connection, [claim for claim in short if claim.request.n_jobs == 1])
            await self._offer.refresh(connection, older_than_seconds=0)
            given += held + await self._pick(connection, planning.groups(_without(short, held), self._offer.fitting, got), MORE_SPARE)
        return given

    async def _held(self, connection: Connection, claims: Sequence[Claim]) -> list[Given]:
        return await leases.claimed(connection, [claim.claim_id for claim in claims]) if claims else []

    async def _pick(self, connection: Connection, groups: Sequence[leases.Group], spare: int) -> list[Given]:
        if not groups:
            return []
        given = await leases.claim(connection, groups, self._offer.share_order(), self.services.options.lease_seconds, spare)
        self._offer.note([each.share_id for each in given])
        return given

    async def _note_pilots(self, connection: Connection, queue_ids: set[int]) -> None:
        now = time.monotonic()
        for queue_id in sorted(queue_ids):
            if now - self._pilots_noted.get(queue_id, float("-inf")) > PILOT_SECONDS:
                await places.note_pilot(connection, queue_id)
                self._pilots_noted[queue_id] = now

    async def _specs(self, connection: Connection, given: Sequence[Given]) -> dict[int, JobSpec]:
        found = await jobs.specs(connection, [each.job_id for each in given])
        if not all(self._offer.knows(each.queue_id, each.requirement_id, found[each.job_id].endpoint_id) for each in given):
            await self._offer.refresh(connection, older_than_seconds=0)
        blueprints = await self._blueprints.of(connection, {(each.task_id, found[each.job_id].version) for each in given})
        self.facts.note(_facts(each, found[each.job_id]) for each in given)
        libraries = await builds.libraries(connection, _builds(given, found, blueprints))
        units = await payloads_store.units(connection, _with_payloads(given, found, blueprints))
        return {each.job_id: self._spec(each, found[each.job_id], units.get(each.job_id), blueprints, libraries) for each in given}

    def _spec(self, given: Given, job: jobs.Spec, units: Sequence[PayloadUnit] | None, blueprints: Mapping[Version, Blueprint],
              libraries: Mapping[builds.Key, builds.Library]) -> JobSpec:  # fmt: skip
        blueprint, needs, roots = blueprints[given.task_id, job.version], self._offer.requirements[given.requirement_id], self._offer.roots[given.queue_id]
        library, manager = libraries.get((given.task_id, job.version, given.queue_id)), self.services.data_manager
        if units is not None:
            return payloads.spec(given, job, units, blueprint, needs, roots, manager, library)
        return resolve.spec(given, job, blueprint, needs, roots, manager, library)


def _facts(given: Given, job: jobs.Spec) -> Facts:
    return Facts(given.job_id, given.task_id, job.version, job.kind, given.attempt, job.serial, job.endpoint_id, job.n_inputs, job.copy)


def _builds(given: Sequence[Given], found: Mapping[int, jobs.Spec], blueprints: Mapping[Version, Blueprint]) -> set[builds.Key]:
    """The builds whose libraries these jobs read; for most tasks there is none to look up."""
    with_kind = [(each, found[each.job_id]) for each in given]
    return {(each.task_id, job.version, each.queue_id) for each, job in with_kind if blueprints[each.task_id, job.version].needs_library(job.kind)}


def _with_payloads(given: Sequence[Given], found: Mapping[int, jobs.Spec], blueprints: Mapping[Version, Blueprint]) -> list[int]:
    """The jobs whose units are told one by one; mostly there are none."""
    return [each.job_id for each in given if blueprints[each.task_id, found[each.job_id].version].has_payloads(found[each.job_id].kind)]


def _without(claims: Sequence[Claim], given: Sequence[Given]) -> list[Claim]:
    known = {each.claim_id for each in given}
    return [claim for claim in claims if claim.claim_id not in known]


def hands_out(status: str) -> bool:
    """Whether a queue in this status gives jobs to pilots."""
    return PERMITS[QueueStatus(status)].dispatched
