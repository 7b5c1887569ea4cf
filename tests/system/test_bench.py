"""`panda bench` as a user runs it: what it prints and writes, and that nothing of it is left running."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pandawms.store.embedded import EmbeddedServer, Options
from tests.system.running import PANDA, commands, until


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """The data folder of a benchmark; PostgreSQL's part, which may be elsewhere, is deleted with it."""
    yield tmp_path / "data"
    if (tmp_path / "data" / "postgres").exists():
        EmbeddedServer(Options(folder=tmp_path / "data" / "postgres")).remove()


def running(data: Path) -> list[str]:
    """The programs that run for this data folder."""
    home = (data / "postgres" / "LOCATION").read_text().strip() if (data / "postgres" / "LOCATION").exists() else str(data / "postgres")
    return [command for _, command in commands() if str(data) in command or home in command]


def test_a_tiny_benchmark_prints_its_table_writes_json_and_leaves_nothing_running(tmp_path: Path, data: Path) -> None:
    file, pictures = tmp_path / "figures.json", tmp_path / "pictures"
    command = [*PANDA, "bench", "--data", str(data), "--quick", "--seconds", "1", "--runs", "1", "--only", "lives_3_calls"]
    done = subprocess.run([*command, "--json", str(file), "--pictures", str(pictures)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads(file.read_text())
    figures = {figure["name"]: figure for figure in document["figures"]}
    assert {"lives_3_calls", "share_of_limit", "share_of_batched", "server_mb", "limit", "server_cpu_ms", "wal_bytes"} <= figures.keys()
    assert all(0 < figure["min"] <= figure["median"] <= figure["max"] for name, figure in figures.items() if name != "engine_cpu_ms")
    assert figures["lives_3_calls"]["unit"] == "lives/s"
    (run,) = document["runs"]
    assert run["load"]["failed"] == run["load"]["left"] == 0
    assert set(run["load"]["verdicts"]) <= {"heartbeat ok", "report accepted", "claim empty"}
    assert document["notes"] == []
    assert "lives_3_calls" in done.stdout
    assert str(file) in done.stdout
    assert running(data) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_benchmark_that_is_interrupted_ends_everything_that_it_has_started(data: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([*PANDA, "bench", "--data", str(data), "--quick", "--seconds", "30"], stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        until(lambda: any("bench.load" in command for command in running(data)) or process.poll() is not None, 90, "the load generator runs")
        os.kill(process.pid, number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "interrupted" in said
    assert running(data) == []


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    done = subprocess.run([*PANDA, "bench", "--data", str(tmp_path), "--fresh"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"[--data = '{tmp_path}']" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
