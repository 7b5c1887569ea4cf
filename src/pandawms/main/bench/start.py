"""How long a user waits for the first job: from the submit call to the first thing that the payload does."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from pandawms.api import tokens
from pandawms.client.client import Client
from pandawms.domain.errors import Unavailable
from pandawms.main.bench.system import System
from pandawms.main.files import write_private
from pandawms.main.processes import end, identify, wait_until
from pandawms.store import places
from pandawms.store.database import Pool
from pandawms.wire.checks import decode_document

PATIENCE_SECONDS = 30.0


@contextmanager
def pilot(system: System) -> Iterator[Path]:
    """Runs a real pilot of the local queue for the length of the block, in a folder of its own, which it gives."""
    with tempfile.TemporaryDirectory(prefix="panda-bench-pilot-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        write_private(folder / "token", system.run(lambda pool: _token(pool, system)))
        command = [
            sys.executable, "-m", "pandawms.pilot", "--server", system.url, "--queue", system.given.local.queue, "--token-file", str(folder / "token"),
            "--work-dir", str(folder / "work"), "--cache-dir", str(folder / "cache"), "--memory-mb", "4000", "--disk-mb", "1000",
        ]  # fmt: skip
        with (folder / "pilot.log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            yield folder
        finally:
            identity = identify(process.pid)
            if identity is not None:
                end(identity, 15.0)
            process.wait()


async def _token(pool: Pool, system: System) -> str:
    assert system.local is not None, "the system is prepared"
    key = tokens.load_or_create_key(system.folder / "keys" / "issuer.json")
    async with pool.acquire() as connection, connection.transaction():
        queue = await places.queue_by_name(connection, system.given.local.queue)
        assert queue is not None, "bootstrap makes the local queue"
        return await tokens.issue(connection, key, system.local.user_id, "bench", ("pilot",), queue.queue_id, queue.name, timedelta(days=1))


def once(system: System, folder: Path) -> float:
    """Submits a task of one job over HTTP; returns the milliseconds from the call until its payload wrote the time. The pilot is idle when it begins."""
    name = f"start-{uuid4().hex[:12]}"
    said = folder / name
    document = decode_document({
        "name": name, "program": {"command": f"date +%s.%N > {said}; echo > %OUT"}, "inputs": {"events": {"count": 1}}, "split": {"events_per_job": 1},
        "outputs": {"out": "out.txt"}, "queues": [system.given.local.queue],
    })  # fmt: skip
    with Client(system.url, (system.folder / "tokens" / "user").read_text().strip()) as client:
        client.system.health()
        begin = time.time()
        client.submit(document, folder)
        if not wait_until(lambda: said.exists() and bool(said.read_text().strip()), PATIENCE_SECONDS):
            raise Unavailable(f"no payload started in {PATIENCE_SECONDS:.0f} s", code="bench.start", hint=f"look into {system.folder / 'logs'}")
        started = float(said.read_text())
        if not wait_until(lambda: client.tasks.get(name).status == "done", PATIENCE_SECONDS):
            raise Unavailable(f"the task {name} did not end in {PATIENCE_SECONDS:.0f} s", code="bench.start", hint=f"look into {system.folder / 'logs'}")
        time.sleep(0.3)
    return (started - begin) * 1000
