"""Decides what the accounts of payloads mean for their units and for their job. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pandawms.domain.codes import Code
from pandawms.domain.job import JobEvent
from pandawms.domain.outcome import MESSAGE_CHARACTERS, SUCCESS, Outcome, outcome
from pandawms.domain.payload import PayloadStatus
from pandawms.engine.blueprints import Blueprint
from pandawms.engine.report import plan as planning
from pandawms.store.endings import Ending, Written
from pandawms.store.leases import Facts, Known
from pandawms.store.payloads import Account, PayloadUnit, Taking
from pandawms.wire.pilot.report import JobReport, PayloadReport, ReportVerdict

BLIND = frozenset({Code.SUCCESS, Code.PAYLOAD_FAILED})
"""How a pilot that knows no payloads ends such a job: it runs what is in their place."""
NOT_REACHED = outcome(Code.PAYLOAD_NOT_REACHED)


@dataclass(frozen=True, slots=True)
class Ended:
    """What a report of a job of several payloads means: the accounts of its units, and how the job ends."""

    taking: Taking
    ending: Ending


def waits(blueprint: Blueprint) -> bool:
    """Whether what payloads write waits for a merge: then no unit is done before the merge of its job is."""
    return any(stream.target.role == "transient" for stream in blueprint.run.streams)


def early(job: Facts, told: Iterable[PayloadReport], units: Sequence[PayloadUnit], blueprint: Blueprint) -> Taking:
    """Returns what a heartbeat's accounts are worth: those that succeeded, unless their outputs wait for a merge, which needs the job's end."""
    if waits(blueprint):
        return Taking(())
    accounts = _accounts(job, told, units, blueprint)
    return Taking([(account, written) for account, written in accounts if account.status == PayloadStatus.FINISHED])


def decide(job: Facts, report: JobReport, units: Sequence[PayloadUnit], blueprint: Blueprint, now: datetime, before: Collection[int] = ()) -> Ended:
    """Units that succeeded are done, those that failed have failed. Where some payload of the job came to its end the others are given back, unless somebody
    wanted the job to end; else they end as the job does. Payloads that were taken `before` are done, and a large report may leave them out."""
    accounts = _accounts(job, [payload for payload in report.payloads if payload.n not in before], units, blueprint)
    told = _outcome_of_job(report, [account for account, _ in accounts], len(units), len(before))
    n_done = len(before) + sum(account.status == PayloadStatus.FINISHED for account, _ in accounts)
    if (accounts or before) and n_done < len(units):
        how, status = (NOT_REACHED, PayloadStatus.UNREACHED) if told.retryable else (told, PayloadStatus.FAILED)
        reached = {*before, *(account.n for account, _ in accounts)}
        accounts += [(_account(job, unit, how, None, status), ()) for unit in units if unit.n not in reached]
    event = JobEvent.FINISH if told.is_success else JobEvent.FAIL
    if n_done and waits(blueprint):
        event, told = JobEvent.MERGE, SUCCESS
    ending = Ending(job.job_id, event, planning.STATUSES[event], told, planning.usage(report, now))
    return Ended(Taking(accounts, [unit.task_file_id for unit in units]), ending)


def _outcome_of_job(report: JobReport, accounts: Sequence[Account], n_units: int, n_before: int) -> Outcome:
    """Success when all succeeded; what the pilot says when it was stopped; else how many failed, and how the first of them did."""
    told = planning.reported_outcome(report)
    if not report.payloads and not n_before:
        return outcome(Code.PILOT_TOO_OLD) if told.row in BLIND else told
    n_done = n_before + sum(account.status == PayloadStatus.FINISHED for account in accounts)
    failed = [account for account in accounts if account.status == PayloadStatus.FAILED]
    if n_done == n_units:
        return SUCCESS
    if not told.is_success and told.row is not Code.PAYLOADS_FAILED:
        return replace(told, message=f"{told.message} ({n_done} of {n_units} payloads done)"[:MESSAGE_CHARACTERS])
    n_left = n_units - n_done - len(failed)
    said = [f"{len(failed)} of {n_units} payloads failed", f"{n_left} were not reached" if n_left else "", f"the first: {failed[0].message}" if failed else ""]
    return outcome(Code.PAYLOADS_FAILED, "; ".join(filter(None, said)))


def _accounts(job: Facts, told: Iterable[PayloadReport], units: Sequence[PayloadUnit], blueprint: Blueprint) -> list[tuple[Account, Sequence[Written]]]:
    """Each payload that is told of once, in order; those that the job does not have are passed over."""
    by_n = {payload.n: payload for payload in told}
    return [_judged(job, unit, by_n[unit.n], blueprint) for unit in units if unit.n in by_n]


def _judged(job: Facts, unit: PayloadUnit, payload: PayloadReport, blueprint: Blueprint) -> tuple[Account, Sequence[Written]]:
    """Success needs every expected output."""
    told = payload.outcome
    expected = blueprint.outputs(job.kind, blueprint.serial_of_unit(unit.number), unit.attempt) if told.is_success else []
    files = {file.name: file for file in payload.outputs}
    missing = [output.name for output in expected if output.name not in files]
    if missing:
        told = outcome(Code.MISSING_OUTPUT, f"the report names no {missing[0]}")
    if not told.is_success:
        return _account(job, unit, told, payload, PayloadStatus.FAILED), ()
    first = job.n_inputs + unit.n * len(expected)
    account = _account(job, unit, told, payload, PayloadStatus.FINISHED, awaits_merge=waits(blueprint))
    return account, planning.written_by(job, expected, files, first)


def _account(job: Facts, unit: PayloadUnit, told: Outcome, payload: PayloadReport | None, status: PayloadStatus, *, awaits_merge: bool = False) -> Account:
    used = (None, None, None) if payload is None else (payload.wall_seconds, payload.cpu_seconds, round(payload.max_rss_mb))
    return Account(
        unit.task_file_id, unit.n, job.task_id, unit.attempt, str(status), awaits_merge, str(told.domain), int(told.code), told.exit_code, told.signal,
        told.message[:MESSAGE_CHARACTERS], told.retryable, *used,
    )  # fmt: skip


def answer(report: JobReport, verdict: ReportVerdict, known: Known | None, kept: Sequence[int]) -> ReportVerdict:
    """Adds which outputs stay: those of payloads that were taken, whatever the verdict is. A report of the claim that had the job (`known`, where it is not
    held any more) says nothing new when all that it says to have done was taken."""
    is_own = known is not None and known.claim_id is not None and known.claim_id.hex == planning.claim_of(report)
    done = {payload.n for payload in report.payloads if payload.outcome.is_success}
    if is_own and done and done <= set(kept):
        verdict = replace(verdict, verdict="repeated", reason="")
    return replace(verdict, payloads=tuple(kept))
