"""What a command does to jobs and documents, whatever it is given."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pandawms.domain.command import QUALIFIERS, Verb, accepted_in
from pandawms.domain.errors import Conflict, Invalid, PandaError
from pandawms.domain.file import FileStatus
from pandawms.domain.job import JOB, LEASED, QUEUED, JobEvent, JobStatus
from pandawms.domain.task import TaskStatus
from pandawms.engine import ordering, selecting
from pandawms.engine.command import changes
from pandawms.engine.command import plan as planning
from pandawms.engine.command.plan import Fate
from pandawms.store.commands import Selected
from pandawms.wire.checks import decode_document
from pandawms.wire.command import TaskSelector

VERBS = some.sampled_from(list(Verb))
WORDS = some.sets(some.sampled_from(["soft", "nokill", "sole", "keep"])).map(frozenset)
KINDS = some.sampled_from(["run", "merge", "build"])
EVENTS = {Fate.CANCEL: JobEvent.CANCEL, Fate.CLOSE: JobEvent.CLOSE, Fate.HOLD: JobEvent.PAUSE, Fate.FREE: JobEvent.RESUME}
DOCUMENT: dict[str, Any] = {
    "name": "t", "program": {"command": "make %EVENTS > %OUT"}, "inputs": {"events": {"count": 10}}, "split": {"events_per_job": 2}, "outputs": {"out": "o"},
}  # fmt: skip


@given(VERBS, WORDS, some.sampled_from(list(JobStatus)), KINDS)
def test_what_a_command_does_to_a_job_is_a_move_of_its_table(verb: Verb, words: frozenset[str], status: JobStatus, kind: str) -> None:
    fate = planning.fate(verb, words, status, kind)
    if fate in EVENTS:
        assert (status, EVENTS[fate]) in JOB.transitions
    assert fate is not Fate.TELL or status in LEASED
    assert fate is not Fate.CHANGE or status in QUEUED
    assert not JOB.is_final(status) or fate is Fate.LEAVE
    assert (status in planning.swept(verb, words)) >= (fate is not Fate.LEAVE)


@given(WORDS, some.sampled_from(list(planning.HOT)), KINDS)
def test_a_kill_leaves_no_job_but_what_waits_for_a_merge_and_nothing_else_ends_that(words: frozenset[str], status: JobStatus, kind: str) -> None:
    ends = (Fate.LEAVE,) if status is JobStatus.MERGING else (Fate.CANCEL, Fate.TELL)
    assert planning.fate(Verb.KILL, words, status, kind) in ends
    for verb in set(Verb) - {Verb.KILL}:
        if kind == "merge" or status is JobStatus.MERGING:
            assert planning.fate(verb, words, status, kind) not in (Fate.CANCEL, Fate.TELL, Fate.CLOSE)


@given(VERBS, some.sampled_from(list(TaskStatus)), some.sampled_from([None, *TaskStatus]))
def test_a_command_is_taken_exactly_where_the_table_says(verb: Verb, status: TaskStatus, previous: TaskStatus | None) -> None:
    decision = planning.for_task(verb, status, previous and str(previous))
    assert decision.is_taken == (status in accepted_in(verb))
    assert decision.answer.startswith("applied" if decision.is_taken else "refused: A task in status")


def test_a_retry_opens_what_it_is_told() -> None:
    everything = planning.reopened(())
    assert planning.reopened(["all"]) == everything == frozenset().union(*(planning.reopened([kind]) for kind in planning.REOPENED))
    assert planning.reopened(["missing"]) == {FileStatus.MISSING}
    assert FileStatus.FINISHED not in everything


def test_what_was_done_is_told_in_words() -> None:
    assert planning.told({"cancelled": 1, "told": 2000}) == "1 job ended, the pilots of 2,000 jobs told to stop"
    assert planning.told({}) == "no job was concerned"
    assert planning.qualifiers(Verb.FINISH, {"soft": True, "sole": True, "reason": "x"}) == {"soft"}
    assert set(QUALIFIERS) <= set(Verb)


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.dictionaries(some.text(max_size=3), inner, max_size=3),
)


@given(some.dictionaries(some.text(max_size=3), JSON, max_size=3), some.dictionaries(some.text(max_size=3), JSON, max_size=3))
def test_a_patch_is_a_merge_patch(value: dict[str, Any], patch: dict[str, Any]) -> None:
    once = changes.merged(value, patch)
    assert changes.merged(once, patch) == once, "a second time changes nothing"
    assert set(once) == {key for key in {*value, *patch} if patch.get(key, 0) is not None}
    assert changes.merged(value, {}) == value


@given(some.sampled_from([Verb.RETRY, Verb.EXTEND, Verb.FORK]), some.dictionaries(some.sampled_from([*DOCUMENT, "merge", "priority", "resources", "x"]), JSON))
def test_any_patch_gives_a_document_that_can_be_read_or_is_refused(verb: Verb, patch: dict[str, Any]) -> None:
    try:
        after = changes.changed(verb, DOCUMENT, patch)
    except PandaError:
        return
    decode_document(after)
    assert list(after["outputs"]) == ["out"]
    assert after["inputs"]["events"]["count"] >= 10


def test_what_was_ordered_is_over_the_document() -> None:
    document = decode_document(DOCUMENT | {"queues": ["a"], "exclude_queues": ["b", "c"]})
    found = ordering.applied(document, {"queues": ["b"], "exclude_queues": ["d"], "priority": 7, "more_attempts": 2})
    assert (found.queues, found.exclude_queues, found.priority, found.retry.max_attempts) == (("b",), ("c", "d"), 7, document.retry.max_attempts + 2)
    assert ordering.applied(document, {}) is document


def _selected(task_id: int, status: str, *, is_pending: bool = False) -> Selected:
    return Selected(task_id, f"t{task_id}", status, 1, "ada", "local", is_pending)


@given(some.lists(some.tuples(some.sampled_from(list(TaskStatus)), some.booleans(), some.booleans())), some.sampled_from([Verb.KILL, Verb.RETRY, Verb.PAUSE]))
def test_every_selected_task_takes_the_command_or_is_counted_with_why_not(given_tasks: list[tuple[TaskStatus, bool, bool]], verb: Verb) -> None:
    found = [_selected(n, str(status), is_pending=pending) for n, (status, pending, _) in enumerate(given_tasks)]
    may = {n for n, (_, _, allowed) in enumerate(given_tasks) if allowed}
    chosen = selecting.sort(found, verb, may)
    assert len(chosen.accepted) + sum(chosen.refused.values()) == len(found)
    assert all(task.task_id in may and not task.is_pending and TaskStatus(task.status) in accepted_in(verb) for task in chosen.accepted)


@pytest.mark.parametrize(("name", "pattern"), [("z-*", "z-%"), ("a_b?", "a\\_b_"), ("100%", "100\\%"), ("a\\b", "a\\\\b")])
def test_a_pattern_is_one_of_like(name: str, pattern: str) -> None:
    assert selecting.like(name) == pattern


def test_a_selection_of_nothing_is_refused_and_another_number_than_expected_too() -> None:
    with pytest.raises(Invalid) as raised:
        selecting.check_selector(TaskSelector())
    assert raised.value.code == "selector.empty"
    with pytest.raises(Invalid):
        selecting.check_selector(TaskSelector(statuses=("runing",)))
    selecting.check_selector(TaskSelector(all=True))
    selecting.check_count(3, None)
    with pytest.raises(Conflict):
        selecting.check_count(3, 2)
