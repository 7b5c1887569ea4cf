"""Proves that the books agree: every job has one final status, every unit and file is counted once, counters are sums, and the logs give every status.

The audit runs beside a live system. It goes through each kind of thing in ranges of ids, and each check of a range is one read-only statement: it sees one
snapshot, which lasts as long as the statement (about half a second for 50,000 ids; a task, or a dataset, is never cut, so the largest one sets the longest).
What a check finds is looked for again in a fresh snapshot, and only what both saw is reported. So nothing that is under way is called a fault. In return, two
ranges are seen at different times: that something holds everywhere follows from what each row says by itself (a unit names its last job, and a finished job
must be the one that its units name), and a fault that appears behind the audit's back is found by the next one.

A row that breaks several rules of one check is shown under the first. Ranges of ids that were exported have archive rows only, or none: what needs more is
not looked at there. Output files that a job is still to write are not looked at anywhere.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pandawms.store.audit_rules import DOMAINS, GIVEN, RULES, Check, Domain
from pandawms.store.database import Connection
from pandawms.store.sql import load

SAMPLES = 5
"""How many broken rows of a rule are shown."""
KEPT = 10_000
"""How many broken rows of a check of one range are compared one by one with the second look; beyond that only their numbers are."""
STEP = 50_000
"""About how many ids one statement looks at."""
LAST = 2**63 - 1

SETTINGS = """
SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
SET LOCAL random_page_cost = 1.1; SET LOCAL work_mem = '32MB'; SET LOCAL jit = off;
SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL statement_timeout = '10min'
"""
"""Plans are made for each range, whatever the connection was opened for; one statement may be long when one task is large."""

sql = load("audit")


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that is broken: by how many rows, and what some of them look like."""

    rule: str
    broken: int
    samples: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit is: which kind of thing is looked at, and up to which id it is done (None: to its end)."""

    what: str
    reached: int | None


@dataclass(slots=True)
class Broken:
    """What one check found in one range: how many rows by rule, and the first of them by what they are known by (rule, id, part)."""

    counts: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[str, int, int | None], dict[str, Any]] = field(default_factory=dict)

    def add(self, row: dict[str, Any]) -> None:
        """Takes a broken row."""
        rule = row.pop("rule")
        self.counts[rule] = self.counts.get(rule, 0) + 1
        if len(self.rows) < KEPT:
            self.rows[rule, row["id"], row.get("part")] = row


@dataclass(slots=True)
class Book:
    """All that was found and seen twice."""

    counts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, first: Broken, again: Broken) -> None:
        """Takes what both looks at a range saw. Of more rows than are kept, the smaller number counts."""
        both = [(key, row) for key, row in again.rows.items() if key in first.rows]
        is_whole = sum(first.counts.values()) <= KEPT
        for rule in first.counts.keys() & again.counts.keys():
            rows = [row for key, row in both if key[0] == rule]
            n = len(rows) if is_whole else min(first.counts[rule], again.counts[rule])
            if n:
                self.counts[rule] = self.counts.get(rule, 0) + n
                kept = self.samples.setdefault(rule, [])
                kept += rows[: SAMPLES - len(kept)]

    def findings(self) -> list[Finding]:
        """Returns the broken rules in the order of the documentation."""
        return [Finding(sentence, self.counts[rule], tuple(self.samples[rule])) for rule, sentence in RULES.items() if rule in self.counts]


async def run(connection: Connection, progress: Callable[[Progress], None] | None = None, *, step: int = STEP) -> list[Finding]:
    """Returns every rule that is broken, with numbers and samples; an empty list means that all books agree.

    The connection must not be in a transaction; it may be one to a replica. `step` is about how many ids one statement looks at.
    """
    book = Book()
    for domain in DOMAINS:
        async for low, high in _ranges(connection, domain, step):
            for check in domain.checks:
                await _check(connection, check, low, high, book)
            if progress is not None:
                progress(Progress(domain.name, None if high == LAST else high))
    return book.findings()


async def _ranges(connection: Connection, domain: Domain, step: int) -> AsyncIterator[tuple[int, int]]:
    """Yields ranges of ids that touch each other and cover all; ranges of jobs end at the borders of what was exported."""
    low = 0
    while low < LAST:
        high = await getattr(sql, domain.next)(connection, low=low, n=step) or LAST
        if domain.is_exported:
            borders = [border for exported in await _exported(connection) for border in exported]
            high = min([high, *(border for border in borders if border > low)])
        yield low, high
        low = high


async def _check(connection: Connection, check: Check, low: int, high: int, book: Book) -> None:
    first = await _look(connection, check, low, high)
    if first.counts:
        book.add(first, await _look(connection, check, low, high))


async def _look(connection: Connection, check: Check, low: int, high: int) -> Broken:
    """Looks once, in a snapshot of its own."""
    found = Broken()
    is_exported = check.knows_export and any(start <= low < end for start, end in await _exported(connection))
    if is_exported and check.needs_details:
        return found
    query = load(check.aggregate)
    given = GIVEN | check.given | {"low": low, "high": high, "is_exported": is_exported}
    async with connection.transaction(readonly=True):
        await connection.execute(f"{SETTINGS}; SET LOCAL enable_nestloop = {'off' if check.joins_sets else 'on'}")
        asked = {name: given[name] for name in getattr(query, check.query).parameters}
        async with getattr(query, f"{check.query}_cursor")(connection, **asked) as rows:
            async for row in rows:
                found.add(dict(row))
    return found


async def _exported(connection: Connection) -> list[tuple[int, int]]:
    return [(row["from_id"], row["to_id"]) async for row in sql.exported(connection)]


def summary(findings: Iterable[Finding]) -> str:
    """Returns findings as text: a line for each rule, and under it the rows."""
    return "\n".join("\n".join([f"{f.rule}: broken {f.broken} times", *(f"    {row}" for row in f.samples)]) for f in findings)
