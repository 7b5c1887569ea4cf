"""A dry run shows the jobs that generate would make."""

from typing import Any

from pandawms.engine.splitting.limits import MB, Reason, Room
from pandawms.engine.splitting.preview import MOST_UNITS, PreviewFile, pieces_of_files, preview
from pandawms.wire.checks import decode_document
from pandawms.wire.document import TaskDocument
from tests.world import task


def document(**changes: Any) -> TaskDocument:
    """A task over a dataset."""
    return decode_document(task(program={"command": "cat %IN > %OUT"}, inputs={"in": {"dataset": "user.ada:in"}}, **{"split": {}} | changes))


def files(n: int, mb: int = 10, n_events: int | None = 100) -> list[PreviewFile]:
    """Files of two groups, mixed."""
    return [PreviewFile(f"run{number % 2}.f{number:03d}", mb * MB, n_events) for number in range(n)]


def test_it_shows_the_first_jobs_and_why_each_was_closed() -> None:
    asked = document(split={"mb_per_job": 25, "max_files_per_job": 5})
    found = preview(pieces_of_files(files(7), asked), asked, 7)
    assert (found.n_jobs, found.is_estimate) == (4, False)
    assert [[piece.number for piece in job.pieces] for job in found.first_jobs] == [[1, 2], [3, 4], [5, 6]]
    assert found.closed_by == {Reason.SIZE: 3, Reason.END: 1}
    assert not found.refused


def test_what_no_job_can_be_made_of_is_counted() -> None:
    asked = document()
    found = preview(pieces_of_files([*files(2), PreviewFile("big", 500 * MB)], asked), asked, 3, Room(100, 1000))
    assert (found.n_jobs, found.refused) == (2, {Reason.QUEUE_DISK: 1})


def test_a_large_input_is_counted_on_from_its_first_units() -> None:
    asked = document(split={"files_per_job": 10})
    found = preview(pieces_of_files(files(MOST_UNITS + 5), asked), asked, 1_000_000)
    assert (found.n_jobs, found.is_estimate) == (100_000, True)


def test_files_are_sorted_by_groups_and_cut_by_events() -> None:
    grouped = document(split={"boundary": {"name_field": 1}})
    assert [piece.group for piece in pieces_of_files(files(4), grouped)] == ["run0", "run0", "run1", "run1"]
    chunked = pieces_of_files(files(1, n_events=250), document(split={"events_per_job": 100}))
    assert [(piece.number, piece.first_event, piece.n_events) for piece in chunked] == [(1, 0, 100), (2, 100, 100), (3, 200, 50)]
    assert [piece.first_event for piece in pieces_of_files(files(2), document(split={"events_per_job": 100}))] == [None, None]


def test_no_more_jobs_are_promised_than_the_task_may_have() -> None:
    asked = document(split={"files_per_job": 1, "max_jobs": 3})
    assert preview(pieces_of_files(files(9), asked), asked, 9).n_jobs == 3
