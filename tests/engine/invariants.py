"""What must hold in the database whatever happened: the rules of the audit, after every step of a test."""

from pandawms.store import audit
from tests.world import World


async def check(world: World) -> None:
    """Raises AssertionError that names the rules that are broken and shows some of their rows."""
    async with world.pool.acquire() as connection:
        findings = await audit.run(connection)
    assert not findings, audit.summary(findings)
