"""Who has or had a job, and which job wrote a file: for handlers that must know no more than that."""

from dataclasses import dataclass
from uuid import UUID

from pandawms.store.database import Connection
from pandawms.store.sql import load

sql = load("job_lookups")


@dataclass(frozen=True, slots=True)
class Holder:
    """Which claim has or had a job, and the job's queue."""

    claim_id: UUID | None
    queue: str


async def claim_holder(connection: Connection, job_id: int) -> Holder | None:
    """Returns which claim has or had a job, or None when there is no such job."""
    row = await sql.claim_holder(connection, job_id=job_id)
    return row and Holder(**row)


async def job_of_file(connection: Connection, file_id: int) -> int | None:
    """Returns the job that wrote a file; None when no job did, or when its details have left the database."""
    found: int | None = await sql.job_of_file(connection, file_id=file_id)
    return found
