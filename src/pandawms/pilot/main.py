"""The zipapp's entry: `python3 -I pilot.pyz --server URL --queue Q --token-file F …`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pandawms.pilot.agent import Agent
from pandawms.pilot.options import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a pilot to its end; returns its exit status."""
    return Agent(parse(sys.argv[1:] if arguments is None else arguments)).run()
