"""For every mixture of options and every pattern of failures: inputs are covered exactly once, no limit is broken, and the same input gives the same jobs."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.cut import Cut, Job, Piece, Raised, Refused, Rest, Waits, cut
from pandawms.engine.splitting.even import even
from pandawms.engine.splitting.limits import MB, Reason, Room, Rules, estimate, largest_job, learned_split, rules
from pandawms.wire.document import BoundarySpec, SplitSpec

UNLIMITED = Effective()


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One of these values, or None."""
    return st.none() | values


splits = st.builds(
    SplitSpec, events_per_job=maybe(st.integers(1, 300)), files_per_job=maybe(st.integers(1, 12)), max_files_per_job=maybe(st.integers(1, 15)),
    mb_per_job=maybe(st.integers(1, 60)), n_jobs=maybe(st.integers(1, 40)), output_mb_per_job=maybe(st.integers(1, 30)),
    wall_seconds_per_job=maybe(st.integers(1, 500)), boundary=maybe(st.builds(BoundarySpec, one_job_per_group=st.booleans())),
)  # fmt: skip
resources = st.builds(
    Effective, base_seconds=st.integers(0, 50), wall_seconds_per_event=maybe(st.floats(0.01, 2)), wall_seconds_per_mb=maybe(st.floats(0.1, 5)),
    output_mb_per_event=maybe(st.floats(0.001, 0.2)), output_mb_per_input_mb=maybe(st.floats(0.01, 2)), work_mb=maybe(st.integers(0, 20)),
)  # fmt: skip
rooms = maybe(st.builds(Room, st.integers(5, 100), st.integers(20, 800)))
sizes = st.integers(0, 30 * MB)
events = maybe(st.integers(0, 200))


@st.composite
def inputs(draw: st.DrawFn, most: int = 40) -> list[Piece]:
    """Units in order: whole files with or without known events, files cut into chunks, groups one after the other."""
    found: list[Piece] = []
    group = 0
    for file_id in range(draw(st.integers(0, most))):
        group += draw(st.sampled_from((0, 0, 1)))
        chunks = draw(st.lists(st.integers(1, 100), max_size=4)) if draw(st.integers(0, 4)) == 0 else []
        size, n_events, first = draw(sizes), draw(events), 0
        if not chunks:
            found.append(Piece(len(found) + 1, size, n_events, None, file_id, group=str(group)))
        for chunk in chunks:
            found.append(Piece(len(found) + 1, size, chunk, first, file_id, group=str(group)))
            first += chunk
    return found


def size_of(pieces: Sequence[Piece]) -> tuple[int, int, int]:
    """Units, events and bytes."""
    return len(pieces), sum(piece.n_events or 0 for piece in pieces), sum(piece.size_bytes for piece in pieces)


