"""What rules would have done to the past: what they had saved, what they had lost, and nothing twice."""

from pandawms.domain.codes import Code
from pandawms.domain.outcome import outcome
from pandawms.domain.retry_rule import Action, Mode, Rule
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from pandawms.engine.aggregate.retries.simulate import EXAMPLES, Effect, Past, simulate
from pandawms.engine.aggregate.retries.values import TaskPicture
from tests.unit.engine.failures import OOM, failed, rule

TASKS = {1: TaskPicture(1, "t1", "local"), 2: TaskPicture(2, "t2", "local")}


def chain(*attempts: tuple[int, Code], task_id: int = 1, finished: int | None = None) -> list[Past]:
    """Jobs (id, code) that failed one after the other at the same, and maybe one that finished in the end."""
    ids = [job_id for job_id, _ in attempts] + ([finished] if finished is not None else [])
    found = []
    for n, (job_id, code) in enumerate(attempts):
        followers = ((ids[n + 1], ids[n + 1] == finished),) if n + 1 < len(ids) else ()
        found.append(Past(task_id, failed(code, "quota exceeded", job_id=job_id, attempt=n + 1), followers))
    return found


def effect(past: list[Past], *tried: Rule, table: tuple[Rule, ...] = BUILT_IN) -> Effect:
    """What the first of the tried rules would have done."""
    return simulate(table, tried, past, TASKS, clock=lambda: 0.0)[0]


def test_a_rule_that_ends_a_chain_saves_all_that_followed_and_loses_its_success() -> None:
    found = effect(chain((1, Code.PAYLOAD_FAILED), (3, Code.PAYLOAD_FAILED), (5, Code.PAYLOAD_FAILED), finished=7), rule(Action.NO_RETRY))
    assert (found.n_matched, found.n_acting, found.saved_attempts, found.lost_successes) == (1, 1, 3, 1), "what was prevented did not fail"


def test_a_limit_saves_what_came_after_it() -> None:
    past = chain((1, Code.PAYLOAD_FAILED), (2, Code.PAYLOAD_FAILED), (3, Code.PAYLOAD_FAILED), (4, Code.PAYLOAD_FAILED))
    found = effect(past, rule(Action.LIMIT_ATTEMPTS, max_attempts=2))
    assert (found.n_matched, found.saved_attempts, found.lost_successes) == (2, 2, 0)


def test_a_rule_that_another_goes_before_matches_and_does_not_act() -> None:
    wide, narrow = rule(Action.LIMIT_ATTEMPTS, name="wide", max_attempts=1), rule(Action.LIMIT_ATTEMPTS, name="narrow", max_attempts=5, queue="q1")
    found = effect(chain((1, Code.PAYLOAD_FAILED), (2, Code.PAYLOAD_FAILED)), wide, table=(narrow,))
    assert (found.n_matched, found.n_acting, found.saved_attempts, found.examples) == (2, 0, 0, [])


def test_a_rule_in_the_place_of_a_present_one_is_tried_instead_of_it() -> None:
    present = rule(Action.NO_RETRY, name="same")
    found = effect(chain((1, Code.PAYLOAD_FAILED), finished=2), rule(Action.LIMIT_ATTEMPTS, name="same", max_attempts=9), table=(present,))
    assert (found.n_acting, found.saved_attempts) == (1, 0)


def test_a_rule_is_tried_as_if_it_were_active_and_present_ones_that_only_log_are_not() -> None:
    tried, present = rule(Action.NO_RETRY, mode=Mode.LOG_ONLY), rule(Action.LIMIT_ATTEMPTS, name="p", max_attempts=9, queue="q1", mode=Mode.LOG_ONLY)
    assert effect(chain((1, Code.PAYLOAD_FAILED), finished=2), tried, table=(present,)).saved_attempts == 1


def test_memory_and_further_tries_are_added_up() -> None:
    past = [Past(task_id, failed(OOM, job_id=n, memory_mb=2000)) for n, task_id in enumerate((1, 1, 2), 1)]
    more = effect(past, rule(Action.MORE_MEMORY, OOM, name="memory-exceeded", offset_mb=2000, step_mb=100))
    assert (more.n_acting, len(more.tasks), more.extra_memory_mb) == (3, 2, 300)
    ignored = effect([*chain((1, Code.PAYLOAD_FAILED), finished=2), *chain((3, Code.PAYLOAD_FAILED))], rule(Action.IGNORE))
    assert (ignored.n_acting, ignored.extra_attempts) == (2, 1), "the first was tried again anyway"


def test_examples_are_few_and_what_a_user_ended_or_wants_no_rules_is_left_out() -> None:
    past = [Past(1, failed(job_id=n)) for n in range(EXAMPLES + 3)]
    assert len(effect(past, rule(Action.NO_RETRY)).examples) == EXAMPLES
    ended = Past(1, failed(outcome=outcome(Code.USER_KILL)))
    assert effect([ended], Rule("r", Action.IGNORE, version=1)).n_matched == 0
    free = {1: TaskPicture(1, use_rules=False)}
    assert simulate(BUILT_IN, [rule(Action.NO_RETRY)], [Past(1, failed())], free)[0].n_matched == 0
