"""Runs an example as its README says, in a fresh system of its own: words, chain, dimuon or build-cpp.

    python examples/demo.py words

The commands are those under "Run it" in the README, in a copy of the example's folder. All of it is in the folder `.demo-NAME` in this clone, results too. On a
terminal the system stays up at the end, to be looked at, until Ctrl-C; elsewhere it is ended. The Z peak has a demo of its own, examples/zpeak/demo.py.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from own_system import PANDA, stay, system

HERE = Path(__file__).resolve().parent
NAMES = ("words", "chain", "dimuon", "build-cpp")
PROGRAMS = Path(sys.executable).parent
SHELL = f'panda() {{ {shlex.join(PANDA)} "$@"; }}'
"""What `panda` means in the commands of a README: that of the Python that runs this, wherever it is installed."""


def main() -> int:
    """Runs the commands one after the other; returns the exit code of the first that fails."""
    options = arguments()
    data = data_folder(options)
    environment = {
        **os.environ, "PANDA_DATA": str(data), "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PANDA_ENGINE_TRANSIENT_DAYS": "0",  # what is only in between goes at once, not after a day
    }  # fmt: skip
    with system(data, environment) as url:
        print(f"The system is up: {url}  (data in {data})", flush=True)
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


def data_folder(options: argparse.Namespace) -> Path:
    """Where the system is, as a path that holds in every folder: the commands run in that of the example."""
    given: Path | None = options.data
    return (given or HERE.parent / f".demo-{options.name}").resolve()


def play(example: Path, folder: Path, environment: dict[str, str]) -> int:
    """Copies the example into the folder, and shows and runs each command there."""
    shutil.copytree(example, folder, dirs_exist_ok=True)
    for command in commands((folder / "README.md").read_text(encoding="utf-8")):
        print(f"\n$ {command}", flush=True)
        code = subprocess.run(["bash", "-c", f"{SHELL}\n{command}"], cwd=folder, env=environment).returncode
        if code:
            return code
    return 0


def commands(readme: str) -> list[str]:
    """The lines of the first `sh` block under "Run it"."""
    block = re.search(r"^## Run it$.*?^```sh\n(.*?)^```$", readme, flags=re.S | re.M)
    if block is None:
        sys.exit("the README has no commands under «Run it»")
    return [line for line in block[1].splitlines() if line]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
