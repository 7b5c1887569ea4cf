"""Takes ranges of old jobs out of the database: files first, then the partitions. Beside running jobs, and safe to kill at any point.

One range after another: its tables are written to files and counted again, which makes it `written`; its partitions are detached and dropped, each in
transactions of a moment, which makes it `retired`. Whoever comes next goes on where the last one was killed. Writing may take hours, in which somebody may
retry a task: whether a range may go is asked before it is begun and once more before it is `written`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pandawms.domain.errors import Invalid, PandaError, Unavailable
from pandawms.engine.boundary import DATABASE_AWAY
from pandawms.store import archive, database, partitions
from pandawms.store.archive import DETAILS, ROWS, Archived, Ready, Written
from pandawms.store.database import Connection
from pandawms.store.partitions import Range

log = structlog.get_logger()

LOOK_SECONDS = 600.0
REST = 3
"""Beside running jobs a chunk is followed by a rest of so many times its length, so that archiving takes a quarter of a core at most."""


class Stopped(Exception):
    """The engine is to stop."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long details and narrow rows of ended jobs stay in the database, in days (0 = for ever), and the folder of the files."""

    folder: Path
    keep_days: float = 0
    keep_rows_days: float = 0

    def checked(self) -> "Policy":
        """Returns the policy. Raises Invalid when rows would go before the details."""
        if self.keep_rows_days and not 0 < self.keep_days <= self.keep_rows_days:
            raise Invalid(
                "narrow archive rows cannot go before the details", code="archive.policy", field="archive.keep_rows_days", value=self.keep_rows_days,
                allowed=f"0, or at least archive.keep_days ({self.keep_days:g}), which must not be 0 then",
                hint="set archive.keep_days, or raise archive.keep_rows_days",
            )  # fmt: skip
        return self


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do: ranges whose details may go, ranges that were begun, ranges whose narrow rows may go."""

    ready: tuple[Ready, ...]
    begun: tuple[Archived, ...]
    old_rows: tuple[Archived, ...]

    @property
    def n_files(self) -> int:
        """How many files are still to be written, at most."""
        return (len(self.ready) + sum(each.state == "writing" for each in self.begun)) * len((*DETAILS, ROWS))


async def _nothing(_n: int) -> None:
    """Goes on at once."""


@dataclass(slots=True)
class Progress:
    """Who is told how a run goes: `rows` after each chunk, `wrote` after each file, `ended` when a range is out, `changed` when rows of a table came after
    its file, so that it is written again by the next run, `stayed` when a range was given up, as a task with jobs in it is not done any more."""

    rows: Callable[[int], Awaitable[None]] = _nothing
    wrote: Callable[[Written], None] = lambda file: None
    ended: Callable[[Range, str], None] = lambda span, state: None
    changed: Callable[[Range, str], None] = lambda span, table: None
    stayed: Callable[[Range], None] = lambda span: None


async def outlook(connection: Connection, policy: Policy) -> Outlook:
    """Returns what a run would do now; changes nothing."""
    known = {each.span.from_id: each for each in await archive.ranges(connection)}
    found = []
    if policy.keep_days:
        for span in await partitions.ranges(connection, "job_spec"):
            ready = None if span.from_id in known else await archive.ready(connection, span, policy.keep_days)
            if ready is not None:
                found.append(ready)
    old = await archive.old_rows(connection, policy.keep_rows_days) if policy.keep_rows_days else []
    return Outlook(tuple(found), tuple(each for each in known.values() if each.state in ("writing", "written")), tuple(old))


async def run(connection: Connection, policy: Policy, progress: Progress | None = None) -> list[tuple[Range, str]]:
    """Takes out what may go, and returns the ranges with the state that each reached. The connection is the caller's alone, with no transaction open.

    Raises Conflict when somebody else archives, Unavailable without pyarrow.
    """
    policy.checked()
    progress = progress or Progress()
    done: list[tuple[Range, str]] = []
    async with archive.alone(connection):
        todo = await outlook(connection, policy)
        for each in todo.begun:
            done += await _go_on(connection, policy, each, progress)
        for ready in todo.ready:
            done += await _begin(connection, policy, ready.span, progress)
        if policy.keep_rows_days:
            for old in await archive.old_rows(connection, policy.keep_rows_days):
                await partitions.drop(connection, ROWS, old.span.from_id)
                await archive.note_gone(connection, old.span)
                done.append((old.span, "gone"))
                progress.ended(old.span, "gone")
    return done


async def _begin(connection: Connection, policy: Policy, span: Range, progress: Progress) -> list[tuple[Range, str]]:
    """Takes out a range that could go when the run began, if it still can."""
    found = await archive.ready(connection, span, policy.keep_days)
    if found is None:
        return []
    await archive.begin(connection, found)
    return await _retire(connection, policy, span, progress)


async def _go_on(connection: Connection, policy: Policy, begun: Archived, progress: Progress) -> list[tuple[Range, str]]:
    """A range that was begun: what is written is dropped; what is being written is looked at again, as a task may have been retried since."""
    if begun.state == "written":
        return await _drop(connection, begun.span, progress)
    if not policy.keep_days or await archive.ready(connection, begun.span, policy.keep_days) is None:
        return await _give_up(connection, policy, begun.span, progress)
    return await _retire(connection, policy, begun.span, progress)


async def _retire(connection: Connection, policy: Policy, span: Range, progress: Progress) -> list[tuple[Range, str]]:
    from pandawms.store import archive_files

    complete = await archive.files(connection, span)
    for table in (*DETAILS, ROWS):
        known = complete.get(table)
        if known is None or not (policy.folder / known.path).exists():
            await archive.drop_file(connection, span, table)
            file = await archive_files.write(connection, table, span, policy.folder, _path(span, table), progress.rows)
            await archive.add_file(connection, span, file)
            progress.wrote(file)
    if not await _is_complete(connection, span, progress):
        return []
    if not await _settle(connection, policy, span):
        return await _give_up(connection, policy, span, progress)
    return await _drop(connection, span, progress)


def _path(span: Range, table: str) -> str:
    return f"jobs-{span}/{table}.parquet"


async def _settle(connection: Connection, policy: Policy, span: Range) -> bool:
    """Makes a range `written` if it still may go; returns whether it may. Who retries a task after that finds its details in the files."""
    async with connection.transaction():
        if await archive.ready(connection, span, policy.keep_days) is None:
            return False
        await archive.note_written(connection, span)
        return True


async def _give_up(connection: Connection, policy: Policy, span: Range, progress: Progress) -> list[tuple[Range, str]]:
    """A range that is being written stays in the database. Its files go first: cut off in between, it is found again."""
    await asyncio.to_thread(_delete_files, policy.folder, span)
    await archive.forget(connection, span)
    progress.stayed(span)
    return []


def _delete_files(folder: Path, span: Range) -> None:
    for table in (*DETAILS, ROWS):
        complete = folder / _path(span, table)
        for path in (complete, complete.with_name(f"{complete.name}.part")):
            path.unlink(missing_ok=True)
    with suppress(OSError):  # it was never made, or somebody keeps something else there
        complete.parent.rmdir()


async def _is_complete(connection: Connection, span: Range, progress: Progress) -> bool:
    """Whether the files hold as many rows as the database still has; one that does not is written again by the next run."""
    files = await archive.files(connection, span)
    wrong = [table for table in (*DETAILS, ROWS) if await archive.count(connection, table, span) != files[table].n_rows]
    for table in wrong:
        await archive.drop_file(connection, span, table)
        progress.changed(span, table)
    return not wrong


async def _drop(connection: Connection, span: Range, progress: Progress) -> list[tuple[Range, str]]:
    for table in DETAILS:
        await partitions.drop(connection, table, span.from_id)
    await archive.note_retired(connection, span)
    progress.ended(span, "retired")
    return [(span, "retired")]


def require_pyarrow() -> None:
    """Raises Unavailable when pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401  (only looked for)
    except ImportError as error:
        raise Unavailable(
            "writing the archive needs pyarrow", code="archive.no_pyarrow", field="archive.keep_days", hint="pip install 'pandawms[archive]'"
        ) from error