def check_job(job: Job, by: Rules) -> None:
    """Raises when a job breaks a limit, or mixes what must not share a job."""
    passed = [limit for limit in by.limits if limit.used(*size_of(job.pieces)) > limit.most * (1 + 1e-9) + 1e-6]
    assert not any(limit.is_hard for limit in passed)
    assert not passed or (len(job.pieces) == 1 and job.passes == passed[0].reason)
    assert len({piece.group for piece in job.pieces}) == 1
    if by.parts is not None and not by.one_job_per_group:
        assert len({(piece.number - 1) * by.parts[0] // by.parts[1] for piece in job.pieces}) == 1
    if not by.one_job_per_group:
        assert len({(piece.attempt > 0, piece.raised) for piece in job.pieces}) == 1
        assert not by.counts_events or len(job.pieces) == 1 or all(piece.n_events is not None for piece in job.pieces)
    for raised in filter(None, (piece.raised for piece in job.pieces)):
        assert by.one_job_per_group or len(job.pieces) <= (raised.units_per_job or 10**9)
    if any(piece.first_event is not None for piece in job.pieces) and not by.one_job_per_group:
        assert len({piece.file_id for piece in job.pieces}) == 1
        assert all(b.first_event == (a.first_event or 0) + (a.n_events or 0) for a, b in pairwise(job.pieces))
    assert job.n_bytes == size_of(job.pieces)[2]
    assert job.n_events == (None if any(piece.n_events is None for piece in job.pieces) else size_of(job.pieces)[1])


def units_of(cuts: Sequence[Cut]) -> list[int]:
    """The numbers of all units, in the order of what they are in."""
    return [piece.number for made in cuts for piece in made.pieces]


@given(inputs(), splits, resources, rooms, st.sampled_from(Rest))
@settings(max_examples=100)
def test_every_unit_is_in_exactly_one_job_or_refused_or_waits_and_no_limit_is_broken(
    pieces: list[Piece], split: SplitSpec, asked: Effective, room: Room | None, rest: Rest
) -> None:
    by = rules(split, asked, room, len(pieces))
    cuts = list(cut(pieces, by, rest))
    assert sorted(units_of(cuts)) == [piece.number for piece in pieces]
    for made in cuts:
        if isinstance(made, Job):
            check_job(made, by)
            assert [piece.number for piece in made.pieces] == sorted(piece.number for piece in made.pieces)
        if isinstance(made, Refused):
            assert made.limit is not None and made.limit.is_hard and made.used > made.limit.most
            assert len(made.pieces) == 1 or by.one_job_per_group
    assert [made for made in cuts if isinstance(made, Waits)] == [made for made in cuts[-1:] if isinstance(made, Waits) and rest != Rest.NOTHING]
    assert cuts == list(cut(iter(pieces), by, rest)), "the same input gives the same jobs"


@given(inputs(), splits, resources, rooms)
@settings(max_examples=70)
def test_a_job_is_closed_for_the_reason_that_it_names(pieces: list[Piece], split: SplitSpec, asked: Effective, room: Room | None) -> None:
    by = rules(split, asked, room, len(pieces))
    made = list(cut(pieces, by))
    limits = {limit.reason: limit for limit in by.limits}
    for job, after in pairwise(made):
        if isinstance(job, Job) and job.closed_by in limits:
            following = min(piece for piece in pieces if piece.number > job.pieces[-1].number)
            assert limits[job.closed_by].used(*size_of([*job.pieces, following])) > limits[job.closed_by].most
        assert not isinstance(job, Job) or job.closed_by != Reason.END
        assert isinstance(after, Job | Refused)


@given(inputs(), splits, resources, rooms, st.integers(0, 30))
@settings(max_examples=70)
def test_windows_of_any_size_give_the_jobs_of_one_long_stream(pieces: list[Piece], split: SplitSpec, asked: Effective, room: Room | None, more: int) -> None:
    by = rules(split, asked, room, len(pieces))
    ready, found = list(pieces), list[Cut]()
    window = (len(pieces) if by.one_job_per_group else largest_job(by)) + 1 + more
    while ready:
        taken = ready[:window]
        made = [one for one in cut(taken, by, Rest.NOTHING if len(taken) == len(ready) else Rest.MORE_UNITS) if not isinstance(one, Waits)]
        assert made, "a window that is larger than a job makes one"
        found += made
        done = set(units_of(made))
        ready = [piece for piece in ready if piece.number not in done]
    assert [one.pieces for one in found] == [one.pieces for one in cut(pieces, by)]


shrinks = st.sampled_from((1.0, 0.5, 0.25))
raises = maybe(st.builds(Raised, maybe(st.sampled_from((2000, 4000))), maybe(st.just(7200)), maybe(st.integers(1, 4))))


@given(inputs(30), splits, resources, rooms, st.data())
@settings(max_examples=60)
def test_whatever_fails_and_comes_back_under_smaller_limits_every_unit_is_done_once(
    pieces: list[Piece], split: SplitSpec, asked: Effective, room: Room | None, data: st.DataObject
) -> None:
    ready, done, refused = {piece.number: piece for piece in pieces}, Counter[int](), Counter[int]()
    names, job_id = Counter[tuple[int, int]](), 100
    for turn in range(8):
        by = rules(smaller(split, data.draw(shrinks) if turn else 1.0), asked, room, len(pieces))
        for made in cut([ready[number] for number in sorted(ready)], by):
            if turn < 7 and data.draw(st.integers(0, 3)) == 0:
                break  # the queue has no more room: what is left is cut again, beside what failed
            for piece in made.pieces:
                del ready[piece.number]
            if isinstance(made, Refused):
                refused.update(units_of([made]))
                continue
            assert isinstance(made, Job)
            check_job(made, by)
            job_id += 1
            first = made.pieces[0]
            names[(first.number, first.attempt + 1)] += 1
            has_failed = turn < 7 and data.draw(st.booleans())
            raised = data.draw(raises) if has_failed else None
            for piece in made.pieces:
                if has_failed:
                    ready[piece.number] = piece._replace(attempt=piece.attempt + 1, job_id=job_id, raised=raised)
                else:
                    done[piece.number] += 1
    assert done + refused == Counter(piece.number for piece in pieces)
    assert set(names.values()) <= {1}, "no two jobs have the same serial and attempt"


def smaller(split: SplitSpec, part: float) -> SplitSpec:
    """The split with a part of its limits, as a retry rule may ask."""
    given = {name: getattr(split, name) for name in ("files_per_job", "max_files_per_job", "mb_per_job", "events_per_job", "wall_seconds_per_job")}
    return SplitSpec(
        **{name: max(1, int(value * part)) for name, value in given.items() if value is not None}, n_jobs=split.n_jobs, boundary=split.boundary,
        output_mb_per_job=split.output_mb_per_job,
    )  # fmt: skip


def files(n: int, **changes: Any) -> list[Piece]:
    """Whole files of 10 MB and 100 events."""
    return [Piece(number, **({"size_bytes": 10 * MB, "n_events": 100, "file_id": number} | changes)) for number in range(1, n + 1)]


def jobs(pieces: Sequence[Piece], rest: Rest = Rest.NOTHING, asked: Effective = UNLIMITED, room: Room | None = None, **split: Any) -> list[list[int]]:
    """The numbers of the units of each job."""
    made = cut(pieces, rules(SplitSpec(**split), asked, room, len(pieces)), rest)
    return [[piece.number for piece in one.pieces] for one in made if isinstance(one, Job)]


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({}, [[1], [2], [3], [4], [5], [6], [7]]),
        ({"files_per_job": 3}, [[1, 2, 3], [4, 5, 6], [7]]),
        ({"max_files_per_job": 2, "mb_per_job": 1000}, [[1, 2], [3, 4], [5, 6], [7]]),
        ({"events_per_job": 299}, [[1, 2], [3, 4], [5, 6], [7]]),
        ({"events_per_job": 300}, [[1, 2, 3], [4, 5, 6], [7]]),
        ({"mb_per_job": 40}, [[1, 2, 3, 4], [5, 6, 7]]),
        ({"mb_per_job": 5}, [[1], [2], [3], [4], [5], [6], [7]]),
        ({"n_jobs": 3}, [[1, 2, 3], [4, 5], [6, 7]]),
        ({"n_jobs": 50}, [[1], [2], [3], [4], [5], [6], [7]]),
        ({"n_jobs": 2, "max_files_per_job": 3}, [[1, 2, 3], [4], [5, 6, 7]]),
        ({"files_per_job": 6, "mb_per_job": 40}, [[1, 2, 3, 4], [5, 6, 7]]),
    ],
)
def test_each_option_cuts_seven_files(split: dict[str, Any], expected: list[list[int]]) -> None:
    assert jobs(files(7), **split) == expected


