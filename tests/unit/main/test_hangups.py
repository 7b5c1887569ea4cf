"""SIGHUP: the end for who has lost the terminal, a wish for the newest build for all others."""

import os
import pty
import sys
import time
from pathlib import Path

PROGRAM = """
import signal, sys
from pathlib import Path
from pandawms.main.up import Hangups

hangups, told = Hangups(), Path(sys.argv[1])
signal.signal(signal.SIGHUP, lambda *_: told.write_text(f"{hangups.is_the_end()} {hangups.is_heard}"))
told.write_text("ready")
while True:
    signal.pause()
"""


def until(path: Path, *texts: str) -> str:
    """What the program tells, as soon as it is one of these."""
    deadline = time.monotonic() + 20
    while not path.exists() or path.read_text() not in texts:
        assert time.monotonic() < deadline, path.exists() and path.read_text()
        time.sleep(0.01)
    return path.read_text()


def test_a_signal_asks_for_the_newest_build_and_a_terminal_that_goes_for_the_end(tmp_path: Path) -> None:
    told = tmp_path / "told"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", PROGRAM, str(told)])
    try:
        until(told, "ready")
        os.kill(pid, 1)
        assert until(told, "False True", "True False") == "False True"
        told.unlink()
        os.close(terminal)
        assert until(told, "True True", "False True") == "True True"
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
