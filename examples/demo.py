"""Runs an example as its README says, in a fresh system of its own: words, chain, dimuon or build-cpp.

    python examples/demo.py words

The commands are those under "Run it" in the README, in a copy of the example's folder. All of it is in the folder `.demo-NAME` in this clone, results too. On a
terminal the system stays up at the end, to be looked at, until Ctrl-C; elsewhere it is ended. The Z peak has a demo of its own, examples/zpeak/demo.py.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("words", "chain", "dimuon", "build-cpp")
PROGRAMS = Path(sys.executable).parent


def main() -> int:
    """Runs the commands one after the other; returns the exit code of the first that fails."""
    options = arguments()
    data = options.data or HERE.parent / f".demo-{options.name}"
    environment = {
        **os.environ, "PANDA_DATA": str(data), "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PANDA_ENGINE_TRANSIENT_DAYS": "0",  # what is only in between goes at once, not after a day
    }  # fmt: skip
    with system(data, environment):
        code = play(HERE / options.name, data / options.name, environment)
        if sys.stdin.isatty() and sys.stdout.isatty():
            print(f"\nLook further with `panda --data {data} ls`. Ctrl-C ends the system.")
            stay()
    return code


def arguments() -> argparse.Namespace:
    """Which example, and where."""
    parser = argparse.ArgumentParser(description="Run an example as its README says, in a fresh system of its own.")
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--data", type=Path, help="data folder; what an earlier demo left there is deleted")
    return parser.parse_args()


@contextmanager
def system(data: Path, environment: dict[str, str]) -> Iterator[None]:
    """A fresh system for the length of the block; SIGTERM and Ctrl-C end it too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if (data / "run").exists():
        panda("down", "--remove-data", environment=environment)
    url = json.loads(panda("--json", "up", "--detach", environment=environment))["url"]
    print(f"The system is up: {url}  (data in {data})")
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        panda("down", environment=environment)


def panda(*command: str, environment: dict[str, str]) -> str:
    """Runs a `panda` command that must succeed and returns what it printed."""
    done = subprocess.run(["panda", *command], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def play(example: Path, folder: Path, environment: dict[str, str]) -> int:
    """Copies the example into the folder, and shows and runs each command there."""
    shutil.copytree(example, folder, dirs_exist_ok=True)
    for command in commands((folder / "README.md").read_text(encoding="utf-8")):
        print(f"\n$ {command}", flush=True)
        code = subprocess.run(["bash", "-c", command], cwd=folder, env=environment).returncode
        if code:
            return code
    return 0


def commands(readme: str) -> list[str]:
    """The lines of the first `sh` block under "Run it"."""
    block = re.search(r"^## Run it$.*?^```sh\n(.*?)^```$", readme, flags=re.S | re.M)
    if block is None:
        sys.exit("the README has no commands under «Run it»")
    return [line for line in block[1].splitlines() if line]


def stay() -> None:
    """Waits for Ctrl-C."""
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