def test_output_wall_time_and_work_disk_are_predicted_from_the_rates() -> None:
    asked = Effective(base_seconds=100, wall_seconds_per_event=1.0, output_mb_per_event=0.1, work_mb=5)
    assert jobs(files(6), asked=asked, wall_seconds_per_job=300) == [[1, 2], [3, 4], [5, 6]]
    assert jobs(files(6), asked=asked, output_mb_per_job=30) == [[1, 2, 3], [4, 5, 6]]
    assert jobs(files(6), asked=asked, mb_per_job=45) == [[1, 2], [3, 4], [5, 6]], "5 + n x (10 + 10)"
    assert jobs(files(6), asked=asked, room=Room(65, 10_000), mb_per_job=1000) == [[1, 2, 3], [4, 5, 6]]
    assert jobs(files(6), asked=asked, room=Room(1000, 500), mb_per_job=1000) == [[1, 2, 3, 4], [5, 6]]


def test_a_unit_that_a_queue_cannot_take_is_refused_with_the_limit_and_others_go_on() -> None:
    given_files = [*files(2), Piece(3, 90 * MB, 100), Piece(4, 10 * MB, 100)]
    first, big, last = cut(given_files, rules(SplitSpec(files_per_job=2), UNLIMITED, Room(50, 1000)))
    assert isinstance(big, Refused) and (big.reason, big.used / MB) == (Reason.QUEUE_DISK, 90)
    assert (units_of([first]), units_of([big]), units_of([last])) == ([1, 2], [3], [4])


def test_a_unit_that_passes_a_wish_of_its_task_is_a_job_alone_that_says_so() -> None:
    made = list(cut([*files(1), Piece(2, 90 * MB, 100), *files(1)], rules(SplitSpec(mb_per_job=50), UNLIMITED)))
    assert [(isinstance(one, Job) and one.passes) for one in made] == [None, Reason.SIZE, None]


def test_a_group_is_never_shared_and_may_have_to_be_one_job() -> None:
    grouped = [piece._replace(group="ab"[piece.number > 3]) for piece in files(7)]
    boundary = BoundarySpec(name_field=1)
    assert jobs(grouped, boundary=boundary) == [[1, 2, 3], [4, 5, 6, 7]]
    assert jobs(grouped, boundary=boundary, files_per_job=2) == [[1, 2], [3], [4, 5], [6, 7]]
    whole = BoundarySpec(name_field=1, one_job_per_group=True)
    assert jobs(grouped, boundary=whole, files_per_job=2, mb_per_job=1) == [[1, 2, 3], [4, 5, 6, 7]]
    small, large = cut(grouped, rules(SplitSpec(boundary=whole), UNLIMITED, Room(35, 10)))
    assert isinstance(small, Job) and isinstance(large, Refused) and units_of([large]) == [4, 5, 6, 7]


