"""What becomes of a unit whose job failed: two counters, one rule of each kind, limits that hold."""

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings

from pandawms.domain.codes import Code
from pandawms.domain.outcome import BY_NUMBER, outcome
from pandawms.domain.retry_rule import KIND, PARAMETERS, Action, Kind, Mode, Rule
from pandawms.engine.aggregate.retries import growing
from pandawms.engine.aggregate.retries.accounting import MOST_FREE, Cost, cost, is_out_of_memory
from pandawms.engine.aggregate.retries.choosing import in_force, winners
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from pandawms.engine.aggregate.retries.plan import plan
from pandawms.engine.aggregate.retries.values import Act, FailedUnit, Failure, Plan, TaskPicture
from pandawms.store.retry_rules import Decision
from pandawms.wire.retry_rule_checks import checked_rule, spec_of
from tests.unit.engine.failures import OOM, cases, failed, rule, unit

TASK = TaskPicture(1, "t1", "local", memory_mb=2000, open_queues=frozenset({1, 2}), n_units=100, most_memory_mb=64_000, most_wall_seconds=86_400)
Case = tuple[TaskPicture, list[Rule], dict[int, Failure], list[FailedUnit]]


def judged(failure: Failure, its: FailedUnit, *rules: Rule, task: TaskPicture = TASK) -> tuple[Decision, tuple[Act, ...]]:
    """What becomes of one unit of one job, and what was kept about it."""
    made = plan(task, rules, {failure.job_id: failure}, [its])
    return made.decisions[0], made.acts


# The counters ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "price"),
    [
        (Code.PAYLOAD_FAILED, Cost.FAILURE), (Code.LOOPING, Cost.FAILURE), (Code.OUT_OF_TIME, Cost.FAILURE), (Code.LOST_HEARTBEAT, Cost.ATTEMPT),
        (Code.NO_FIRST_HEARTBEAT, Cost.ATTEMPT), (Code.STAGE_IN_FAILED, Cost.ATTEMPT), (Code.INTERNAL_PILOT_PROBLEM, Cost.ATTEMPT),
        (Code.PREEMPTED, Cost.NOTHING), (Code.PILOT_STOPPED, Cost.NOTHING),
    ],
)  # fmt: skip
def test_only_the_users_own_failures_are_failures_and_a_preemption_costs_nothing(code: Code, price: Cost) -> None:
    assert cost(failed(code)) is price


def test_a_closed_job_costs_an_attempt_and_no_failure() -> None:
    assert cost(failed(Code.REBROKERED, is_closed=True)) is Cost.ATTEMPT
    after, _ = judged(failed(Code.EXPIRED, is_closed=True), unit(1, failed_attempts=0))
    assert (after.is_again, after.max_attempts, after.forgiven_failures) == (True, 3, 0)


def test_a_code_that_nobody_knows_is_the_users_when_it_is_the_payloads() -> None:
    unknown = outcome(Code.PAYLOAD_FAILED)
    assert cost(failed(outcome=type(unknown)("payload", 4711))) is Cost.FAILURE
    assert cost(failed(outcome=type(unknown)("pilot", 4711))) is Cost.ATTEMPT


def test_a_preempted_unit_keeps_all_its_attempts() -> None:
    after, acts = judged(failed(Code.PREEMPTED), unit(3, 3))
    assert (after.is_again, after.max_attempts, after.free_attempts, after.forgiven_failures) == (True, 4, 1, 1)
    assert [(act.kind, act.rule, act.is_applied) for act in acts] == [(Kind.COUNT, None, True)]


def test_a_queue_that_takes_every_slot_back_does_not_keep_a_unit_for_ever() -> None:
    its, is_again = unit(0, 3, failed_attempts=0), True
    while is_again:
        after, _ = judged(failed(Code.PREEMPTED), replace(its, attempt=its.attempt + 1, failed_attempts=its.failed_attempts + 1))
        is_again = after.is_again
        its = FailedUnit(1, 1, its.attempt + 1, after.max_attempts, its.failed_attempts + 1, after.forgiven_failures, after.free_attempts)
    assert its.attempt == MOST_FREE + 3


def test_failures_end_a_unit_that_has_attempts_left_and_lost_nodes_do_not() -> None:
    task = TaskPicture(1, max_failures=2)
    after, acts = judged(failed(), unit(2, 10), task=task)
    assert (after.is_again, after.max_attempts) == (False, 2)
    assert [(act.action, act.rule, act.before) for act in acts] == [(Action.NO_RETRY, None, 2)]
    after, acts = judged(failed(Code.LOST_HEARTBEAT), unit(2, 10), task=task)
    assert (after.is_again, after.forgiven_failures, acts) == (True, 1, ())


