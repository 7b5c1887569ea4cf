"""Which outputs are merged together, and when the input of a task is settled."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pandawms.engine.aggregate.plan import MB, is_last_of_run_jobs, is_settled, merge_groups
from pandawms.store.merges import Unmerged
from pandawms.store.units import Progress

files = st.lists(st.tuples(st.integers(1, 400), st.integers(1, 3), st.integers(1, 4)), max_size=100, unique_by=lambda f: f[0]).map(
    lambda found: [Unmerged(job_id, n, queue_id) for job_id, n, queue_id in found]
)
sizes = st.one_of(st.none(), st.integers(2, 20))
of_payloads = st.lists(st.integers(1, 5), max_size=30).map(
    lambda counts: [Unmerged(job_id, n, 1, MB) for job_id, n_files in enumerate(counts) for n in range(n_files)]
)
"""Jobs with a file for each of their payloads."""


@given(files, sizes, st.booleans())
def test_every_file_is_in_one_group_at_most_and_a_group_is_of_one_queue(found: list[Unmerged], size: int | None, is_last: bool) -> None:
    made = merge_groups(found, size, is_last=is_last)
    grouped = [file for group in made for file in group]
    assert len(set(grouped)) == len(grouped)
    assert set(grouped) <= set(found)
    assert all(len({file.queue_id for file in group}) == 1 for group in made)
    assert all(group for group in made)


@given(files, sizes)
def test_when_no_more_will_come_every_file_is_in_a_group(found: list[Unmerged], size: int | None) -> None:
    made = merge_groups(found, size, is_last=True)
    assert {file for group in made for file in group} == set(found)
    by_queue = {queue_id: sum(file.queue_id == queue_id for file in found) for queue_id in {file.queue_id for file in found}}
    assert len(made) == sum(-(-n // (size or n)) for n in by_queue.values())


@given(files, st.integers(2, 20))
def test_while_more_may_come_only_full_groups_are_made_and_as_many_as_there_are(found: list[Unmerged], size: int) -> None:
    made = merge_groups(found, size, is_last=False)
    assert all(len(group) == size for group in made)
    left = set(found) - {file for group in made for file in group}
    assert all(sum(file.queue_id == queue_id for file in left) < size for queue_id in {file.queue_id for file in left})


@given(of_payloads, st.integers(2, 8), st.booleans())
def test_what_the_payloads_of_one_job_wrote_is_in_one_group(found: list[Unmerged], size: int, is_last: bool) -> None:
    made = merge_groups(found, size, is_last=is_last)
    groups = [{file.job_id for file in group} for group in made]
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert all(len(group) <= size or len({file.job_id for file in group}) == 1 for group in made)
    assert not is_last or sorted(file for group in made for file in group) == sorted(found)


@given(files)
def test_without_a_size_nothing_is_merged_before_the_end(found: list[Unmerged]) -> None:
    assert merge_groups(found, None, is_last=False) == []


sized = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40)), max_size=60).map(
    lambda found: [Unmerged(job_id, 0, queue_id, size_mb * MB) for job_id, (queue_id, size_mb) in enumerate(found)]
)


@given(sized, st.integers(1, 60), sizes)
def test_no_group_is_larger_than_its_limits_but_for_a_file_alone(found: list[Unmerged], mb: int, size: int | None) -> None:
    made = merge_groups(found, size, mb, is_last=True)
    assert sorted(file for group in made for file in group) == sorted(found)
    assert all(len(group) == 1 or sum(file.size_bytes for file in group) <= mb * MB for group in made)
    assert all(len(group) <= (size or len(found)) for group in made)


@given(sized, st.integers(1, 60), st.data())
def test_groups_do_not_depend_on_when_they_are_made(found: list[Unmerged], mb: int, data: st.DataObject) -> None:
    """Outputs that come in two parts, in the order of their jobs, are grouped as if they had come at once."""
    first = found[: data.draw(st.integers(0, len(found)))]
    early = merge_groups(first, None, mb, is_last=False)
    grouped = {file for group in early for file in group}
    late = merge_groups([file for file in found if file not in grouped], None, mb, is_last=True)
    assert sorted(map(tuple, early + late)) == sorted(map(tuple, merge_groups(found, None, mb, is_last=True)))


def progress(listed: int, finished: int, failed: int, *, has_jobs: bool = False) -> Progress:
    """A picture of a task whose whole input is listed and of which nothing waits."""
    return Progress(
        n_listed=listed, n_used=finished + failed, n_finished=finished, n_failed=failed, n_events=listed * 2, n_events_finished=finished * 2,
        is_complete=True, has_waiting_units=False, has_jobs=has_jobs, has_working_jobs=False,
    )  # fmt: skip


def test_a_task_is_settled_when_all_is_listed_every_unit_has_ended_and_no_job_is_left() -> None:
    settled = progress(5, 3, 2)
    assert is_settled(settled)
    assert is_settled(progress(0, 0, 0))
    assert not is_settled(replace(settled, is_complete=False))
    assert not is_settled(replace(settled, has_jobs=True))
    assert not is_settled(replace(settled, n_failed=1))


def test_the_last_group_is_cut_when_nothing_is_open_and_only_merging_jobs_are_hot() -> None:
    waiting = progress(5, 0, 1, has_jobs=True)
    assert is_last_of_run_jobs(waiting)
    assert not is_last_of_run_jobs(replace(waiting, has_waiting_units=True))
    assert not is_last_of_run_jobs(replace(waiting, has_working_jobs=True))
    assert not is_last_of_run_jobs(replace(waiting, is_complete=False))
