"""The console script `panda`: the commands of `cli`, and the process commands of this package, each imported when it is called.

A process command is a module of `commands/` with `configure(parser)` and `run(arguments, session)`, and one line in PROCESS_COMMANDS.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pandawms.cli.program import run_program
from pandawms.cli.registry import USER_COMMANDS, Command

if TYPE_CHECKING:
    from pathlib import Path

    from pandawms.domain.outcome import Outcome
    from pandawms.wire.pilot import JobSpec, WrittenFile

_GROUP = "This machine"

PROCESS_COMMANDS: Sequence[Command] = (
    Command("up", "start the whole system here", "pandawms.main.commands.up", _GROUP),
    Command("down", "end the system that runs here", "pandawms.main.commands.down", _GROUP),
    Command("reload", "have the running system take the newest build", "pandawms.main.commands.reload", _GROUP),
    Command("status", "show what of the system runs here", "pandawms.main.commands.status", _GROUP),
    Command("server", "run the REST server alone", "pandawms.main.commands.server", _GROUP),
    Command("engine", "run the engine alone", "pandawms.main.commands.engine", _GROUP),
    Command("provision", "run the provisioner alone", "pandawms.main.commands.provision", _GROUP),
    Command("pilot", "run a pilot here", "pandawms.main.commands.pilot", _GROUP),
    Command("db", "upgrade and check the database", "pandawms.main.commands.db", _GROUP),
    Command("bench", "measure how many jobs this machine can handle", "pandawms.main.commands.bench", _GROUP),
)

COMMANDS: Sequence[Command] = (*USER_COMMANDS, *PROCESS_COMMANDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `panda` with these arguments (those of the process by default); gives back the exit code."""
    return run_program(sys.argv[1:] if arguments is None else arguments, COMMANDS, _try_job)


def _try_job(spec: JobSpec, work_dir: Path, output_dir: Path, cache_dir: Path) -> tuple[Outcome, tuple[WrittenFile, ...]]:
    """Runs one job here with the pilot's own code, which is imported only now."""
    from pandawms.pilot.trial import run_job

    return run_job(spec, work_dir, output_dir, cache_dir)


if __name__ == "__main__":
    sys.exit(main())
