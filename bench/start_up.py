"""How long `panda` takes to start. The floor is an empty Python of the same environment."""

import subprocess
import sys
import time

from tests.unit.client.stand_in import Said, in_turn, stand_in


def help_ms() -> tuple[float, float]:
    """`panda --help`, milliseconds."""
    return _ms("-m", "pandawms.main.panda", "--help"), _ms("-c", "pass")


def ls_ms() -> tuple[float, float]:
    """`panda ls` of an empty system, its server a stand-in: start, imports, one call, output."""
    with stand_in(in_turn(Said(body={"items": [], "next_cursor": None}))) as server:
        return _ms("-m", "pandawms.main.panda", "--url", server.url, "--token", "t", "ls"), _ms("-c", "pass")


def _ms(*arguments: str) -> float:
    """The fastest of ten starts: what is not noise."""
    return min(_once(*arguments) for _ in range(10))


def _once(*arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000