def test_chunks_of_events_share_a_job_only_where_they_follow_each_other_in_one_file() -> None:
    chunks = [Piece(1, 1, 50, 0, 7), Piece(2, 1, 50, 50, 7), Piece(3, 1, 20, 100, 7), Piece(4, 1, 50, 0, 8), Piece(5, 1, 50, 100, 8), Piece(6, 1, 10)]
    assert jobs(chunks, events_per_job=1000) == [[1, 2, 3], [4], [5], [6]]


def test_the_last_job_waits_for_more_units_unless_it_is_another_attempt() -> None:
    assert jobs(files(5), Rest.MORE_INPUT, files_per_job=3) == [[1, 2, 3]]
    assert jobs(files(5, attempt=1), Rest.MORE_INPUT, files_per_job=3) == [[1, 2, 3], [4, 5]]
    assert jobs(files(5, attempt=1), Rest.MORE_UNITS, files_per_job=3) == [[1, 2, 3]]


def test_what_retry_rules_raised_goes_into_jobs_of_its_own() -> None:
    raised = [piece._replace(attempt=1, raised=Raised(4000) if piece.number in (2, 3) else Raised(units_per_job=2)) for piece in files(7)]
    assert jobs(raised, files_per_job=5) == [[1], [2, 3], [4, 5], [6, 7]]


def test_scouts_that_were_too_short_make_jobs_larger() -> None:
    short = {"larger_jobs": True, "max_files_per_job": 200}
    split = learned_split(SplitSpec(files_per_job=1, mb_per_job=20), short)
    assert (split.files_per_job, split.mb_per_job, split.max_files_per_job) == (None, None, 200)
    assert estimate(rules(split, UNLIMITED, larger_jobs=True), 1.0, 1.0) == 200
    assert learned_split(SplitSpec(files_per_job=1), {}) == SplitSpec(files_per_job=1)


@given(splits.filter(lambda split: split.boundary is None), resources, rooms, st.integers(1, 60), st.integers(0, 5 * MB), st.integers(0, 50))
def test_the_estimate_is_the_size_of_a_job_of_equal_units(
    split: SplitSpec, asked: Effective, room: Room | None, n: int, size_bytes: int, n_events: int
) -> None:
    by = rules(split, asked, room, n)
    made = [one for one in cut(files(n, size_bytes=size_bytes, n_events=n_events), by) if isinstance(one, Job)]
    largest = max((len(one.pieces) for one in made), default=1)
    assert largest <= estimate(by, size_bytes, n_events)
    assert largest == min(n, estimate(by, size_bytes, n_events)) or not made


def test_fresh_units_do_not_join_units_that_were_tried_before() -> None:
    mixed = [piece._replace(attempt=int(piece.number in (1, 4))) for piece in files(6)]
    assert jobs(mixed, files_per_job=5) == [[1], [2, 3], [4], [5, 6]]


numbers = st.integers(0, 40).flatmap(
    lambda n: st.sampled_from([
        [Piece(number, first_event=number) for number in range(1, n + 1)],
        [Piece(number, n_events=100, first_event=100 * number) for number in range(1, n + 1)],
        [Piece(number, n_events=7 if number == n else 100, first_event=100 * number) for number in range(1, n + 1)],
        [Piece(number, attempt=number % 2) for number in range(1, n + 1)],
        files(n),
        files(n, size_bytes=3 * MB, n_events=20),
        [piece._replace(size_bytes=piece.number * MB, n_events=piece.number % 3 or None) for piece in files(n)],
    ])
)  # fmt: skip


@given(numbers, splits, resources, rooms, st.sampled_from(Rest))
@settings(max_examples=150)
def test_the_short_way_gives_what_the_long_way_gives(pieces: list[Piece], split: SplitSpec, asked: Effective, room: Room | None, rest: Rest) -> None:
    for one in (split, SplitSpec(files_per_job=split.files_per_job)):
        by = rules(one, asked, room, len(pieces))
        quick = even(pieces, by, rest)
        assert quick is None or list(quick) == list(cut(pieces, by, rest))


def test_the_short_way_is_taken_for_fresh_units_that_need_no_sums() -> None:
    by = rules(SplitSpec(files_per_job=3), UNLIMITED, Room(10, 1000))
    fresh = [Piece(number, first_event=number) for number in range(1, 9)]
    assert [len(made.pieces) for made in even(fresh, by) or ()] == [3, 3, 2]
    assert even([*fresh, Piece(9, attempt=1)], by) is None
    assert [made.n_bytes for made in even(files(4, size_bytes=MB), by) or () if isinstance(made, Job)] == [3 * MB, MB]
    assert even(files(4, size_bytes=4 * MB), by) is None
    assert even(fresh, rules(SplitSpec(n_jobs=3), UNLIMITED, n_units=8)) is None
