"""The program `panda` as a user calls it, in a folder of its own."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pandawms.cli.program import run_program
from pandawms.main.panda import COMMANDS
from tests.unit.cli.answers import Panda
from tests.unit.client.stand_in import StandIn


@pytest.fixture
def panda(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Panda:
    """Runs a command, against a stand-in when one is given; gives back exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("PANDA_URL", "PANDA_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PANDA_DATA", str(tmp_path / "data"))

    def run(*arguments: str, server: StandIn | None = None, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        where = () if server is None else ("--url", server.url, "--token", "t")
        code = run_program([*where, *arguments], COMMANDS)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
