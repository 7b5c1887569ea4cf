"""A split covers the input exactly once; what two attempts write never has the same name."""

from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.job import MAX_SEED, seed
from pandawms.domain.output_file import file_name, suffixes
from pandawms.engine.generate.plan import groups, merge_job, most_units, run_jobs
from pandawms.store.merges import Group, Member
from pandawms.store.units import Unit


def units(n: int, *, attempt: int = 0, first: int = 1) -> list[Unit]:
    """Units that are files."""
    return [Unit(100 + i, 5, 1000 + i, i, None, None, attempt, 7 if attempt else None, 1) for i in range(first, first + n)]


@given(st.integers(0, 500), st.integers(1, 60))
def test_a_complete_input_is_covered_exactly_once_in_order(n_units: int, per_job: int) -> None:
    given_units = units(n_units)
    cut = groups(given_units, per_job, is_complete=True)
    assert [unit for group in cut for unit in group] == given_units
    assert all(len(group) == per_job for group in cut[:-1])
    assert all(group for group in cut)


@given(st.integers(0, 500), st.integers(1, 60))
def test_of_an_input_that_may_grow_only_whole_jobs_are_taken(n_units: int, per_job: int) -> None:
    given_units = units(n_units)
    cut = groups(given_units, per_job, is_complete=False)
    assert all(len(group) == per_job for group in cut)
    taken = [unit for group in cut for unit in group]
    assert taken == given_units[: n_units // per_job * per_job]


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_a_step_takes_whole_jobs_and_one_at_least(per_step: int, per_job: int) -> None:
    most = most_units(per_step, per_job)
    assert most % per_job == 0
    assert 0 < most <= max(per_step, per_job)


@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 3))
def test_every_unit_is_the_input_of_one_job_and_seeds_differ_within_a_task(n_units: int, per_job: int, attempt: int) -> None:
    cut = groups(units(n_units, attempt=attempt), per_job, is_complete=True)
    new, inputs = run_jobs(cut, list(range(50, 50 + len(cut))))
    assert sorted(f.task_file_id or 0 for f in inputs) == [100 + i for i in range(1, n_units + 1)]
    assert len({(f.job_id, f.n) for f in inputs}) == len(inputs)
    assert len({seed(10_000_001, job.serial) for job in new}) == len(new)
    assert {(job.attempt, job.previous_job_id) for job in new} == {(attempt + 1, 7 if attempt else None)}


@given(st.integers(1, 10**12), st.sets(st.integers(1, 1_000_000), min_size=2, max_size=50))
def test_seeds_are_in_the_range_that_generators_take_and_differ(task_id: int, numbers: set[int]) -> None:
    seeds = {seed(task_id, number) for number in numbers}
    assert len(seeds) == len(numbers)
    assert all(1 <= one <= MAX_SEED for one in seeds)


def test_a_retry_has_the_seed_and_events_of_the_attempt_before() -> None:
    first = Unit(1, 5, None, 3, 201, 100, 0, None, None)
    again = Unit(1, 5, None, 3, 201, 100, 1, 50, None)
    ((old,), _), ((new,), _) = (run_jobs([[unit]], [job_id]) for unit, job_id in ((first, 50), (again, 60)))
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
