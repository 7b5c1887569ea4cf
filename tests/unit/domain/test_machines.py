"""What must hold for every state machine, whichever entity it describes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pandawms.domain.block import BlockStatus
from pandawms.domain.dataset import DatasetStatus
from pandawms.domain.errors import Conflict, Invalid
from pandawms.domain.event_range import NUMBERS, EventRangeStatus
from pandawms.domain.file import FILE, FileEvent, FileStatus
from pandawms.domain.job import JOB, LEASED, QUEUED, SETTLING, JobEvent, JobStatus
from pandawms.domain.machine import NEW, Flow, unfold
from pandawms.domain.machines import MACHINES
from pandawms.domain.output_file import OutputFileStatus
from pandawms.domain.queue import PERMITS, QUEUE, QueueStatus
from pandawms.domain.stages import Stage
from pandawms.domain.task import TASK, TaskStatus
from pandawms.domain.worker import WORKER, WorkerStatus

every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.entity.replace(" ", "_"))

PANDA_WORDS = {
    TaskStatus: "waiting staging registered defined assigning ready topreprocess preprocessing scouting scouted running merging pending throttled "
    "paused exhausted prepared done finished failed tobroken broken aborting toabort aborted finishing passed toretry toincexec rerefine toreassign "
    "reassigning obsolete",
    JobStatus: "pending defined waiting assigned activated throttled sent starting stagein stageout running holding transferring merging finished "
    "failed cancelled closed",
    DatasetStatus: "defined ready pending broken toupdate done finished failed removed registering running prepared",
    FileStatus: "pending ready picked running finished failed partial missing lost staging broken corrupted cancelled removed merging",
    OutputFileStatus: "defined running finished failed nooutput merging ready notmerged cancelled lost transferring",
    BlockStatus: "defined subscribed completed deleting shortening deleted tobeclosed created doing cleanup tobemerged",
    EventRangeStatus: "ready sent running finished cancelled discarded done failed fatal merged corrupted",
    WorkerStatus: "pending submitted ready idle running finished failed cancelled missed",
    QueueStatus: "online offline test brokeroff paused",
}

FINAL_WORDS = {
    TaskStatus: "done finished failed broken aborted obsolete",
    JobStatus: "finished failed cancelled closed",
    DatasetStatus: "done finished failed broken removed",
    FileStatus: "finished failed missing lost corrupted broken cancelled removed",
    OutputFileStatus: "finished failed nooutput notmerged cancelled lost",
    BlockStatus: "deleted",
    EventRangeStatus: "cancelled discarded failed fatal merged corrupted",
    WorkerStatus: "finished failed cancelled missed",
    QueueStatus: "",
}


def reachable(machine: Any, starts: set[Any], with_reopening: bool = True) -> set[Any]:
    """All statuses that some walk from `starts` can come to."""
    found, frontier = set(starts), list(starts)
    while frontier:
        status = frontier.pop()
        for event in machine.accepted(status):
            target = machine.next_status(status, event)
            if target not in found and (with_reopening or event not in machine.reopening):
                found.add(target)
                frontier.append(target)
    return found


@pytest.mark.parametrize("statuses", PANDA_WORDS, ids=lambda statuses: statuses.__name__)
def test_statuses_are_exactly_pandas_words(statuses: Any) -> None:
    assert {status.value for status in statuses} == set(PANDA_WORDS[statuses].split())


@every_machine
def test_final_statuses_are_the_ones_that_are_meant_to_be_final(machine: Any) -> None:
    words = FINAL_WORDS.get(machine.statuses, "deleted closed")
    assert {status.value for status in machine.final} == set(words.split())


@every_machine
def test_every_status_is_reachable_from_creation(machine: Any) -> None:
    assert reachable(machine, set(machine.initial.values())) == set(machine.statuses)


@pytest.mark.parametrize("machine", [machine for machine in MACHINES if machine is not QUEUE], ids=lambda machine: machine.entity.replace(" ", "_"))
def test_every_status_that_is_not_final_can_reach_a_final_one_without_reopening(machine: Any) -> None:
    stuck = [status for status in machine.statuses if not reachable(machine, {status}, with_reopening=False) & machine.final]
    assert stuck == []


@every_machine
def test_every_event_has_exactly_one_owner_and_leads_to_one_status(machine: Any) -> None:
    assert set(machine.owners) == set(machine.events)
    assert all(isinstance(owner, Stage) for owner in machine.owners.values())
    for event in machine.events:
        targets = {machine.next_status(status, event) for status in machine.sources(event)}
        assert len(targets) == (0 if event in machine.initial else 1)


@every_machine
def test_every_status_and_event_has_a_meaning(machine: Any) -> None:
    assert all(word.meaning.strip() for word in (*machine.statuses, *machine.events))


@every_machine
def test_no_event_leads_where_it_starts(machine: Any) -> None:
    assert [(status, event) for (status, event), target in machine.transitions.items() if status == target] == []


@every_machine
def test_every_status_that_is_not_final_names_its_limit_and_where_its_reason_is_kept(machine: Any) -> None:
    assert set(machine.dwell) == set(machine.statuses) - machine.final
    for status, dwell in machine.dwell.items():
        assert dwell.kept_in
        assert dwell.seconds or dwell.note, f"{status} has neither a limit nor a reason to have none"
        if dwell.ends_by is not None:
            assert (status, dwell.ends_by) in machine.transitions, f"{status} cannot end by {dwell.ends_by}"


@every_machine
def test_reopening_events_are_those_that_leave_a_final_status(machine: Any) -> None:
    leaving = {event for status, event in machine.transitions if status in machine.final}
    assert leaving == set(machine.reopening)


@settings(max_examples=300)
@given(data=st.data())
def test_random_walks_leave_a_final_status_only_by_reopening(data: st.DataObject) -> None:
    machine = data.draw(st.sampled_from(MACHINES))
    status = machine.initial[data.draw(st.sampled_from(sorted(machine.initial)))]
    for event in data.draw(st.lists(st.sampled_from(list(machine.events)), max_size=40)):
        try:
            after = machine.next_status(status, event)
        except Conflict as conflict:
            assert str(event) in conflict.detail
            assert (status, event) not in machine.transitions
            continue
        assert not machine.is_final(status) or event in machine.reopening
        status = after


def test_a_conflict_names_what_the_status_allows_and_where_the_event_is_possible() -> None:
    with pytest.raises(Conflict) as raised:
        JOB.next_status(JobStatus.WAITING, JobEvent.CLAIM)
    assert raised.value.code == "job_status"
    assert "activate" in (raised.value.allowed or "")
    assert "activated" in (raised.value.hint or "")


def test_an_unknown_status_word_is_refused_with_a_suggestion() -> None:
    assert TASK.status("running") is TaskStatus.RUNNING
    with pytest.raises(Invalid) as raised:
        TASK.status("runing")
    assert raised.value.hint == "Did you mean running?"


def test_an_event_with_two_owners_is_refused() -> None:
    flow: Flow[JobEvent, JobStatus] = {
        Stage.PLACE: [(JobEvent.CLAIM, [JobStatus.ACTIVATED], JobStatus.SENT)],
        Stage.DISPATCH: [(JobEvent.CLAIM, NEW, JobStatus.SENT)],
    }
    with pytest.raises(ValueError, match="two rows"):
        unfold(flow)


def test_words_are_their_own_text_everywhere() -> None:
    assert (str(JobStatus.SENT), f"{JobStatus.SENT}", f"{JobStatus.SENT:>5}", JobStatus("sent")) == ("sent", "sent", " sent", JobStatus.SENT)


def test_the_groups_of_job_statuses_and_the_final_ones_cover_all_without_overlap() -> None:
    groups = [QUEUED, LEASED, SETTLING, JOB.final]
    assert sum(len(group) for group in groups) == len(JobStatus) == len(frozenset().union(*groups))


def test_a_cancel_is_possible_in_every_job_status_that_is_not_final() -> None:
    assert JOB.sources(JobEvent.CANCEL) == set(JobStatus) - JOB.final


def test_an_ended_job_or_worker_never_comes_back() -> None:
    assert JOB.reopening == frozenset()
    assert WORKER.reopening == frozenset()


def test_a_file_goes_through_a_failed_attempt_and_a_retry() -> None:
    status = FILE.initial[FileEvent.ADD]
    for event in (FileEvent.PICK, FileEvent.RUN, FileEvent.FAIL, FileEvent.RETRY, FileEvent.RUN, FileEvent.FINISH):
        status = FILE.next_status(status, event)
    assert status is FileStatus.FINISHED


def test_event_ranges_keep_pandas_numbers() -> None:
    assert (NUMBERS[EventRangeStatus.READY], NUMBERS[EventRangeStatus.DONE], NUMBERS[EventRangeStatus.CORRUPTED]) == (0, 6, 10)


def test_every_queue_status_says_what_it_permits() -> None:
    assert set(PERMITS) == set(QueueStatus)
    assert not PERMITS[QueueStatus.OFFLINE].dispatched
