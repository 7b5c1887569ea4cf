"""Files of secondary inputs go along with the same units in every attempt and every cut; when they run out there is a reason."""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.engine.requirements import Effective
from pandawms.engine.splitting.cut import Cut, Job, Piece, Refused, Waits, cut
from pandawms.engine.splitting.limits import MB, MOST_FILES, Reason, Room, Rules, rules
from pandawms.engine.splitting.secondaries import Company, Secondary, fraction, numbers, places_of_unit
from pandawms.wire.document import BoundarySpec, SplitSpec


def pieces(n: int, *, attempt: int = 0, job_id: int | None = None) -> list[Piece]:
    """Units of 1 MB."""
    return [Piece(number, MB, attempt=attempt, job_id=job_id) for number in range(1, n + 1)]


def by(files_per_job: int = 1, room: Room | None = None) -> Rules:
    """So many units a job."""
    return rules(SplitSpec(files_per_job=files_per_job), Effective(), room)


def secondary(n_files: int, *, per_job: int | None = None, ratio: float | None = None, size: int = MB, given: int = 0, is_complete: bool = True,
              whole: bool = False, reuse: bool = False) -> Secondary:  # fmt: skip
    """A secondary input of files of this size."""
    part, sizes = None if ratio is None else fraction(ratio), dict.fromkeys(range(1, n_files + 1), size)
    return Secondary(9, n_files, is_complete, per_job, part, whole, reuse, given, sizes)


def along(cuts: Sequence[Cut], at: int = 0) -> list[list[int]]:
    """The secondary files of each job."""
    return [list(made.companions[at]) for made in cuts if isinstance(made, Job)]


ratios = st.one_of(st.integers(1, 5).map(float), st.floats(0.05, 5).map(lambda x: round(x, 2)))


@given(st.integers(1, 60), ratios, st.integers(1, 10))
def test_by_ratio_every_unit_has_the_same_files_in_every_cut_and_all_files_are_used(n: int, ratio: float, per_job: int) -> None:
    part = fraction(ratio)
    n_files = ceil(n * part)
    made = list(cut(pieces(n), by(per_job), company=Company([secondary(n_files, ratio=ratio)])))
    assert all(isinstance(one, Job) for one in made)
    for one in made:
        assert isinstance(one, Job)
        assert set(one.companions[0]) == {place for piece in one.pieces for place in places_of_unit(part, piece.number)}
        assert list(one.companions[0]) == sorted(set(one.companions[0]))
        assert one.n_bytes == (len(one.pieces) + len(one.companions[0])) * MB
    assert {number for files in along(made) for number in files} == set(range(1, n_files + 1))


@given(st.integers(1, 1000), ratios)
def test_by_ratio_a_unit_has_a_file_at_least_and_its_share_at_most_rounded_up_at_both_ends(number: int, ratio: float) -> None:
    places = places_of_unit(fraction(ratio), number)
    assert 1 <= len(places) < ratio + 2
    assert places.start <= number * fraction(ratio) + 1


@given(st.integers(1, 40), st.integers(1, 6), st.integers(1, 5), st.integers(0, 20))
def test_per_job_the_files_follow_each_other_and_none_is_given_twice(n: int, files_per_job: int, per_job: int, given_before: int) -> None:
    n_jobs = -(-n // files_per_job)
    made = list(cut(pieces(n), by(files_per_job), company=Company([secondary(given_before + n_jobs * per_job, per_job=per_job, given=given_before)])))
    assert [number for files in along(made) for number in files] == list(range(given_before + 1, given_before + n_jobs * per_job + 1))
    assert isinstance(made[-1], Job) and made[-1].n_given == (given_before + n_jobs * per_job,)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 50))
def test_reused_files_go_round_and_no_job_has_one_twice(n_files: int, per_job: int, given_before: int) -> None:
    made = list(cut(pieces(9), by(), company=Company([secondary(n_files, per_job=per_job, given=given_before, reuse=True)])))
    assert len(along(made)) == 9
    for files in along(made):
        assert len(files) == len(set(files)) == min(per_job, n_files)
    assert [files[0] for files in along(made)] == [(given_before + turn * per_job) % n_files + 1 for turn in range(9)]


def test_every_job_gets_the_whole_input_and_their_size_counts() -> None:
    made = list(cut(pieces(6), rules(SplitSpec(mb_per_job=5), Effective()), company=Company([secondary(3, whole=True)])))
    assert along(made) == [[1, 2, 3]] * 3
    assert [len(one.pieces) for one in made] == [2, 2, 2], "3 MB go along with 2"


def test_another_attempt_has_the_files_of_the_one_before() -> None:
    again = Secondary(9, 9, True, per_job=2, n_given=6, sizes=dict.fromkeys(range(1, 10), 1), kept={70: [3, 4]})
    made = list(cut([*pieces(2, attempt=1, job_id=70), Piece(3), Piece(4)], by(2), company=Company([again])))
    assert along(made) == [[3, 4], [7, 8]]


