"""Commands are accepted where PanDA's matrix says, with the differences that were decided."""

from __future__ import annotations

import pytest

from pandawms.domain.command import EVENTS, STAYS, WHO_MAY, Command, Verb, accepted_in, accepting, check_accepted, event_for
from pandawms.domain.errors import Conflict, Invalid
from pandawms.domain.task import TASK, TaskEvent, TaskStatus

ALL = set(TaskStatus)


def words(text: str) -> set[str]:
    """The words of a line."""
    return set(text.split())


MATRIX = {
    Verb.KILL: ALL - words("finished done prepared broken aborted toabort aborting failed obsolete"),
    Verb.RETRY: words("finished failed exhausted"),
    Verb.EXTEND: words("finished failed aborted done exhausted"),
    Verb.REASSIGN: words("defined ready running scouting scouted pending assigning exhausted"),
    Verb.RESUME: words("paused throttled staging"),
    Verb.AVALANCHE: {"scouting"},
    Verb.RELEASE: words("scouting pending running ready assigning defined"),
    Verb.APPROVE: {"waiting"},
    Verb.OBSOLETE: words("done finished"),
    Verb.RECOVER: words("ready scouting scouted running merging pending throttled paused done finished"),
    Verb.FORK: words("ready scouting scouted running merging pending throttled paused exhausted finishing done finished failed aborted"),
    Verb.SET: words(
        "waiting staging registered defined assigning topreprocess preprocessing ready scouting scouted running merging pending throttled paused exhausted"
    ),
}


@pytest.mark.parametrize("verb", MATRIX)
def test_a_command_is_accepted_exactly_where_the_matrix_says(verb: Verb) -> None:
    assert accepted_in(verb) == MATRIX[verb]


@pytest.mark.parametrize("verb", [Verb.FINISH, Verb.PAUSE])
def test_finish_and_pause_are_refused_on_the_way_to_a_verdict(verb: Verb) -> None:
    assert not accepted_in(verb) & words("prepared done finished failed broken aborting toabort aborted obsolete")


def test_every_command_has_events_and_somebody_who_may_ask() -> None:
    assert set(EVENTS) == set(WHO_MAY) == set(Verb)


def test_a_refused_command_says_what_helps() -> None:
    with pytest.raises(Conflict) as raised:
        check_accepted(Verb.RETRY, TaskStatus.BROKEN)
    assert raised.value.hint == "Correct the task file and submit it again."
    assert raised.value.allowed == "exhausted, finished, failed"


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("status", TaskStatus)
def test_a_command_gives_an_event_that_the_task_takes_or_a_conflict(verb: Verb, status: TaskStatus) -> None:
    try:
        event = event_for(verb, status)
    except Conflict:
        assert status not in accepted_in(verb)
        return
    assert event in EVENTS[verb] or (event is None and status in STAYS[verb])


@pytest.mark.parametrize("status", TaskStatus)
def test_every_state_is_decided_for_every_command_and_somebody_can_get_out_of_it(status: TaskStatus) -> None:
    taken = accepting(status)
    assert taken == tuple(verb for verb in Verb if status in accepted_in(verb))
    stuck = words("tobroken toabort aborting prepared passed finishing broken obsolete")
    assert taken or status in stuck, "a status that can last takes some command"


@pytest.mark.parametrize("verb", Verb)
def test_no_command_both_moves_and_leaves_a_status(verb: Verb) -> None:
    moves = {status for event in EVENTS[verb] for status in TASK.sources(event)}
    assert not moves & STAYS.get(verb, frozenset())


def test_resume_goes_back_to_what_was_interrupted() -> None:
    assert event_for(Verb.RESUME, TaskStatus.PAUSED, TaskStatus.DEFINED) is TaskEvent.RESUME_LISTING
    assert event_for(Verb.RESUME, TaskStatus.PAUSED, TaskStatus.RUNNING) is TaskEvent.RESUME
    assert event_for(Verb.RESUME, TaskStatus.STAGING) is TaskEvent.RESUME_REFINING


def test_an_unknown_qualifier_is_refused_with_a_suggestion() -> None:
    assert Command(Verb.RETRY, 10_000_001, 1, frozenset({"sole"})).qualifiers == {"sole"}
    with pytest.raises(Invalid) as raised:
        Command(Verb.RETRY, 10_000_001, 1, frozenset({"sol"}))
    assert raised.value.hint == "Did you mean sole?"
