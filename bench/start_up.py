"""How long `panda` takes to start. The floor is an empty Python of the same environment."""

import subprocess
import sys
import time


def help_ms() -> tuple[float, float]:
    """`panda --help`, milliseconds."""
    return _ms("-m", "pandawms.main.panda", "--help"), _ms("-c", "pass")


def ls_ms() -> tuple[float, float]:
    """`panda ls` until it finds that no server is there: all imports of a command that asks the API."""
    return _ms("-m", "pandawms.main.panda", "--url", "http://127.0.0.1:9", "ls", "--help"), _ms("-c", "pass")


def _ms(*arguments: str) -> float:
    """The fastest of ten starts: what is not noise."""
    return min(_once(*arguments) for _ in range(10))


def _once(*arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000