@dataclass(slots=True)
class Rest:
    """Lets jobs go first: waits after each chunk for a multiple of its length."""

    stop: asyncio.Event
    began_at: float = field(default_factory=time.monotonic)

    async def after(self, _n: int) -> None:
        """Rests after a chunk. Raises Stopped when the engine is to stop; what was begun is gone on with later."""
        took = time.monotonic() - self.began_at
        await _pause(self.stop, REST * took)
        if self.stop.is_set():
            raise Stopped
        self.began_at = time.monotonic()


async def keep(options: database.Options, policy: Policy, stop: asyncio.Event) -> None:
    """Archives every ten minutes until `stop` is set, in the background of an engine; several engines take turns. A failure is logged and tried again."""
    while policy.keep_days and not stop.is_set():
        try:
            await _once(options, policy, stop)
        except Exception as error:  # the loop is one of the three boundaries where everything is caught; pyarrow's errors are ValueErrors
            log.warning("archive.failed", error=str(error), exc_info=not isinstance(error, (PandaError, *DATABASE_AWAY)))
        await _pause(stop, LOOK_SECONDS)


async def _once(options: database.Options, policy: Policy, stop: asyncio.Event) -> None:
    require_pyarrow()
    connection = await database.connect(options, "archive")
    try:
        await run(connection, policy, Progress(Rest(stop).after, ended=_log_end, changed=_log_change, stayed=_log_stay))
    except Stopped:
        log.info("archive.stopped")
    finally:
        await connection.close(timeout=5)


def _log_end(span: Range, state: str) -> None:
    log.info("archive.ended", range=str(span), state=state)


def _log_change(span: Range, table: str) -> None:
    log.warning("archive.changed", range=str(span), table=table)


def _log_stay(span: Range) -> None:
    log.info("archive.stayed", range=str(span))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()
