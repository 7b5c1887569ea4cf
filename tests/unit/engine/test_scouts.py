"""What scouts show: when enough have ended, what later jobs are given, and when it makes no sense to go on."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.engine.aggregate.measuring import Sample, at_percentile, learned, quantities
from pandawms.engine.aggregate.scouting import larger
from pandawms.engine.aggregate.scouts import Case, Judgement, Standing, Window, judge, measure_again
from pandawms.engine.requirements import Effective
from pandawms.engine.services import ScoutLimits
from pandawms.wire.checks import decode_document

LIMITS = ScoutLimits()
ALL_WELL = Window(10, 10, 10, is_open=False, success=0.5)


@pytest.mark.parametrize(
    ("finished", "is_open", "standing"),
    [
        (0, True, Standing.WAIT),
        (4, True, Standing.WAIT),
        (5, True, Standing.ENOUGH),
        (10, False, Standing.ENOUGH),
        (5, False, Standing.ENOUGH),
        (4, False, Standing.FEW),
        (3, False, Standing.FEW),
        (2, False, Standing.NONE),
        (0, False, Standing.NONE),
    ],
)
def test_five_of_ten_are_enough_at_once_and_fewer_only_when_all_have_ended(finished: int, is_open: bool, standing: Standing) -> None:
    assert Window(10, 10, finished, is_open=is_open, success=0.5).standing is standing


def test_a_part_of_nothing_waits_for_all_and_is_then_enough() -> None:
    assert Window(10, 10, 0, is_open=True, success=0).standing is Standing.WAIT
    assert Window(10, 10, 0, is_open=False, success=0).standing is Standing.ENOUGH


def test_an_input_with_no_more_is_judged_by_the_scouts_that_were_made() -> None:
    assert Window(10, 4, 2, is_open=True, success=0.5).standing is Standing.WAIT
    assert Window(10, 4, 2, is_open=False, success=0.5).standing is Standing.ENOUGH


@given(st.integers(1, 100), st.integers(0, 100), st.floats(0, 1))
def test_one_more_success_is_never_worse(n_made: int, n_finished: int, success: float) -> None:
    order = [Standing.NONE, Standing.FEW, Standing.ENOUGH]
    finished = min(n_finished, n_made)
    fewer = Window(n_made, n_made, max(0, finished - 1), is_open=False, success=success).standing
    assert order.index(fewer) <= order.index(Window(n_made, n_made, finished, is_open=False, success=success).standing)
    assert Window(n_made, n_made, n_made, is_open=False, success=success).standing is Standing.ENOUGH


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 100)), min_size=1, max_size=50, unique_by=lambda pair: pair[1]), st.floats(0, 100))
def test_a_percentile_is_the_value_of_the_jobs_that_it_names_and_enough_are_below(values: list[tuple[float, int]], percent: float) -> None:
    value, job_ids = at_percentile(values, percent)
    assert job_ids and all((value, job_id) in values for job_id in job_ids)
    assert sum(each <= value for each, _ in values) >= len(values) * percent / 100 - 1e-6
    assert at_percentile(values, 100)[0] == max(each for each, _ in values)
    assert at_percentile(values, 0)[0] == min(each for each, _ in values)


def scouts(n: int = 10, **each: Any) -> list[Sample]:
    """Scouts that took 1000 s, 1100 s, … for 100 events each, and a little more memory each."""
    given_: dict[str, Any] = {"n_events": 100, "input_mb": 200.0, "output_mb": 50.0, "cpu_seconds": 900.0} | each
    return [Sample(i + 1, **({"wall_seconds": 1000.0 + 100 * i, "max_rss_mb": 1500.0 + 10 * i} | given_)) for i in range(n)]


def case(samples: list[Sample] | None = None, further_jobs: int = 100_000, asked: Effective | None = None, larger_files: int = 200, **changes: Any) -> Case:
    """A case of scouts that are judged."""
    return Case(scouts() if samples is None else samples, asked or Effective(wall_seconds=86_400, memory_mb=2000), further_jobs, larger_files, **changes)


def of(found: Judgement, name: str) -> float:
    """The value of a quantity."""
    return next(quantity.value for quantity in found.quantities if quantity.name == name)


def test_what_is_learnt_follows_the_formulas() -> None:
    asked = Effective(cores=2, memory_mb=4000, wall_seconds=86_400, base_seconds=100, base_memory_mb=500)
    found = learned(quantities(scouts(8), asked))
    assert found["wall_seconds_per_event"] == pytest.approx((1700 - 100) * 1.5 / 100), "95th percentile of 8 is the largest"
    assert found["memory_mb"] == 1655, "75th percentile of 8 is the sixth: (1550 - 500) x 1.1 + 500"
    assert found["output_mb_per_event"] == pytest.approx(0.5)
    assert found["wall_seconds"] == 2550, "1.5 x the longest"
    assert "work_mb" not in found and "output_mb_per_input_mb" not in found


def test_the_jobs_at_a_percentile_are_named() -> None:
    memory = next(q for q in quantities(scouts(8), Effective()) if q.name == "memory_mb")
    assert (memory.job_ids, memory.n_jobs, memory.taken, memory.before) == ((6,), 8, "75th percentile", 1000)


def test_files_without_events_are_measured_by_their_size() -> None:
    found = learned(quantities(scouts(n_events=None), Effective(wall_seconds=86_400)))
    assert found["wall_seconds_per_mb"] == pytest.approx(1900 * 1.5 / 200)
    assert found["output_mb_per_input_mb"] == 0.25
    assert "wall_seconds_per_event" not in found


def test_small_jobs_say_nothing_about_an_event_unless_they_ran_for_hours() -> None:
    assert "wall_seconds_per_event" not in learned(quantities(scouts(n_events=9), Effective()))
    assert "wall_seconds_per_event" in learned(quantities(scouts(n_events=9, wall_seconds=7 * 3600.0), Effective()))
    assert "wall_seconds_per_mb" not in learned(quantities(scouts(n_events=None, input_mb=9.0), Effective()))


def test_work_disk_is_never_lowered() -> None:
    assert learned(quantities(scouts(work_mb=300.4), Effective(work_mb=1000)))["work_mb"] == 1000
    assert learned(quantities(scouts(work_mb=300.4), Effective()))["work_mb"] == 301


def test_fixed_resources_are_measured_and_not_applied() -> None:
    found = judge(ALL_WELL, case(asked=Effective(is_fixed=True, wall_seconds=86_400)), LIMITS)
    assert of(found, "memory_mb") > 1000
    assert (found.verdict, found.learned) == ("scouted", {})


def test_presets_stay_when_nothing_usable_was_measured() -> None:
    found = judge(ALL_WELL, case([Sample(1, 0.0)]), LIMITS)
    assert (found.verdict, found.learned) == ("scouted", {})
    assert "what was asked for stays" in found.text


@given(
    st.lists(st.builds(Sample, st.integers(1, 99), st.floats(0, 1e6), st.none() | st.floats(0, 1e6), st.none() | st.floats(0, 1e5), st.integers(1, 9),
                       st.none() | st.integers(0, 10**6), st.floats(0, 1e6), st.floats(0, 1e6), st.none() | st.floats(0, 1e6)), max_size=20),
    st.builds(Effective, st.integers(1, 64), st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6)),
)  # fmt: skip
def test_no_limit_is_set_below_what_was_seen_to_work(samples: list[Sample], asked: Effective) -> None:
    found = learned(quantities(samples, asked))
    assert all(value >= 0 for value in found.values())
    if "wall_seconds" in found:
        assert found["wall_seconds"] >= max(sample.wall_seconds for sample in samples)
    if "memory_mb" in found:
        assert found["memory_mb"] >= min(500 * asked.cores, asked.memory_mb)


def test_scouts_that_do_as_expected_let_the_task_run() -> None:
    found = judge(ALL_WELL, case(), LIMITS)
    assert (found.verdict, found.findings) == ("scouted", ())
    assert found.learned.keys() == {"memory_mb", "wall_seconds", "wall_seconds_per_event", "output_mb_per_event"}
    assert "memory in MB" in found.text


@pytest.mark.parametrize(
    ("samples", "asked", "code"),
    [
        (scouts(wall_seconds=90_000.0, cpu_seconds=80_000.0), Effective(wall_seconds=200_000, wall_seconds_per_event=400.0), "scouts.cpu_time"),
        (scouts(max_rss_mb=3700.0), Effective(wall_seconds=86_400, memory_mb=2000), "scouts.memory"),
        (scouts(wall_seconds=20.0, cpu_seconds=15.0), Effective(wall_seconds=86_400), "scouts.short"),
        (scouts(cpu_seconds=50.0), Effective(wall_seconds=86_400), "scouts.cpu_efficiency"),
        (scouts(cpu_seconds=5000.0), Effective(wall_seconds=86_400), "scouts.too_many_cores"),
    ],
)
def test_each_abnormal_case_exhausts_the_task_for_a_reason_of_its_own(samples: list[Sample], asked: Effective, code: str) -> None:
    found = judge(ALL_WELL, case(samples, asked=asked), LIMITS)
    assert (found.verdict, [finding.code for finding in found.findings]) == ("exhausted", [code])
    assert found.findings[0].job_ids and found.findings[0].text in found.text
    assert judge(ALL_WELL, case(samples, further_jobs=20, asked=asked), LIMITS).verdict == "scouted", "too few jobs are left to bother anybody"


@pytest.mark.parametrize(
    ("samples", "asked"),
    [
        (scouts(wall_seconds=90_000.0, cpu_seconds=80_000.0), Effective(wall_seconds=200_000, wall_seconds_per_event=700.0)),
        (scouts(), Effective(wall_seconds=86_400, wall_seconds_per_event=1.0)),
        (scouts(max_rss_mb=5000.0), Effective(wall_seconds=86_400, memory_mb=6000)),
        (scouts(cpu_seconds=50.0, input_mb=2000.0), Effective(wall_seconds=86_400)),
        (scouts(cpu_seconds=5000.0), Effective(cores=4, wall_seconds=86_400)),
    ],
)
def test_what_was_asked_for_or_has_a_good_reason_is_not_abnormal(samples: list[Sample], asked: Effective) -> None:
    assert judge(ALL_WELL, case(samples, asked=asked), LIMITS).verdict == "scouted"


def test_short_jobs_are_made_larger_first_and_exhaust_the_task_when_that_does_not_help() -> None:
    short = scouts(wall_seconds=20.0, cpu_seconds=15.0, n_events=None, input_mb=1.0)
    found = judge(ALL_WELL, case(short, may_be_larger=True), LIMITS)
    assert (found.verdict, [finding.code for finding in found.findings]) == ("scouted", ["scouts.enlarged"])
    assert (found.learned["larger_jobs"], found.learned["max_files_per_job"]) == (True, 200)
    assert found.learned["wall_seconds"] >= 200 * 20, "no rate is known, so the limit grows with the number of files"
    fewer = judge(ALL_WELL, case(short, may_be_larger=True, larger_files=20), LIMITS).learned
    assert (fewer["max_files_per_job"], fewer["wall_seconds"] * 10) == (20, found.learned["wall_seconds"])
    again = measure_again(case(short, was_enlarged=True, may_be_larger=True), LIMITS)
    assert (again.verdict, again.findings[0].code) == ("exhausted", "scouts.short")
    assert measure_again(case(scouts(), was_enlarged=True), LIMITS).learned["larger_jobs"] is True


MERGED = {"outputs": {"out": "o.txt"}, "merge": {"inputs": "out", "command": "cat %IN > %OUT", "files_per_job": 30, "outputs": {"whole": "w.txt"}}}


@pytest.mark.parametrize(
    ("told", "most"), [({}, 10_000), ({"program": {"command": "x", "each": {}}}, 1000), ({"program": {"command": "x > %OUT", "each": {}}} | MERGED, 30)]
)
def test_jobs_are_made_no_larger_than_a_job_may_be(told: dict[str, Any], most: int) -> None:
    document = decode_document({"name": "t", "program": {"command": "x"}, "inputs": {"in": {"pieces": 9}}, "outputs": {}} | told)
    assert [larger(document, replace(LIMITS, larger_files=n)) for n in (7, 100_000)] == [7, most]


def test_a_later_measurement_does_not_stop_a_task_again_for_what_a_person_let_pass() -> None:
    found = measure_again(case(scouts(cpu_seconds=50.0)), LIMITS)
    assert (found.verdict, [finding.code for finding in found.findings]) == ("measured", ["scouts.cpu_efficiency"])
    short = measure_again(case(scouts(wall_seconds=20.0, cpu_seconds=15.0)), LIMITS)
    assert (short.verdict, [finding.code for finding in short.findings]) == ("measured", ["scouts.short"]), "nobody has tried larger jobs"


@pytest.mark.parametrize(("n_finished", "verdict", "code"), [(0, "broken", "scouts.none"), (2, "broken", "scouts.none"), (4, "exhausted", "scouts.few")])
def test_too_few_successes_end_the_scouting(n_finished: int, verdict: str, code: str) -> None:
    found = judge(Window(10, 10, n_finished, is_open=False, success=0.5), case(scouts(n_finished)), LIMITS)
    assert (found.verdict, found.findings[0].code) == (verdict, code)
    if n_finished == 0:
        assert found.text == "no scout job succeeded"


def test_a_limit_on_the_lowest_efficiency_can_be_set() -> None:
    one_bad = [*scouts(9), replace(scouts(1)[0], job_id=99, cpu_seconds=200.0)]
    assert judge(ALL_WELL, case(one_bad), LIMITS).verdict == "scouted"
    found = judge(ALL_WELL, case(one_bad), replace(LIMITS, least_cpu_efficiency=0.5))
    assert (found.verdict, found.findings[0].job_ids) == ("exhausted", (99,))
