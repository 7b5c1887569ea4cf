"""The dry run of a submission: what it would make, and which queues could take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.terminal import Terminal, bytes_text
from pandawms.wire.document import TaskDocument
from pandawms.wire.task import Plan, PlanInput

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.task_files import TaskFile
    from pandawms.client import Client


def show_plan(file: TaskFile, session: Session) -> int:
    """Asks the server for the plan of a task file and shows it. Local input files are uploaded, as their split depends on them."""
    with session.client() as client:
        plan = client.tasks.plan(_packed(file, client, session.terminal))
    if session.terminal.as_json:
        session.terminal.json(plan)
    else:
        _show(plan, session.terminal)
    return ExitCode.OK if plan.queues else ExitCode.FAILED


def _packed(file: TaskFile, client: Client, terminal: Terminal) -> TaskDocument:
    from pandawms.client.prepare import listed_files
    from pandawms.client.sandbox import pack

    document = file.document
    if document.program.files:
        sandbox = pack(file.folder, document.program.files)
        program = msgspec.structs.replace(document.program, files=(), sandbox=sandbox.sha256)
        document = msgspec.structs.replace(document, program=program)
    for stream, spec in document.inputs.items():
        if spec.files is not None:
            paths = listed_files(file.folder, spec.files, f"inputs.{stream}.files")
            dataset = client.upload(f"{document.name}.{stream}", paths)
            terminal.note(f"uploaded {len(paths)} input files as {dataset}, which a real submission uses again")
            document = msgspec.structs.replace(document, inputs={**document.inputs, stream: msgspec.structs.replace(spec, files=None, dataset=dataset)})
    return document


def _show(plan: Plan, terminal: Terminal) -> None:
    merges = f" and {plan.n_merge_jobs} merge jobs" if plan.n_merge_jobs else ""
    terminal.line(f"task\t{plan.name}")
    terminal.line(f"jobs\t{plan.n_jobs}{merges}: {plan.split}")
    for item in plan.inputs:
        terminal.line(f"input\t{item.stream}: {item.description}{_input_size(item)}")
    for name in plan.output_datasets:
        terminal.line(f"output\t{name}")
    for job in plan.first_jobs:
        terminal.line(f"job {job.serial}\t{job.command}")
    for queue in plan.queues:
        slots = f", {queue.slots} slots" if queue.slots is not None else ""
        terminal.line(f"queue\t{queue.queue} at {queue.site}{slots}, weight {queue.weight:g}")
    for rejection in plan.rejections:
        terminal.line(f"not\t{rejection.queue}: {one_line(rejection.reason)} ({rejection.rule})")
    for warning in plan.warnings:
        terminal.line(f"note\t{one_line(warning)}")


def _input_size(item: PlanInput) -> str:
    parts = [
        f"{item.n_files} files" if item.n_files is not None else "",
        f"{item.n_events} events" if item.n_events is not None else "",
        bytes_text(item.size_bytes) if item.size_bytes is not None else "",
        "more to come" if item.is_open else "",
    ]
    return "".join(f", {part}" for part in parts if part)