def test_what_no_attempt_can_mend_is_not_tried_again_unless_a_rule_ignores_it() -> None:
    hopeless = failed(Code.COMMAND_NOT_FOUND)
    assert judged(hopeless, unit(1, 1))[0].is_again is False
    after, acts = judged(hopeless, unit(1, 1), rule(Action.IGNORE, Code.COMMAND_NOT_FOUND))
    assert (after.is_again, after.max_attempts, after.free_attempts, after.forgiven_failures) == (True, 2, 1, 1)
    assert acts[0].rule is not None and acts[0].rule.name == "r"


def test_ignoring_ends_after_so_many_tries() -> None:
    ignore = rule(Action.IGNORE, max_ignored=2)
    after, acts = judged(failed(), unit(3, 3, free_attempts=2), ignore)
    assert (after.is_again, after.forgiven_failures, [act.is_applied for act in acts]) == (False, 0, [False])


def test_what_a_user_ended_no_rule_touches() -> None:
    after, acts = judged(failed(Code.USER_KILL), unit(1, 3), Rule("r", Action.IGNORE, version=1))
    assert (after.is_again, acts) == (False, ())


# Limits ------------------------------------------------------------------------------------------------------------


def test_no_retry_ends_a_unit_and_a_limit_lowers_its_attempts() -> None:
    after, acts = judged(failed(), unit(1, 3), rule(Action.NO_RETRY))
    assert (after.is_again, after.max_attempts, acts[0].before, acts[0].after) == (False, 1, 3, 0)
    after, _ = judged(failed(), unit(1, 5), rule(Action.LIMIT_ATTEMPTS, max_attempts=2))
    assert (after.is_again, after.max_attempts) == (True, 2)
    after, _ = judged(failed(), unit(1, 3), rule(Action.LIMIT_ATTEMPTS, max_attempts=9))
    assert (after.is_again, after.max_attempts) == (True, 3), "a limit never gives more"


def test_tries_that_cost_nothing_do_not_count_against_a_limit() -> None:
    after, _ = judged(failed(), unit(3, 5, free_attempts=2), rule(Action.LIMIT_ATTEMPTS, max_attempts=2))
    assert (after.is_again, after.max_attempts) == (True, 4)


def test_of_a_limit_and_an_ignore_the_limit_decides() -> None:
    after, _ = judged(failed(), unit(1, 3), rule(Action.NO_RETRY, name="a"), rule(Action.IGNORE, name="b"))
    assert after.is_again is False


def test_a_rule_that_only_logs_changes_nothing_and_is_written_down() -> None:
    after, acts = judged(failed(), unit(1, 3), rule(Action.NO_RETRY, mode=Mode.LOG_ONLY))
    assert (after.is_again, after.max_attempts) == (True, 3)
    assert [(act.rule and act.rule.name, act.is_applied) for act in acts] == [("r", False)]
    assert judged(failed(), unit(1, 3), rule(Action.NO_RETRY, mode=Mode.OFF)) == (after, ())


def test_a_task_may_refuse_all_rules_but_not_its_own_step_of_memory() -> None:
    task = TaskPicture(1, memory_mb=1000, memory_step_mb=500, use_rules=False, n_units=100)
    after, acts = judged(failed(OOM, memory_mb=1000), unit(1, 3), rule(Action.NO_RETRY), task=task)
    assert (after.is_again, after.memory_mb, [act.rule and act.rule.name for act in acts]) == (True, 1500, ["retry.memory_step_mb"])


# Which rule --------------------------------------------------------------------------------------------------------


def test_more_scope_wins_and_among_equals_the_smaller_limit() -> None:
    wide, narrow = rule(Action.NO_RETRY, name="wide"), rule(Action.LIMIT_ATTEMPTS, name="narrow", max_attempts=2, queue="q*")
    assert winners([wide, narrow])[Kind.LIMIT] is narrow
    two, three = (rule(Action.LIMIT_ATTEMPTS, name=f"r{n}", max_attempts=n) for n in (2, 3))
    assert winners([three, two])[Kind.LIMIT] is two
    assert winners([two, wide])[Kind.LIMIT] is wide


