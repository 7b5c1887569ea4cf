"""Applies the migrations in order, each in one transaction, under one advisory lock."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Literal

from pandawms.domain.errors import Conflict
from pandawms.store.database import Connection

NAME = re.compile(r"^(\d{5})_(pre|post)_([a-z0-9_]+)\.sql$")
LOCK = 0x70616E6461  # "panda": only one runner at a time, whoever started it


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, when it may run, its name and its text."""

    number: int
    phase: Literal["pre", "post"]
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """The sha256 of the text: an applied file must never change."""
        return sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class State:
    """What a database has and what it lacks."""

    applied: tuple[Migration, ...]
    missing: tuple[Migration, ...]
    changed: tuple[Migration, ...]
    unknown: tuple[int, ...]

    @property
    def is_current(self) -> bool:
        """True when the code and the database agree."""
        return not (self.missing or self.changed or self.unknown)


def migrations() -> tuple[Migration, ...]:
    """Returns all migrations of this release, by number. Raises Conflict on a misnamed file."""
    found = []
    for entry in files("pandawms.store.migrations").iterdir():
        if not entry.name.endswith(".sql"):
            continue
        match = NAME.match(entry.name)
        if match is None:
            raise Conflict(
                f"migration {entry.name} has a wrong name", code="migration.name", value=entry.name, allowed="NNNNN_pre_name.sql or NNNNN_post_name.sql"
            )
        phase: Literal["pre", "post"] = "pre" if match[2] == "pre" else "post"
        found.append(Migration(int(match[1]), phase, match[3], entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.number))


async def state(connection: Connection) -> State:
    """Compares the database with this release; changes nothing."""
    if await connection.fetchval("SELECT to_regclass('public.migration')") is None:
        return State((), migrations(), (), ())
    rows = {row["number"]: row["digest"] for row in await connection.fetch("SELECT number, digest FROM migration")}
    known = migrations()
    return State(
        applied=tuple(m for m in known if m.number in rows),
        missing=tuple(m for m in known if m.number not in rows),
        changed=tuple(m for m in known if m.number in rows and rows[m.number] != m.digest),
        unknown=tuple(sorted(rows.keys() - {m.number for m in known})),
    )


async def upgrade(connection: Connection, phases: Sequence[str] = ("pre", "post")) -> tuple[Migration, ...]:
    """Applies what is missing of the given phases, in order, and returns it. Raises Conflict when an applied file has changed since."""
    await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (number integer PRIMARY KEY, phase text NOT NULL, name text NOT NULL, digest text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        found = await state(connection)
        if found.changed:
            raise Conflict(
                f"migration {found.changed[0].number} was changed after it was applied",
                code="migration.changed",
                hint="restore the file; write a new migration",
            )
        todo = tuple(m for m in found.missing if m.phase in phases)
        for migration in todo:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO migration (number, phase, name, digest) VALUES ($1, $2, $3, $4)",
                    migration.number, migration.phase, migration.name, migration.digest,
                )  # fmt: skip
        return todo
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
