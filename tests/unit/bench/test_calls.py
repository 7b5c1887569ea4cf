"""The bytes that the load generator sends are what a pilot would send."""

import json
from uuid import UUID

from pandawms.api.pilot_checks import checked_beats, checked_claim, checked_reports
from pandawms.main.bench.calls import Caller, Job, Written, slot
from pandawms.wire.pilot import ClaimRequest, HeartbeatRequest, ReportRequest, decode

JOBS = [Job(7, "0" * 32, 2, (Written("out", "a.1.root"), Written("log", "b.1.txt"))), Job(8, "1" * 32, 1)]


def body(request: bytes) -> object:
    head, _, text = request.partition(b"\r\n\r\n")
    assert b"Authorization: Bearer secret" in head
    assert int(head.rpartition(b"Content-Length: ")[2]) == len(text)
    return json.loads(text)


def test_every_claim_has_an_id_of_its_own_and_passes_the_servers_checks() -> None:
    caller = Caller("host:1", "secret")
    one, two = (checked_claim(decode(ClaimRequest, body(caller.claim(slot("bench", jobs=3, wait_seconds=5))))) for _ in range(2))
    assert (one.queue, one.n_jobs, one.wait_seconds) == ("bench", 3, 5)
    assert UUID(one.claim_id) != UUID(two.claim_id)


def test_a_heartbeat_says_of_all_jobs_that_they_run() -> None:
    beats = checked_beats(decode(HeartbeatRequest, body(Caller("host:1", "secret").heartbeat(JOBS)))).jobs
    assert [(beat.job_id, beat.claim_id, beat.attempt, beat.phase) for beat in beats] == [(7, "0" * 32, 2, "running"), (8, "1" * 32, 1, "running")]


def test_a_report_says_that_all_jobs_succeeded_and_names_every_output() -> None:
    first, second = checked_reports(decode(ReportRequest, body(Caller("host:1", "secret").report(JOBS)))).jobs
    assert first.outcome.is_success
    assert [(file.stream, file.name) for file in first.outputs] == [("out", "a.1.root"), ("log", "b.1.txt")]
    assert len({file.guid for file in first.outputs}) == 2
    assert second.outputs == ()