@pytest.mark.parametrize(("told", "reason"), [({}, Reason.EXHAUSTED), ({"is_complete": False}, Reason.SECONDARY_GROWING)])
def test_when_files_run_out_units_are_refused_or_wait_for_more(told: dict[str, bool], reason: Reason) -> None:
    for lacking in (secondary(4, per_job=2, **told), secondary(4, ratio=2.0, **told)):
        made = list(cut(pieces(5), by(), company=Company([lacking])))
        assert along(made) == [[1, 2], [3, 4]]
        rest = [one for one in made if not isinstance(one, Job)]
        assert [piece.number for one in rest for piece in one.pieces] == [3, 4, 5]
        assert all(one.reason == reason and isinstance(one, Refused if told == {} else Waits) for one in rest)


def test_a_job_that_was_begun_is_not_lost_when_the_next_unit_lacks_files() -> None:
    made = list(cut(pieces(3), by(3), company=Company([secondary(4, ratio=2.0, is_complete=False)])))
    assert [(type(one), [piece.number for piece in one.pieces]) for one in made] == [(Waits, [1, 2, 3])]
    made = list(cut(pieces(3), by(3), company=Company([secondary(4, ratio=2.0)])))
    assert [(type(one), [piece.number for piece in one.pieces]) for one in made] == [(Refused, [3]), (Job, [1, 2])]


def test_an_input_that_grows_waits_where_all_of_it_goes_along_or_it_begins_again() -> None:
    for lacking in (secondary(2, whole=True, is_complete=False), secondary(2, per_job=3, reuse=True, is_complete=False)):
        (made,) = cut(pieces(2), by(), company=Company([lacking]))
        assert isinstance(made, Waits) and made.reason == Reason.SECONDARY_GROWING


def test_an_empty_input_is_no_file_where_all_goes_along_and_a_shortage_elsewhere() -> None:
    assert along(list(cut(pieces(2), by(), company=Company([secondary(0, whole=True)])))) == [[], []]
    assert {type(one) for one in cut(pieces(2), by(), company=Company([secondary(0, per_job=1, reuse=True)]))} == {Refused}


def test_several_secondary_inputs_go_along_together() -> None:
    made = list(cut(pieces(4), by(2), company=Company([secondary(2, whole=True), secondary(4, per_job=1), secondary(4, ratio=1.0)])))
    assert [one.companions for one in made if isinstance(one, Job)] == [((1, 2), (1,), (1, 2)), ((1, 2), (2,), (3, 4))]


def test_files_of_all_inputs_together_are_limited() -> None:
    (made,) = cut(pieces(1), by(), company=Company([secondary(MOST_FILES, whole=True, size=0)]))
    assert isinstance(made, Refused) and made.reason == Reason.ALL_FILES


def test_a_group_that_lacks_files_is_refused_as_one() -> None:
    whole = rules(SplitSpec(boundary=BoundarySpec(name_field=1, one_job_per_group=True)), Effective())
    grouped = [piece._replace(group="ab"[piece.number > 2]) for piece in pieces(4)]
    first, second = cut(grouped, whole, company=Company([secondary(3, ratio=1.0)]))
    assert isinstance(first, Job) and isinstance(second, Refused)
    assert (second.reason, [piece.number for piece in second.pieces]) == (Reason.EXHAUSTED, [3, 4])


def test_places_beyond_the_last_file_are_left_out_or_go_round() -> None:
    assert numbers(range(3, 8), 5, reuse=False) == [3, 4, 5]
    assert numbers(range(7, 9), 5, reuse=False) == []
    assert numbers(range(4, 8), 5, reuse=True) == [4, 5, 1, 2]
    assert numbers(range(1, 9), 3, reuse=True) == [1, 2, 3]


@pytest.mark.parametrize(("ratio", "per_job", "job_id"), [(1.0, None, None), (None, 1, None), (None, 1, 7)])
def test_a_unit_waits_for_the_file_that_comes_in_place_of_a_lost_one_and_so_do_those_behind_it(
    ratio: float | None, per_job: int | None, job_id: int | None
) -> None:
    of = replace(secondary(4, is_complete=False, ratio=ratio, per_job=per_job), vacant=frozenset({2}), kept={7: [2]})
    units = [Piece(1, MB), Piece(2, MB, attempt=int(job_id is not None), job_id=job_id), Piece(3, MB)]
    *made, rest = cut(units, by(), company=Company([of]))
    assert [one.companions for one in made if isinstance(one, Job)] == [((1,),)]
    assert isinstance(rest, Waits)
    assert ([piece.number for piece in rest.pieces], rest.reason) == ([2, 3], Reason.SECONDARY_GROWING)
