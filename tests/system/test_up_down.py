"""`panda up` and `panda down`: one process tree, several systems side by side, nothing left behind."""

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from pandawms.main.ports import free
from pandawms.store.embedded import EmbeddedServer, Options
from tests.system.running import PANDA, Running, commands, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for systems; their databases are removed with it."""
    with TemporaryDirectory(prefix="panda-updown-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        for data in Path(name).glob("*/postgres"):
            EmbeddedServer(Options(folder=data)).remove()


def mine(folder: Path) -> list[str]:
    """The command lines of processes that belong to the folder's systems."""
    return [command for _, command in commands() if str(folder) in command]


def panda(data: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Runs a `panda` command for a data folder."""
    return subprocess.run([*PANDA, "--data", str(data), *arguments], capture_output=True, text=True, timeout=120, env=os.environ | variables)


def test_two_systems_run_side_by_side_and_each_down_ends_exactly_its_own(folder: Path) -> None:
    first, second = folder / "one", folder / "two"
    urls = [json.loads(panda(data, "--json", "up", "--detach", "--slots", "1").stdout)["url"] for data in (first, second)]
    assert len(set(urls)) == 2
    assert panda(first, "down").returncode == 0
    assert [command for command in mine(folder) if str(first) in command] == []
    assert panda(second, "status").returncode == 0
    assert panda(second, "down").returncode == 0
    assert mine(folder) == []
    assert "nothing ran" in panda(second, "down").stderr


def test_a_system_with_a_certificate_speaks_tls_in_all_its_parts(folder: Path) -> None:
    """The name is not the address that it listens on, as behind 0.0.0.0: commands and pilots use the name, readiness asks no name."""
    data, key, certificate = folder / "one", folder / "key.pem", folder / "certificate.pem"
    port = str(free())
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj", "/CN=panda",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True,
    )  # fmt: skip
    data.mkdir()
    (data / "panda.toml").write_text(f'[server]\ntls_certificate = "{certificate}"\ntls_key = "{key}"\npublic_url = "https://localhost:{port}/"\n')
    trust = {"SSL_CERT_FILE": str(certificate)}
    assert json.loads(panda(data, "--json", "up", "--detach", "--slots", "1", "--port", port, **trust).stdout)["url"] == f"https://localhost:{port}"
    (folder / "task.toml").write_text('name = "safe"\n[program]\ncommand = "true"\n[inputs.events]\npieces = 1\n')
    done = panda(data, "submit", str(folder / "task.toml"), "--wait", **trust)
    assert done.returncode == 0, done.stderr
    panda(data, "down", **trust)
    assert mine(folder) == []


def test_a_second_up_for_the_same_folder_is_refused_and_the_first_goes_on(folder: Path) -> None:
    data = folder / "one"
    assert panda(data, "up", "--detach").returncode == 0
    refused = panda(data, "up")
    assert refused.returncode == 5
    assert len(refused.stderr.strip().splitlines()) == 2
    assert panda(data, "status").returncode == 0
    panda(data, "down")


def test_a_port_in_use_is_named_before_anything_starts(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = panda(folder / "one", "up", "--port", str(taken.getsockname()[1]))
    assert refused.returncode == 5
    assert "in use" in refused.stderr
    assert not (folder / "one" / "postgres").exists()


def test_data_and_address_outlive_a_restart_and_secrets_are_private(folder: Path) -> None:
    system = Running(folder / "one", folder, slots=1)
    system.data.mkdir()
    system.start()
    system.submit("kept", merge=None, inputs={"events": {"count": 1}}, split={"events_per_job": 1})
    system.wait("kept")
    url = json.loads((system.data / "run" / "endpoint.json").read_text())["url"]
    system.stop()
    system.start()
    assert json.loads((system.data / "run" / "endpoint.json").read_text())["url"] == url
    assert system.task("kept").status == "done"
    for private in ("keys/issuer.json", "tokens/user", "tokens/operator", "run/database.json"):
        assert stat.S_IMODE((system.data / private).stat().st_mode) == 0o600, private
    system.stop()


def test_ctrl_c_ends_everything(folder: Path) -> None:
    system = Running(folder / "one", folder, slots=1)
    system.data.mkdir()
    system.start()
    system.submit("cut", program={"command": "sleep 100 # payload-of-cut"}, merge=None, outputs={})
    system.wait_running("cut")
    assert system.up is not None
    os.kill(system.up.pid, 2)
    system.up.wait(60)
    assert mine(folder) == []


def test_down_after_a_killed_up_ends_what_is_left(folder: Path) -> None:
    system = Running(folder / "one", folder, slots=1)
    system.data.mkdir()
    system.start()
    system.kill("up")
    assert system.up is not None
    system.up.wait()
    assert panda(system.data, "down").returncode == 0
    until(lambda: mine(folder) == [], 5, "nothing of the system runs")


def test_a_wrong_setting_is_refused_with_its_key_and_a_suggestion(folder: Path) -> None:
    data = folder / "one"
    data.mkdir()
    (data / "panda.toml").write_text("[server]\nprot = 80\n")
    refused = panda(data, "up")
    assert refused.returncode == 2
    assert "server.prot" in refused.stderr
    assert "port" in refused.stderr


def test_server_and_engine_run_alone_against_the_same_settings(folder: Path) -> None:
    system = Running(folder / "one", folder, slots=1)
    system.data.mkdir()
    system.start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([*PANDA, "--data", str(system.data), "server", "--port", str(port)], stderr=subprocess.DEVNULL)
    engine = subprocess.Popen([*PANDA, "--data", str(system.data), "engine"], stderr=subprocess.DEVNULL)
    try:
        token = (system.data / "tokens" / "user").read_text().strip()
        other = [sys.executable, "-m", "pandawms.main.panda", "--url", f"http://127.0.0.1:{port}", "--token", token, "ls", "queues"]
        until(lambda: subprocess.run(other, capture_output=True).returncode == 0, 30, "the second server answers")
    finally:
        for process in (server, engine):
            process.terminate()
            assert process.wait(5) == 0, "it ends within 5 s of SIGTERM"
        system.stop()
