"""The programs `panda up --detach`, `panda reload` and `panda down`: from outside a running system, start it, renew it and end it."""

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pandawms.domain.errors import Conflict, Invalid, NotFound, PandaError, Unavailable
from pandawms.main.processes import Book, Identity, end, identify, wait_until
from pandawms.main.up import PANDA, SECOND, START_SECONDS, STOP_SECONDS, UPGRADE_SECONDS, only_one
from pandawms.store import embedded


def detach(data: Path, *, port: int | None, slots: int | None) -> str:
    """Starts `panda up` in the background and returns the address of its API once it answers. Raises Unavailable when it ends first."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    (data / "logs").mkdir(exist_ok=True)
    endpoint, up = data / "run" / "endpoint.json", data / "run" / "up.json"
    options = [*(["--port", str(port)] if port else []), *(["--slots", str(slots)] if slots else [])]
    with (data / "logs" / "up.log").open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [*PANDA, "up", "--data", str(data), *options],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip

    def is_up() -> bool:
        with suppress(FileNotFoundError, ValueError):
            return bool(json.loads(up.read_text())["pid"] == process.pid) or process.poll() is not None
        return process.poll() is not None

    if not wait_until(is_up, START_SECONDS + 30, 0.1) or process.poll() is not None:
        said = (data / "logs" / "up.log").read_bytes()[begin:].decode(errors="replace").strip().splitlines()
        raise _failure(process.poll(), said, data)
    return str(json.loads(endpoint.read_text())["url"])


def _failure(exit_code: int | None, said: list[str], data: Path) -> PandaError:
    """The error of a `panda up` that ended, as it told it in its own two lines."""
    kind = {2: Invalid, 5: Conflict}.get(exit_code or 0, Unavailable)
    errors = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    hints = [line.removeprefix("hint: ") for line in said if line.startswith("hint: ")]
    detail = errors[-1] if errors else "`panda up` did not start"
    return kind(detail, code="up.failed", hint=hints[-1] if hints else f"see {data / 'logs' / 'up.log'}")


def remove(data: Path) -> None:
    """Deletes a data folder whose system is down, with its database wherever that is; only a folder that has a system in it."""
    if not (data / "run").is_dir():
        raise NotFound(f"{data} is no data folder of PanDA", code="data.unknown", field="data", value=str(data), hint="name one with --data")
    embedded.EmbeddedServer(embedded.Options(folder=data / "postgres")).remove()
    shutil.rmtree(data)


def down(data: Path) -> bool:
    """Ends the system of a data folder, all of it and nothing else; returns False when nothing ran."""
    process = _supervisor(data)
    return end(process, sum(STOP_SECONDS.values()) + 20) if process is not None else _end_orphans(data)


def reload(data: Path) -> None:
    """Has the running system of a data folder replace its programs by the installed build, and returns when that is done.

    Raises NotFound when no `panda up` runs there, Conflict when the one that runs is of a release that cannot, Unavailable when a new program does not
    become ready (the old one goes on) or it takes too long.
    """
    process = _supervisor(data)
    if process is None:
        raise NotFound(f"no `panda up` runs in {data}", code="up.unknown", field="data", value=str(data), hint="start it with `panda up`, or name its --data")
    if not _read(data / "run" / "up.json").get("reloads"):  # to an older one SIGHUP means the end
        raise Conflict("the `panda up` that runs cannot reload", code="up.reload", hint="restart it once with `panda down` and `panda up`")
    asked_seconds, told = time.monotonic(), data / "run" / "reload.json"
    os.kill(process.pid, signal.SIGHUP)
    seconds = 2 * UPGRADE_SECONDS + 2 * START_SECONDS + sum(STOP_SECONDS.values())

    def is_told() -> bool:
        return bool(_read(told).get("begun_seconds", -1) >= asked_seconds)

    if not wait_until(lambda: is_told() or not process.is_alive, seconds, 0.1) or not is_told():
        raise Unavailable("the system did not say that it has reloaded", code="up.reload", hint=f"look into {data / 'logs'}")
    result = _read(told)
    if result["error"]:
        raise Unavailable(result["error"], code="up.reload", hint=result["hint"] or None)


def _read(path: Path) -> dict[str, Any]:
    """What a file of the folder `run` says, nothing when it is not there."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def _supervisor(data: Path) -> Identity | None:
    """The `panda up` that keeps this data folder up."""
    with suppress(FileNotFoundError, ValueError, KeyError):
        process = identify(int(json.loads((data / "run" / "up.json").read_text())["pid"]))
        return process if _holds_lock(data) else None
    return None


def _holds_lock(data: Path) -> bool:
    try:
        with only_one(data):
            return False
    except Conflict:
        return True


def _end_orphans(data: Path) -> bool:
    """Ends what a killed `panda up` left: its children, which take their pilots with them, then the database."""
    book = Book(data / "run" / "processes.json")
    left = book.read()
    for name in sorted(left, key=lambda name: list(STOP_SECONDS).index(name.removesuffix(SECOND))):
        end(left[name], STOP_SECONDS[name.removesuffix(SECOND)])
    server = embedded.EmbeddedServer(embedded.Options(folder=data / "postgres")) if (data / "postgres").exists() else None
    was_running = server is not None and server.is_running()
    if server is not None:
        server.stop()
    for name in ("processes.json", "endpoint.json", "database.json", "up.json", "reload.json"):
        (data / "run" / name).unlink(missing_ok=True)
    return bool(left) or was_running
