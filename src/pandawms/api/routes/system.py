"""The system about itself: health, version, who asks, and figures for Prometheus."""

from datetime import UTC, datetime
from importlib.metadata import version as installed

import asyncpg
from litestar import Response, get

from pandawms.api.call import Call
from pandawms.api.policies import Action
from pandawms.api.tokens import unverified_claims
from pandawms.domain.errors import Unavailable
from pandawms.store import places, system
from pandawms.store.database import Connection, Pool
from pandawms.store.migrations import runner
from pandawms.wire.pilot import PROTOCOL
from pandawms.wire.system import Health, HealthCheck, Version, WhoAmI

PUBLIC = {"policy": Action.PUBLIC}
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
CHECK_SECONDS = 5.0
PROVISIONER_SECONDS = 30.0
"""A provisioner asks what its queue needs every second or so."""


@get("/system/health", opt=PUBLIC)
async def health(request: Call) -> Response[Health]:
    """Whether the parts of the system do their duty; 503 when nothing can be done."""
    checks = await _checks(request.core.pool)
    is_up = checks[0].ok
    status = "ok" if all(check.ok for check in checks) else "degraded" if is_up else "down"
    return Response(Health(status=status, server_time=datetime.now(UTC), checks=checks), status_code=200 if is_up else 503)


async def _checks(pool: Pool) -> tuple[HealthCheck, ...]:
    try:
        async with pool.acquire(timeout=CHECK_SECONDS) as connection:
            engines = await system.engines(connection)
            number = await system.schema_version(connection)
            silent = await _silent(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, Unavailable) as error:
        return (HealthCheck(name="database", ok=False, detail=f"does not answer: {type(error).__name__}"),)
    newest = runner.migrations()[-1].number
    return (
        HealthCheck(name="database", ok=True, detail="answers"),
        HealthCheck(name="schema", ok=number >= newest, detail=f"version {number}" + ("" if number >= newest else f", this release needs {newest}")),
        HealthCheck(name="engine", ok=engines > 0, detail="runs" if engines else "does not run: tasks are taken, but nothing moves"),
        HealthCheck(name="provisioner", ok=not silent, detail="; ".join(silent) or "heard of, or never needed"),
    )


async def _silent(connection: Connection) -> list[str]:
    """Queues whose provisioner asked before and does not any more, or whose pilots fail."""
    now = datetime.now(UTC)
    queues = await places.queues(connection)
    gone = [q for q in queues if q.provisioned_at is not None and (now - q.provisioned_at).total_seconds() > PROVISIONER_SECONDS]
    failing = [q for q in queues if q.last_failure is not None and q.running_jobs == 0 and q.activated_jobs > 0]
    return [f"nobody starts pilots for {q.name} since {(now - q.provisioned_at).total_seconds():.0f} s" for q in gone if q.provisioned_at] + [
        f"pilots of {q.name} fail: {q.last_failure}" for q in failing
    ]


@get("/system/version", opt=PUBLIC)
async def version() -> Version:
    """Versions of the program, the API, the pilot protocol and the schema that this release needs."""
    return Version(version=installed("pandawms"), api=2, pilot_protocol=PROTOCOL, schema=str(runner.migrations()[-1].number))


@get("/system/whoami", opt={"policy": Action.KNOW_ONESELF})
async def whoami(request: Call) -> WhoAmI:
    """Who you are, and what your token may do."""
    who = request.who
    expires = unverified_claims(request.headers.get("Authorization", "").partition(" ")[2].strip()).get("exp")
    return WhoAmI(
        user=who.name, community=who.community, scopes=tuple(sorted(who.scopes)), groups=tuple(sorted(who.groups)), roles=tuple(sorted(who.roles)),
        queue=who.queue, expires_at=datetime.fromtimestamp(expires, UTC) if isinstance(expires, int) else None,
    )  # fmt: skip


@get("/metrics", opt={"policy": Action.MEASURE, "answer": str})
async def metrics(request: Call) -> Response[bytes]:
    """Figures of this server process for Prometheus, and the jobs by status. From this machine without a token, from elsewhere with a user's."""
    async with request.core.reading() as connection:
        jobs = await places.jobs_by_status(connection)
    lines = ["# HELP panda_jobs Jobs that have not ended, by status", "# TYPE panda_jobs gauge"]
    lines += [f'panda_jobs{{status="{status}"}} {n}' for status, n in jobs.items()]
    return Response(request.core.metrics.text() + "\n".join(lines).encode() + b"\n", media_type=PROMETHEUS)


ROUTES = (health, version, whoami, metrics)