def test_a_limit_of_the_built_in_table_counts_like_any_other() -> None:
    built_in = rule(Action.LIMIT_ATTEMPTS, name="z", max_attempts=2, version=0)
    assert winners([rule(Action.LIMIT_ATTEMPTS, max_attempts=4), built_in])[Kind.LIMIT] is built_in


def test_for_other_kinds_more_conditions_win_then_the_operators_own() -> None:
    any_payload, exact = rule(Action.MORE_MEMORY, name="a"), rule(Action.MORE_MEMORY, OOM, name="b", version=0)
    assert winners([any_payload, exact])[Kind.MEMORY] is exact
    own = rule(Action.MORE_MEMORY, OOM, name="c")
    assert winners([exact, own])[Kind.MEMORY] is own


def test_a_rule_of_the_name_of_a_built_in_one_stands_in_its_place() -> None:
    off = rule(Action.MORE_MEMORY, OOM, name="memory-exceeded", mode=Mode.OFF)
    table = in_force(BUILT_IN, [off])
    assert [each for each in table if each.name == "memory-exceeded"] == [off]
    assert len(table) == len(BUILT_IN)
    assert judged(failed(OOM), unit(), *table)[0].memory_mb is None


def test_a_message_is_searched_in_all_its_lines() -> None:
    quota = rule(Action.NO_RETRY, pattern="quota.*exceeded")
    assert judged(failed(message="copy failed:\nquota of /scratch\nexceeded"), unit(), quota)[0].is_again is False
    assert judged(failed(message="exceeded quota"), unit(), quota)[0].is_again is True


@pytest.mark.parametrize(
    ("scope", "fits"),
    [({"community": "local"}, True), ({"community": "other"}, False), ({"task_name": "t?"}, True), ({"task_name": "x*"}, False), ({"queue": "q1"}, True),
     ({"queue": "q2"}, False), ({"task_type": "events"}, True), ({"task_type": "dataset"}, False)],
)  # fmt: skip
def test_a_scope_is_fulfilled_or_the_rule_does_not_act(scope: dict[str, Any], fits: bool) -> None:
    assert judged(failed(), unit(), rule(Action.NO_RETRY, **scope))[0].is_again is not fits


def test_a_rule_that_takes_too_long_is_left_out_for_the_rest_of_the_pass() -> None:
    ticks = count()
    slow = rule(Action.NO_RETRY, pattern="x")
    jobs = {n: failed(message=f"x{n}", job_id=n) for n in range(1, 4)}
    made = plan(TASK, [slow], jobs, [unit(number=n, job_id=n) for n in jobs], clock=lambda: float(next(ticks)))
    assert made.slow == ("r",)
    assert [each.is_again for each in made.decisions] == [False, True, True]


def test_a_rule_whose_expression_cannot_be_read_any_more_is_left_out_and_the_others_act() -> None:
    odd, other = rule(Action.NO_RETRY, name="odd", pattern="(a"), rule(Action.LIMIT_ATTEMPTS, name="other", max_attempts=2)
    made = plan(TASK, [odd, other], {1: failed()}, [unit(1, 5)])
    assert (made.slow, made.decisions[0].max_attempts) == (("odd",), 2)


# Memory, wall time, inputs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "answer"),
    [
        (failed(Code.TOO_MUCH_MEMORY), True), (failed(Code.BAD_ALLOC), True), (failed(Code.OUT_OF_MEMORY), True), (failed(Code.PAYLOAD_FAILED), False),
        (failed(Code.PAYLOAD_FAILED, "numpy: MemoryError: Unable to allocate"), True), (failed(Code.GENERAL_ERROR, "Out of memory"), False),
        (failed(outcome=outcome(Code.KILLED_BY_SIGNAL, signal=9), memory_mb=1000, max_rss_mb=950), True),
        (failed(outcome=outcome(Code.KILLED_BY_SIGNAL, signal=9), memory_mb=1000, max_rss_mb=300), False),
        (failed(outcome=outcome(Code.KILLED_BY_SIGNAL, signal=9), memory_mb=1000), False),
    ],
)  # fmt: skip
def test_what_out_of_memory_is(failure: Failure, answer: bool) -> None:
    assert is_out_of_memory(failure) is answer


@pytest.mark.parametrize(
    ("memory_mb", "cores", "after"), [(500, 1, 1000), (2000, 1, 3000), (2001, 1, 3000), (4000, 1, 6000), (8000, 1, 8000), (8000, 4, 12_000), (9000, 1, 9000)]
)
def test_memory_goes_to_the_next_step_for_a_core(memory_mb: int, cores: int, after: int) -> None:
    assert growing.stepped_memory_mb(memory_mb, cores) == after


