"""What a job is to have: asked for, learned, ordered, raised for its inputs, in this order."""

from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.snapshot import JobKind
from pandawms.engine.requirements import Effective, effective, predicted_disk_mb, predicted_output_mb, predicted_wall_seconds, requirement, sized
from pandawms.wire.document import ResourceSpec

ASKED = ResourceSpec(cores=2, memory_mb=2000, wall_seconds=7200)


def test_each_source_wins_over_the_one_before_it() -> None:
    learned, ordered = {"memory_mb": 3000, "wall_seconds": 900}, {"wall_seconds": 1800}
    assert requirement(effective(ASKED)) == requirement(ASKED)
    assert effective(ASKED, learned).memory_mb == 3000
    assert effective(ASKED, learned, ordered).wall_seconds == 1800
    assert effective(ASKED, learned, ordered, 6000).memory_mb == 6000
    assert effective(ASKED, learned, ordered, 1000, unit_wall_seconds=900) == effective(ASKED, learned, ordered), "a unit only raises"
    assert effective(ASKED, unit_wall_seconds=9000).wall_seconds == 9000


def test_what_is_fixed_changes_only_by_an_order_and_for_a_unit_by_memory() -> None:
    fixed = ResourceSpec(memory_mb=2000, is_fixed=True)
    assert effective(fixed, {"memory_mb": 3000, "wall_seconds": 9000}) == effective(fixed)
    assert effective(fixed, {"memory_mb": 3000}, {"memory_mb": 4000}).memory_mb == 4000
    assert effective(fixed, unit_memory_mb=6000, unit_wall_seconds=9000) == effective(fixed, None, {"memory_mb": 6000})


def test_what_has_another_name_or_no_value_or_cannot_be_learned_is_passed_over() -> None:
    assert effective(ASKED, {"larger_jobs": True, "memory_mb": None, "cores": 16, "is_fixed": True}) == effective(ASKED)
    assert effective(ASKED, None, {"cores": 4}).cores == 4


def test_merge_jobs_learn_from_merge_jobs_alone() -> None:
    learned = {"memory_mb": 500, "merge_memory_mb": 8000}
    assert effective(ASKED, learned, kind=JobKind.MERGE).memory_mb == 8000
    assert effective(ASKED, learned).memory_mb == 500


def test_rates_say_what_a_job_of_a_size_needs() -> None:
    found = Effective(base_seconds=600, wall_seconds_per_event=2.0, output_mb_per_event=0.5, output_mb_per_input_mb=9.0, work_mb=100)
    assert predicted_wall_seconds(found, 1000, None) == 2600
    assert (predicted_output_mb(found, 1000, 50), predicted_output_mb(found, None, 50)) == (500, 450)
    assert predicted_disk_mb(found, 1000, 50) == 650
    nothing = Effective()
    assert (predicted_wall_seconds(nothing, 1000, 50), predicted_output_mb(nothing, 1000, 50), predicted_disk_mb(nothing, 1000, 50)) == (0, 0, 0)


@given(st.builds(Effective, disk_mb=st.integers(1, 10**6), wall_seconds=st.integers(1, 10**6), wall_seconds_per_event=st.none() | st.floats(0, 1e4),
                 output_mb_per_event=st.none() | st.floats(0, 1e3), work_mb=st.none() | st.integers(0, 10**5)),
       st.none() | st.integers(0, 10**6), st.none() | st.floats(0, 1e6))  # fmt: skip
def test_a_job_is_given_what_is_predicted_with_an_eighth_more_at_most(found: Effective, n_events: int | None, input_mb: float | None) -> None:
    made = sized(found, n_events=n_events, input_mb=input_mb)
    for given_, least, predicted in (
        (made.wall_seconds, found.wall_seconds, predicted_wall_seconds(found, n_events, input_mb)),
        (made.disk_mb, found.disk_mb, predicted_disk_mb(found, n_events, input_mb)),
    ):
        assert given_ >= max(least, predicted)
        assert given_ <= max(least, predicted * 1.125 + 2)


def test_jobs_of_many_sizes_share_few_classes() -> None:
    made = {sized(Effective(wall_seconds_per_event=1.0), n_events=n).wall_seconds for n in range(1, 1_000_000, 37)}
    assert len(made) <= 8 * 20
