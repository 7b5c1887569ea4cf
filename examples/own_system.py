"""A fresh system for the length of a demo, started and ended by the `panda` of the Python that runs it. Shared by demo.py and zpeak/demo.py."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

PANDA = (sys.executable, "-m", "pandawms.main.panda")


@contextmanager
def system(data: Path, environment: dict[str, str], busy: Callable[[str], AbstractContextManager[object]] = nullcontext) -> Iterator[str]:
    """Starts a system in a data folder, whose earlier one is deleted, and gives its address; SIGTERM and Ctrl-C end it, too. `busy` shows what is going on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (data / "run").exists():
        panda("down", "--remove-data", environment=environment)
    with busy("Starting the database, the server, the engine and the provisioner …"):
        url = json.loads(panda("--json", "up", "--detach", environment=environment))["url"]
    try:
        yield url
    finally:
        with busy("Ending the system …"):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            panda("down", environment=environment)


def panda(*command: str, environment: dict[str, str]) -> str:
    """Runs a `panda` command that must succeed and returns what it printed."""
    done = subprocess.run([*PANDA, *command], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def stay() -> None:
    """Waits for Ctrl-C."""
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()
