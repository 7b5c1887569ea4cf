"""The main job, as a user would do it: start a system, submit two task files, watch, fetch the picture, and look at what ran.

    python examples/zpeak/demo.py [--events 6000]

Everything is in the folder `.demo` beside this clone. On a terminal the system stays up at the end, to be looked at, until Ctrl-C; elsewhere it is ended.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pandawms.client import Client
from pandawms.wire.task import TaskDetail

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from own_system import PANDA, stay, system  # noqa: E402  (it is beside the folder of this script)

TASKS = ("z-evgen", "z-analysis")
console = Console()


def main() -> int:
    """Runs the demo; returns 0 when every event was processed once and the picture is there."""
    options = arguments()
    options.data = options.data.resolve()
    began = time.monotonic()
    environment = dict(os.environ, PANDA_DATA=str(options.data))
    with system(options.data, environment, console.status) as url:
        console.print(f"The system is up: [link={url}]{url}[/]  (data in {options.data})")
        code = produce(options, environment)
        if code == 0:
            code = show(options.data, url, time.monotonic() - began)
        if sys.stdin.isatty() and sys.stdout.isatty():
            console.print(f"\nLook further at [link={url}/api/v2/docs]{url}/api/v2/docs[/], or with `panda --data {options.data} ls`. Ctrl-C ends the system.")
            stay()
    if not sys.stdout.isatty():
        console.print(f"The system is down. To look further: panda up --data {options.data}, then {url}/api/v2/docs", soft_wrap=True)
    return code


def arguments() -> argparse.Namespace:
    """The options of the demo."""
    parser = argparse.ArgumentParser(description="From simulated events to the Z peak.")
    parser.add_argument("--events", type=int, default=6000, help="events to simulate (6000)")
    parser.add_argument("--data", type=Path, default=HERE.parents[1] / ".demo", help="data folder; what an earlier demo left there is deleted")
    return parser.parse_args()


def produce(options: argparse.Namespace, environment: dict[str, str]) -> int:
    """Submits both tasks, follows them to their end and fetches the results; returns the exit code of the first command that fails."""
    evgen, analysis = str(HERE / "evgen.yaml"), str(HERE / "analysis.yaml")
    for command in (
        ("submit", evgen, "--set", f"inputs.events.count={options.events}"),
        ("submit", analysis),
        ("watch", *TASKS),
        ("get", TASKS[1], "--to", str(options.data / "results")),
    ):
        code = subprocess.run([*PANDA, *command], env=environment).returncode
        if code:
            console.print(f"`panda {' '.join(command[:2])}` ended with {code}", style="red")
            return code
    return 0


def show(data: Path, url: str, seconds: float) -> int:
    """Prints what ran and where the picture is; returns 1 when an event is missing, counted twice or not in the histogram."""
    with Client(url, (data / "tokens" / "user").read_text().strip()) as client:
        tasks = [client.tasks.get(name) for name in TASKS]
        print_tasks(tasks)
        print_files(client, tasks[1])
    summary = json.loads(newest(data / "results", "*.json").read_text())
    wrong = problems(tasks, summary)
    console.print(
        f"\n{summary['events_generated']} events generated, {summary['events_selected']} selected, {summary['histogram_entries']} in the histogram; "
        f"peak at [bold]{summary['peak_gev']:.2f} ± {summary['peak_error_gev']:.2f} GeV[/]"
    )
    console.print(f"Picture: {newest(data / 'results', '*.png')}", soft_wrap=True)
    console.print(f"All in {seconds:.0f} s.")
    for sentence in wrong:
        console.print(sentence, style="red")
    return 1 if wrong else 0


def problems(tasks: list[TaskDetail], summary: dict[str, Any]) -> list[str]:
    """What is not as it must be."""
    evgen = tasks[0]
    checks = {
        f"the task finished {evgen.events_finished} of {evgen.events_total} events": evgen.events_finished == evgen.events_total,
        f"{summary['events_generated']} events were read, not {evgen.events_total}": summary["events_generated"] == evgen.events_total,
        f"{summary['events_missing']} events are missing": summary["events_missing"] == 0,
        "the histogram does not hold the selected events": summary["histogram_entries"] == summary["events_selected"],
    }
    return [sentence for sentence, holds in checks.items() if not holds]


def print_tasks(tasks: list[TaskDetail]) -> None:
    """A row a task."""
    table = Table(box=box.SIMPLE_HEAD, title="Tasks", title_justify="left")
    for title in ("task", "status", "jobs", "attempts", "done", "coverage", "wall", "CPU"):
        table.add_column(title, justify="left" if title in ("task", "status") else "right")
    for task in tasks:
        amount = f"{task.events_finished} events" if task.events_total else f"{task.inputs.finished} files"
        table.add_row(
            f"{task.name} ({task.task_id})", task.status, str(task.attempts - task.retries), str(task.attempts), amount, f"{task.coverage:.0%}",
            f"{task.wall_seconds:.0f} s", f"{task.cpu_seconds:.0f} s",
        )  # fmt: skip
    console.print(table)


def print_files(client: Client, task: TaskDetail) -> None:
    """A row for each file of the outputs that stay."""
    table = Table(box=box.SIMPLE_HEAD, title="Output files", title_justify="left")
    for title in ("dataset", "file", "bytes", "adler32"):
        table.add_column(title, justify="right" if title == "bytes" else "left", overflow="fold")
    for output in task.outputs:
        if not output.is_transient:
            for file in client.datasets.files(output.dataset):
                table.add_row(output.dataset, file.name, str(file.size_bytes), file.adler32)
    console.print(table)


def newest(folder: Path, pattern: str) -> Path:
    """The newest file that matches."""
    return max(folder.rglob(pattern), key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