def test_a_raise_is_bounded_by_the_rule_the_task_and_the_largest_slot() -> None:
    more = rule(Action.MORE_MEMORY, OOM)
    assert judged(failed(OOM, memory_mb=2000), unit(), more)[0].memory_mb == 3000
    assert judged(failed(OOM, memory_mb=2000), unit(), rule(Action.MORE_MEMORY, OOM, max_memory_mb=2500))[0].memory_mb == 2500
    for task in (TaskPicture(1, max_memory_mb=2200), TaskPicture(1, most_memory_mb=2200)):
        assert judged(failed(OOM, memory_mb=2000), unit(), more, task=task)[0].memory_mb == 2200
        after, acts = judged(failed(OOM, memory_mb=2200), unit(), more, task=task)
        assert (after.is_again, after.memory_mb, acts[0].is_applied) == (True, None, False)
        assert "allows 2200 MB" in acts[0].reason


def test_memory_by_offset_and_step_grows_with_the_attempt() -> None:
    more = rule(Action.MORE_MEMORY, OOM, offset_mb=500, step_mb=1000)
    assert judged(failed(OOM, memory_mb=500, attempt=1), unit(), more)[0].memory_mb == 1500
    assert judged(failed(OOM, memory_mb=1500, attempt=2), unit(2), more)[0].memory_mb == 2500


def test_a_unit_that_gets_no_other_attempt_gets_no_more_of_anything() -> None:
    after, acts = judged(failed(OOM), unit(3, 3), *BUILT_IN)
    assert (after.is_again, after.memory_mb, acts) == (False, None, ())


def test_wall_time_grows_by_half_to_the_largest_slot_and_not_where_it_is_fixed() -> None:
    slow = failed(Code.OUT_OF_TIME, wall_seconds=3600)
    assert judged(slow, unit(), *BUILT_IN)[0].wall_seconds == 5400
    assert judged(slow, unit(), *BUILT_IN, task=TaskPicture(1, most_wall_seconds=4000))[0].wall_seconds == 4000
    after, acts = judged(slow, unit(), *BUILT_IN, task=TaskPicture(1, is_fixed=True))
    assert (after.is_again, after.wall_seconds, [act.is_applied for act in acts]) == (True, None, [False])


def test_inputs_become_fewer_at_attempts_2_4_and_7() -> None:
    size, sizes = None, []
    for attempt in range(1, 9):
        size = growing.fewer_units(attempt, 12 if size is None else size, size)
        sizes.append(size)
    assert sizes == [None, 6, 6, 3, 3, 3, 1, 1]
    assert growing.fewer_units(5, 12, None) == 3, "a rule that comes late starts where it would be"


def test_fewer_inputs_reach_the_units_of_the_job() -> None:
    big = failed(Code.WORK_FOLDER_TOO_LARGE, n_units=8)
    assert judged(big, unit(1), *BUILT_IN) == (Decision(1, 1, True, 3, 0, 0, None, None, None), ())
    after, acts = judged(big, unit(2), *BUILT_IN)
    assert (after.units_per_job, acts[0].before, acts[0].after) == (4, 8, 4)


# The task ----------------------------------------------------------------------------------------------------------


def test_the_task_is_raised_when_more_than_30_percent_of_its_units_were() -> None:
    failures = {n: failed(OOM, job_id=n, memory_mb=2000) for n in range(1, 32)}
    units = [unit(number=n, job_id=n) for n in failures]
    assert plan(TASK, BUILT_IN, failures, units[:30]).task_memory_mb is None
    made = plan(TASK, BUILT_IN, failures, units)
    assert made.task_memory_mb == 3000
    assert [(act.job_id, act.before, act.after) for act in made.acts if act.job_id is None] == [(None, 2000, 3000)]


def test_the_task_is_raised_no_further_than_it_takes_and_never_when_it_is_fixed() -> None:
    assert growing.task_memory_mb({3000: 25, 6000: 10}, 100, 2000) == 3000
    assert growing.task_memory_mb({3000: 25, 6000: 31}, 100, 2000) == 6000
    assert growing.task_memory_mb({3000: 90}, 100, 3000) is None, "it has that already"
    fixed = TaskPicture(1, memory_mb=2000, is_fixed=True, n_units=1)
    made = plan(fixed, BUILT_IN, {1: failed(OOM, memory_mb=2000)}, [unit()])
    assert (made.decisions[0].memory_mb, made.task_memory_mb) == (3000, None)


