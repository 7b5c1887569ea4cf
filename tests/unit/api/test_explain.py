"""Why a task or job is as it is, from facts alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pandawms.domain.codes import Code
from pandawms.domain.outcome import SUCCESS, outcome
from pandawms.engine.explain import job_plan, plan
from pandawms.engine.explain.facts import JobFacts, TaskFacts
from pandawms.store.brokerage import Brokerage
from pandawms.store.measures import Scouts
from pandawms.store.places import QueueRow
from pandawms.store.reasons import Asked, FailedUnits, Failure, HotJobs, Parent, Predecessor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
QUEUE = QueueRow(1, "q", "c", "s", "online", 1, 1000, 1000, 3600, "any", 0, 4, NOW, NOW, {}, activated_jobs=3, running_jobs=4)
TASK = TaskFacts(10_000_001, "t", "running", NOW, None, 10, 10, 4, 0, True, 1, queues=(QUEUE,))
JOB = JobFacts(7, 10_000_001, "activated", "run", 1, NOW, 1, QUEUE)
FAILURE = Failure("payload", Code.PAYLOAD_FAILED.number, 3, 42, "no such file")


def codes(facts: TaskFacts | JobFacts) -> list[str]:
    """The codes of the causes."""
    why = plan.explain(facts, NOW) if isinstance(facts, TaskFacts) else job_plan.explain(facts, NOW)
    return [cause.code for cause in why.causes]


def test_without_an_engine_that_is_the_first_cause() -> None:
    facts = replace(TASK, engines=0, status="registered", n_listed=0, n_used=0, is_complete=False)
    assert codes(facts) == ["engine.down", "task.new"]
    assert plan.explain(facts, NOW).advice[0].startswith("Start the engine")


def test_ready_jobs_wait_for_a_slot_for_a_pilot_or_for_an_open_queue() -> None:
    hot = (HotJobs("q", "activated", 3),)
    assert codes(replace(TASK, hot=hot)) == ["queue.busy"]
    assert codes(replace(TASK, hot=hot, queues=(replace(QUEUE, running_jobs=0, last_pilot_at=NOW - timedelta(hours=1)),))) == ["queue.no_pilots"]
    assert codes(replace(TASK, hot=hot, queues=(replace(QUEUE, status="offline"),))) == ["queue.shut"]


def test_a_task_that_no_queue_takes_shows_every_rejection() -> None:
    found = Brokerage(10_000_001, NOW, [], [{"queue": "q", "rule": "status", "reason": "it is offline", "limit": "online", "value": "offline"}])
    why = plan.explain(replace(TASK, n_used=0, brokerage=found), NOW)
    assert why.headline == "Task t is running: no queue can take it now: 1 rejected it."
    assert [(each.queue, each.rule, each.value) for each in why.rejections] == [("q", "status", "offline")]


def test_a_task_waits_for_its_producer() -> None:
    facts = replace(TASK, is_complete=False, parent=Parent(10_000_000, "evgen", "running"))
    assert codes(facts) == ["input.producer"]
    assert "evgen" in plan.explain(facts, NOW).headline


def test_an_ended_task_tells_what_failed_most_and_what_helps() -> None:
    why = plan.explain(replace(TASK, status="failed", n_finished=0, n_failed=10, failures=(FAILURE,)), NOW)
    assert why.headline == "Task t has ended as failed: 0 of 10 inputs were processed."
    assert [cause.code for cause in why.causes] == ["units.failed", "payload.payload_failed"]
    assert (why.causes[0].text, why.causes[0].limit) == ("10 of 10 inputs could not be processed", None)
    assert "3 jobs failed with payload_failed, last job 42: no such file" in why.causes[1].text
    assert why.advice == (Code.PAYLOAD_FAILED.advice, "Read what the job wrote: `panda logs 42`.", "When the cause is gone: `panda retry t`.")
    assert why.rejections == ()


def test_a_done_task_needs_no_cause() -> None:
    why = plan.explain(replace(TASK, status="done", n_finished=10), NOW)
    assert (why.headline, why.causes, why.advice) == ("Task t is done: all 10 inputs were processed.", (), ())


def test_retries_and_pending_commands_are_told() -> None:
    facts = replace(TASK, units=FailedUnits(2, 1), asked=(Asked("kill", NOW),), hot=(HotJobs("q", "running", 1), HotJobs("q", "merging", 2)))
    assert codes(facts) == ["command.pending", "jobs.running", "jobs.merging", "units.again", "units.failed"]


def test_a_job_waits_for_jobs_for_data_or_for_others_before_it() -> None:
    waiting = replace(JOB, status="waiting", predecessors=(Predecessor(3, "finished"), Predecessor(4, "running")))
    assert codes(waiting) == ["job.predecessor"]
    assert codes(replace(JOB, status="assigned", missing=("user.ada:x",))) == ["job.missing_input"]
    assert codes(replace(JOB, n_ahead=5)) == ["queue.busy", "queue.ahead"]


def test_a_leased_job_runs_is_told_to_end_or_is_silent() -> None:
    running = replace(JOB, status="running", lease_expires_at=NOW + timedelta(seconds=5))
    assert codes(running) == ["job.running"]
    assert codes(replace(running, kill_reason="enough")) == ["job.kill_ordered", "job.running"]
    assert codes(replace(running, lease_expires_at=NOW - timedelta(seconds=5))) == ["lease.expired"]


def test_an_ended_job_says_how_and_what_comes_next() -> None:
    failed = replace(JOB, status="failed", outcome=outcome(Code.PAYLOAD_FAILED, "no such file", 2), successor_id=9)
    why = job_plan.explain(failed, NOW)
    assert why.headline == "Job 7 ended as failed: no such file."
    assert [cause.code for cause in why.causes] == ["payload.payload_failed", "job.tried_again"]
    assert why.advice == (Code.PAYLOAD_FAILED.advice, "Read what it wrote: `panda logs 7`.")
    assert job_plan.explain(replace(JOB, status="finished", outcome=SUCCESS), NOW).headline == "Job 7 finished well."


def test_scouts_that_run_alone_and_a_task_that_is_exhausted_say_so() -> None:
    scouting = plan.explain(replace(TASK, status="scouting", scouts=Scouts(10, 3, 1, is_under_way=True)), NOW)
    assert (scouting.causes[0].code, scouting.causes[0].value) == ("scouts.running", 3)
    reason = "jobs need 5000 MB of memory; more than 4000 MB is given only to who asks for it"
    exhausted = plan.explain(replace(TASK, status="exhausted", reason=reason, reason_code="scouts.memory"), NOW)
    assert exhausted.headline == f"Task t is exhausted: {reason}."
    assert exhausted.causes[0].code == "scouts.memory"
    assert exhausted.advice[0] == "Go on with what was measured: `panda retry t`; end it with what is there: `panda finish t`."


def test_a_verdict_that_the_numbers_do_not_explain_is_told() -> None:
    missed = replace(TASK, status="failed", n_finished=9, n_failed=1, reason="90 % were processed, its goal is 95 %", reason_code="goal_missed")
    assert codes(missed) == ["verdict.goal_missed", "units.failed"]
    assert codes(replace(missed, reason_code="partly_done")) == ["units.failed"]


def test_kinds_of_one_code_give_its_advice_once() -> None:
    failures = (FAILURE, replace(FAILURE, last_job_id=43, message="other"))
    why = plan.explain(replace(TASK, status="failed", n_finished=0, n_failed=10, failures=failures), NOW)
    assert why.advice.count(Code.PAYLOAD_FAILED.advice) == 1
