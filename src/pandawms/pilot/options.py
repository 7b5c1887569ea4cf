"""The pilot's command line."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STATUSES = (
    "Exit status: 0 left in order; 1 an error of the pilot itself; 2 the command line is wrong; 3 the server denies it work; "
    "4 the node is unfit: too little disk is free; 128 + N ended at once by signal N. After 3 and 4 the last line of its "
    "output is an event with a reason."
)


@dataclass(frozen=True)
class Options:
    """What a pilot is told when it starts. None means: no limit, or found out by the pilot itself.

    Cores, memory, disk and GPUs are those of each node of its slot.
    """

    server: str
    queue: str
    token_file: Path
    work_dir: Path
    cache_dir: Path
    worker_id: int | None = None
    cores: int = 1
    memory_mb: int = 0
    disk_mb: int = 0
    gpus: int = 0
    nodes: int = 1
    gpu_model: str = ""
    gpu_memory_mb: int = 0
    lifetime_seconds: float | None = None
    idle_seconds: float | None = None
    max_jobs: int | None = None
    interpreters: tuple[str, ...] = ()
    uv: str | None = None
    grace_seconds: float = 10.0
    watch_seconds: float = 5.0
    memory_grace: float = 2.0
    min_free_disk_mb: float = 1000.0
    keep_output_mb: int = 64
    report_patience_seconds: float = 7 * 86400.0

    @property
    def needed_disk_mb(self) -> float:
        """What must be free on the work folder's disk: never more than a small slot offers."""
        return min(self.min_free_disk_mb, self.disk_mb) if self.disk_mb > 0 else self.min_free_disk_mb


def parse(arguments: Sequence[str]) -> Options:
    """Reads the command line; leaves with status 2 and a message when it is wrong."""
    given = _parser().parse_args(arguments)
    base = _own_temporary_folder
    return Options(
        server=given.server,
        queue=given.queue,
        token_file=given.token_file,
        work_dir=(given.work_dir or base("work")).absolute(),
        cache_dir=(given.cache_dir or base("cache")).absolute(),
        worker_id=given.worker_id,
        cores=given.cores,
        memory_mb=given.memory_mb,
        disk_mb=given.disk_mb,
        gpus=given.gpus,
        nodes=given.nodes,
        gpu_model=given.gpu_model,
        gpu_memory_mb=given.gpu_memory_mb,
        lifetime_seconds=given.lifetime_seconds,
        idle_seconds=given.idle_seconds,
        max_jobs=given.max_jobs,
        interpreters=tuple(given.python),
        uv=given.uv,
        grace_seconds=given.grace_seconds,
        watch_seconds=given.watch_seconds,
        memory_grace=given.memory_grace,
        min_free_disk_mb=given.min_free_disk_mb,
        keep_output_mb=given.keep_output_mb,
        report_patience_seconds=given.report_patience_seconds,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pilot.pyz", description="Runs a queue's jobs on this node.", epilog=_STATUSES)
    add = parser.add_argument
    add("--server", required=True, metavar="URL", help="the server, as http(s)://host:port")
    add("--queue", required=True, help="whose jobs to run")
    add("--token-file", required=True, type=Path, help="file with a pilot token for the queue")
    add("--worker-id", type=int, help="the worker that the provisioner registered")
    add("--work-dir", type=Path, help="where jobs run (a folder of the user's own under TMPDIR)")
    add("--cache-dir", type=Path, help="sandboxes and environments, shared by the node's pilots")
    _add_slot(parser.add_argument_group("the slot"))
    _add_ways(parser.add_argument_group("how jobs are run"))
    return parser


def _add_slot(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--nodes", type=int, default=1, help="nodes of the slot; this one is the first, and what follows is of each")
    add("--cores", "--slots-cores", type=int, default=1)
    add("--memory-mb", type=int, default=0, help="memory of the slot (0: not said)")
    add("--disk-mb", type=int, default=0, help="disk of the slot (0: not said)")
    add("--gpus", type=int, default=0)
    add("--gpu-model", default="", help="their model, as nvidia-smi or the site names it (empty: not said)")
    add("--gpu-memory-mb", type=int, default=0, help="memory of each of them (0: not said)")
    add("--lifetime-seconds", type=float, help="how long the slot lasts")
    add("--idle-seconds", type=float, help="leave when no job came for so long")
    add("--max-jobs", type=int, help="leave after so many jobs")


def _add_ways(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--python", action="extend", nargs="+", default=[], help="interpreters for environments, the preferred first")
    add("--uv", help="a uv to build environments with (default: the one on PATH, else venv and pip)")
    add("--grace-seconds", type=float, default=10.0, help="between SIGTERM and SIGKILL")
    add("--watch-seconds", type=float, default=5.0, help="how often limits are checked")
    add("--memory-grace", type=float, default=2.0, help="a job may use its memory_mb times this")
    add("--min-free-disk-mb", type=float, default=1000.0, help="no job is taken, and one is stopped, when less is free (or --disk-mb, if smaller)")
    add("--keep-output-mb", type=int, default=64, help="what is kept of each of stdout and stderr")
    add("--report-patience-seconds", type=float, default=7 * 86400.0, help="how long to try to report a job")


def _own_temporary_folder(name: str) -> Path:
    """`<TMPDIR>/panda-pilot-<uid>/<name>`, refused when another user made it."""
    base = Path(tempfile.gettempdir()) / f"panda-pilot-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.stat().st_uid != os.getuid() or base.is_symlink():
        raise SystemExit(f"{base} belongs to somebody else: give --work-dir and --cache-dir")
    return base / name