# Places ------------------------------------------------------------------------------------------------------------


def test_a_queue_is_avoided_only_while_another_is_open() -> None:
    broken = {n: failed(Code.SETUP_FAILED, job_id=n, queue_id=n, queue=f"q{n}") for n in (1, 2)}
    made = plan(TASK, BUILT_IN, broken, [unit(number=n, job_id=n) for n in broken])
    assert [each.queue_id for each in made.avoided] == [1]
    assert [(act.job_id, act.is_applied) for act in made.acts] == [(1, True), (2, False)]
    assert "(rule setup-elsewhere)" in made.avoided[0].reason


def test_another_copy_of_an_input_means_another_queue() -> None:
    damaged = failed(Code.STAGE_IN_CHECKSUM)
    assert plan(TASK, BUILT_IN, {1: damaged}, [unit()]).avoided == ()
    assert plan(TASK, BUILT_IN, {1: failed(Code.STAGE_IN_CHECKSUM, has_other_copy=True)}, [unit()]).avoided[0].queue_id == 1
    assert plan(TASK, BUILT_IN, {1: failed(Code.STAGE_IN_CHECKSUM, has_other_copy=True)}, [unit(3, 3)]).avoided == (), "nothing is tried again"


# The built-in table ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("built_in", BUILT_IN, ids=lambda each: each.name)
def test_every_built_in_rule_is_one_that_an_operator_could_write(built_in: Rule) -> None:
    assert built_in.note and built_in.is_built_in
    assert checked_rule(spec_of(built_in), version=0) == built_in
    assert (built_in.domain, built_in.code) in BY_NUMBER


def test_built_in_rules_have_names_of_their_own_and_every_action_a_kind_and_parameters() -> None:
    assert len({each.name for each in BUILT_IN}) == len(BUILT_IN)
    assert set(KIND) == set(PARAMETERS) == set(Action)


# Whatever happens --------------------------------------------------------------------------------------------------


def made_of(case: Case) -> Plan:
    """The plan of a case."""
    return plan(*case, clock=lambda: 0.0)


@settings(max_examples=25, deadline=None)
@given(cases())
def test_attempts_never_grow_past_their_limit(case: Case) -> None:
    for its, after in zip(sorted(case[3], key=lambda u: u.task_file_id), sorted(made_of(case).decisions, key=lambda d: d.task_file_id), strict=True):
        free = after.free_attempts - its.free_attempts
        assert free in (0, 1) and after.free_attempts <= max(MOST_FREE, its.free_attempts)
        assert after.max_attempts <= its.max_attempts + free
        assert after.max_attempts >= its.attempt
        assert after.is_again == (its.attempt < after.max_attempts)
        assert its.forgiven_failures <= after.forgiven_failures <= its.failed_attempts


@settings(max_examples=25, deadline=None)
@given(cases())
def test_memory_grows_on_out_of_memory_only_and_within_all_bounds(case: Case) -> None:
    task, _, failures, units = case
    made = made_of(case)
    after = {each.task_file_id: each for each in made.decisions}
    bounds = [bound for bound in (task.max_memory_mb, task.most_memory_mb) if bound is not None]
    for its in units:
        memory_mb = after[its.task_file_id].memory_mb
        if memory_mb != its.memory_mb:
            assert memory_mb is not None and memory_mb > (its.memory_mb or 0)
            assert is_out_of_memory(failures[its.job_id]) and memory_mb > failures[its.job_id].memory_mb
            assert all(memory_mb <= bound for bound in bounds)
    assert made.task_memory_mb is None or (not task.is_fixed and made.task_memory_mb > task.memory_mb)


@settings(max_examples=25, deadline=None)
@given(cases())
def test_one_rule_of_a_kind_acts_for_a_job_and_a_queue_is_left(case: Case) -> None:
    task, rules, failures, units = case
    made = made_of(case)
    assert {each.task_file_id for each in made.decisions} == {each.task_file_id for each in units}
    for job_id in failures:
        acting = [act.kind for act in made.acts if act.job_id == job_id and act.is_applied and act.rule is not None]
        assert len(acting) == len(set(acting))
    avoided = {each.queue_id for each in made.avoided}
    assert not avoided or task.open_queues - avoided
    for each in made.avoided:
        assert failures and each.queue_id in {failure.queue_id for failure in failures.values()}
    assert made == made_of((task, list(reversed(rules)), failures, units)), "the order of the table says nothing"
