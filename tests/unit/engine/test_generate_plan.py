"""A split covers the input exactly once; what two attempts write never has the same name."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.job import MAX_SEED, seed
from pandawms.domain.output_file import file_name, suffixes
from pandawms.engine.generate.placing import others, place, room_of, too_demanding
from pandawms.engine.generate.plan import Companion, merge_job, most_units, need, pieces, raises, refusals, run_jobs, select, window
from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.cut import Job, Piece, Raised, Refused, Rest, cut
from pandawms.engine.splitting.limits import MB, Limit, Reason, rules
from pandawms.store.jobs import NewInput, NewJob
from pandawms.store.merges import Group, Member
from pandawms.store.retry_rules import Slot
from pandawms.store.splitting import Traits
from pandawms.store.units import Unit
from pandawms.wire.checks import decode_document
from pandawms.wire.document import SplitSpec
from tests.world import task


def units(n: int, *, attempt: int = 0, first: int = 1) -> list[Unit]:
    """Units that are files."""
    return [Unit(100 + i, 5, 1000 + i, i, None, None, attempt, 7 if attempt else None, 1, 3) for i in range(first, first + n)]


def jobs(given_units: list[Unit], per_job: int, rest: Rest = Rest.NOTHING) -> list[Job]:
    """The jobs that units make, so many units a job."""
    made = cut(pieces(given_units, {}), rules(SplitSpec(files_per_job=per_job), Effective()), rest)
    return select(made, 10**9, None).jobs


def rows(given_units: list[Unit], per_job: int, **changes: Any) -> tuple[list[NewJob], list[NewInput]]:
    """The rows of these jobs, with ids from 50."""
    made = jobs(given_units, per_job)
    return run_jobs(made, list(range(50, 50 + len(made))), {unit.number: unit for unit in given_units}, **changes)


@given(st.integers(0, 300), st.integers(1, 60))
def test_a_complete_input_is_covered_exactly_once_in_order(n_units: int, per_job: int) -> None:
    given_units = units(n_units)
    made = jobs(given_units[::-1], per_job)
    assert [piece.number for job in made for piece in job.pieces] == [unit.number for unit in given_units]
    assert all(len(job.pieces) == per_job for job in made[:-1])


@given(st.integers(0, 300), st.integers(1, 60), st.sampled_from([Rest.MORE_INPUT, Rest.MORE_UNITS]))
def test_of_an_input_that_may_grow_only_whole_jobs_are_taken(n_units: int, per_job: int, rest: Rest) -> None:
    made = jobs(units(n_units), per_job, rest)
    assert [len(job.pieces) for job in made] == [per_job] * (n_units // per_job)


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_step_takes_whole_jobs_and_one_at_least(per_step: int, per_job: int) -> None:
    most = most_units(per_step, per_job)
    assert most % per_job == 0
    assert 0 < most <= max(per_step, per_job)


@given(st.integers(1, 20_000), st.integers(1, 300))
def test_a_part_is_looked_at_in_whole_jobs(n_units: int, largest: int) -> None:
    assert n_units <= window(n_units, largest, is_regular=True) < n_units + largest
    assert window(n_units, largest, is_regular=True) % largest == 0
    assert window(n_units, largest, is_regular=False) == n_units + largest


@given(st.integers(1, 100), st.integers(1, 20), st.integers(0, 3))
def test_every_unit_is_the_input_of_one_job_and_seeds_differ_within_a_task(n_units: int, per_job: int, attempt: int) -> None:
    new, inputs = rows(units(n_units, attempt=attempt), per_job)
    assert sorted(f.task_file_id or 0 for f in inputs) == [100 + i for i in range(1, n_units + 1)]
    assert len({(f.job_id, f.n) for f in inputs}) == len(inputs)
    assert len({seed(10_000_001, job.serial) for job in new}) == len(new)
    assert {(job.attempt, job.previous_job_id) for job in new} == {(attempt + 1, 7 if attempt else None)}


@given(st.integers(1, 100), st.integers(1, 7), st.integers(1, 40), st.integers(0, 5))
def test_a_share_is_used_up_with_whole_jobs_and_first_attempts_are_counted(n_units: int, per_job: int, quota: int, most_first: int) -> None:
    given_units = [*units(2, attempt=1), *units(n_units, first=3)]
    found = select(cut(pieces(given_units, {}), rules(SplitSpec(files_per_job=per_job), Effective())), quota, most_first)
    used = sum(len(job.pieces) for job in found.jobs)
    assert used < quota + per_job
    assert sum(job.pieces[0].attempt == 0 for job in found.jobs) <= most_first
    assert used >= quota or most_first <= sum(job.pieces[0].attempt == 0 for job in found.jobs) or used == len(given_units)
    assert all(job.pieces[0].attempt == 0 for job in found.over)


def test_files_that_go_along_come_behind_the_units_and_serials_begin_where_the_task_says() -> None:
    new, inputs = rows(units(3), 2, companions=[[Companion(6, 70)], [Companion(6, 71), Companion(8, 90)]], first_serial=1001)
    assert [job.serial for job in new] == [1001, 1003]
    assert [(f.job_id, f.n, f.task_dataset_id, f.task_file_id, f.file_id) for f in inputs] == [
        (50, 0, 5, 101, 1001), (50, 1, 5, 102, 1002), (50, 2, 6, None, 70), (51, 0, 5, 103, 1003), (51, 1, 6, None, 71), (51, 2, 8, None, 90),
    ]  # fmt: skip


def test_the_events_of_a_job_are_those_of_all_its_units_where_all_are_known() -> None:
    known = [unit._replace(n_events=5) for unit in units(3)]
    assert [job.n_events for job in rows(known, 2)[0]] == [10, 5]
    assert [job.n_events for job in rows([known[0], units(3)[1], known[2]], 2)[0]] == [None, 5]


def test_what_retry_rules_raised_is_what_the_job_asks_for_up_to_what_the_slot_has() -> None:
    traits = {101: Traits(None, 3000, None, None), 102: Traits(None, 3000, 9000, None)}
    made = pieces(units(2, attempt=1), traits)
    assert [piece.raised for piece in made] == [Raised(3000), Raised(3000, 9000)]
    job = Job(made, Reason.END, 500 * MB, 100)
    assert raises(job) == (3000, 9000)
    asked = Effective(wall_seconds_per_event=100.0, work_mb=9000, memory_mb=3000)
    needs = need(asked, job, SLOT)
    assert (needs.memory_mb, needs.disk_mb, needs.wall_seconds) == (3000, 10_000, 7200), "predicted, in steps, and never more than the slot has"


def test_units_that_cannot_be_done_are_told_apart_by_why() -> None:
    limit = Limit(Reason.QUEUE_DISK, 50 * MB, per_byte=1, is_hard=True)
    found = refusals(
        [Refused(pieces(units(1), {}), Reason.QUEUE_DISK, limit, 75 * MB), Refused(pieces(units(2, first=2), {}), Reason.EXHAUSTED)],
        {unit.number: unit for unit in units(3)},
    )
    (disk, first), (exhausted, rest) = found.items()
    assert (disk.code, disk.limit, [(unit.number, value) for unit, value in first]) == ("split.queue_disk", 50, [(1, 75)])
    assert (exhausted.code, exhausted.limit, [(unit.number, value) for unit, value in rest]) == ("secondary.exhausted", None, [(2, None), (3, None)])


BIG = Slot(2, "big", "local", "offline", 4, 8000, 100_000, 86_400, 0, "any")
SLOT = Slot(1, "q", "local", "online", 4, 4000, 10_000, 7200, 0, "x86_64")


def placed(piece: Piece, *elsewhere: Slot, asked: Effective | None = None) -> str:
    """Where a unit ends that was cut for SLOT."""
    resources = asked or Effective()
    by = rules(SplitSpec(), resources, room_of(SLOT))
    demanding = too_demanding([piece], SLOT)
    found = select(cut([piece] if not demanding else [], by), 1, None)
    found.refused += demanding
    end = place(found, by, resources, elsewhere, None)
    (where,) = [name for name in ("jobs", "aside", "refused") if getattr(end, name)]
    return where


def test_a_unit_too_large_for_a_queue_is_left_for_a_larger_one_or_tried_or_has_failed() -> None:
    huge, long = Piece(1, 20_000 * MB), Piece(1, MB, n_events=10_000)
    slow = Effective(wall_seconds_per_event=1.0)
    assert placed(huge) == "refused"
    assert placed(huge, BIG) == "aside"
    assert placed(long, BIG, asked=slow) == "aside"
    assert placed(long, asked=slow) == "jobs", "a prediction may be wrong"
    assert placed(Piece(1, MB, attempt=1, raised=Raised(6000)), BIG) == "aside"
    assert placed(Piece(1, MB, attempt=1, raised=Raised(6000))) == "jobs"
    assert placed(Piece(1, 9000 * MB), BIG, asked=Effective(output_mb_per_input_mb=1.0)) == "aside"
    assert placed(Piece(1, 9000 * MB), asked=Effective(output_mb_per_input_mb=1.0)) == "jobs"


def test_only_queues_that_may_ever_run_the_task_count_as_elsewhere() -> None:
    document = decode_document(task(queues=["local", "big"], exclude_queues=["off"]))
    slots = [SLOT, BIG, replace(BIG, name="other"), replace(BIG, queue_id=3, community="else"), replace(BIG, queue_id=4, memory_mb=10)]
    assert [slot.queue_id for slot in others(slots, document, "local", Effective(), 1)] == [2]


@given(st.integers(1, 10**12), st.sets(st.integers(1, 1_000_000), min_size=2, max_size=50))
def test_seeds_are_in_the_range_that_generators_take_and_differ(task_id: int, numbers: set[int]) -> None:
    seeds = {seed(task_id, number) for number in numbers}
    assert len(seeds) == len(numbers)
    assert all(1 <= one <= MAX_SEED for one in seeds)


def test_a_retry_has_the_seed_and_events_of_the_attempt_before() -> None:
    first = Unit(1, 5, None, 3, 201, 100, 0, None, None, 3)
    again = first._replace(attempt=1, job_id=50)
    ((old,), _), ((new,), _) = (rows([unit], 1) for unit in (first, again))
    assert (new.serial, new.first_event, new.n_events) == (old.serial, old.first_event, old.n_events) == (3, 201, 100)
    assert (new.attempt, new.previous_job_id) == (2, 50)


attempts = st.tuples(st.integers(1, 2_000_000), st.integers(1, 99))


@given(st.sets(attempts, min_size=2, max_size=30))
def test_no_two_attempts_write_a_file_of_the_same_name(pairs: set[tuple[int, int]]) -> None:
    assert len({file_name("t", "out", serial, attempt, ".root") for serial, attempt in pairs}) == len(pairs)


def test_a_name_tells_task_stream_serial_and_attempt_and_keeps_all_suffixes() -> None:
    assert file_name("z-evgen", "muons", 12, 2, suffixes("muons.tar.gz")) == "z-evgen.muons.000012.2.tar.gz"
    assert file_name("t", "out", 1234567, 1, suffixes("out")) == "t.out.1234567.1"


def test_a_merge_job_takes_every_file_of_its_group_and_follows_the_one_before() -> None:
    members = [Member(10 + i, 1, 70 + i, 4) for i in range(3)]
    job, inputs = merge_job(Group(8, 1, 2, 5, 1, 33), members, 40)
    assert (job.attempt, job.previous_job_id, job.serial) == (2, 33, 5)
    assert [(f.file_id, f.task_file_id, f.n) for f in inputs] == [(70, None, 0), (71, None, 1), (72, None, 2)]
