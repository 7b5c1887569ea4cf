"""The whole system: no-op jobs through real pilot processes. The floor is as many `/bin/true` started by one Python process, two at a time."""

import subprocess
import time

from tests.system.running import Running, started, until

JOBS = 200
SLOTS = 2


def noop_jobs_per_second() -> tuple[float, float]:
    """Jobs a second from the submit of 200 no-op jobs until the task is done, pilots already there."""
    with started(slots=SLOTS) as system:
        _run(system, "warm", 4)
        return JOBS / _run(system, "noop", JOBS), _floor()


def _run(system: Running, name: str, jobs: int) -> float:
    begin = time.perf_counter()
    system.submit(name, program={"command": "true > %OUT"}, inputs={"events": {"count": jobs}}, split={"events_per_job": 1}, outputs={"out": "o"}, merge=None)
    until(lambda: system.task(name).status == "done", 300, f"{name} is done")
    return time.perf_counter() - begin


def _floor() -> float:
    begin = time.perf_counter()
    for _ in range(JOBS // SLOTS):
        for process in [subprocess.Popen(["/bin/true"]) for _ in range(SLOTS)]:
            process.wait()
    return JOBS / (time.perf_counter() - begin)
