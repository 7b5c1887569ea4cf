"""What others wrote never steers the terminal of who reads it."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from pandawms.cli.exit_codes import ExitCode
from pandawms.cli.logs import show_files
from pandawms.cli.terminal import Column, Terminal
from tests.unit.cli.answers import PROBLEM, TASK, Panda, page
from tests.unit.client.stand_in import Said, in_turn, stand_in

EVIL = "red \x1b[31m\x9b2J\x07\r\x7f\u202e end"
SHOWN = "red \\x1b[31m\\x9b2J\\x07\\x0d\\x7f\\u202e end"


class Screen:
    """A terminal whose bytes a test can look at."""

    def __init__(self, *, is_tty: bool, as_json: bool = False) -> None:
        self.bytes = io.BytesIO()
        stdout, stderr = io.TextIOWrapper(self.bytes, encoding="utf-8", write_through=True), io.StringIO()
        self.terminal = Terminal(io.StringIO(), stdout, stderr, is_tty, as_json, colour=False)

    @property
    def text(self) -> str:
        """What was written."""
        return self.bytes.getvalue().decode()


@pytest.mark.parametrize("is_tty", [True, False])
def test_tables_records_lines_and_notes_escape_them(is_tty: bool) -> None:
    screen = Screen(is_tty=is_tty)
    screen.terminal.table([EVIL.replace("\r", "")], [Column("reason", lambda row: row)])
    screen.terminal.record(None, {"reason": EVIL.replace("\r", "")})
    screen.terminal.line(EVIL)
    screen.terminal.note(EVIL)
    assert screen.text.count(SHOWN.replace("\\x0d", "")) == 2
    assert screen.text.count(SHOWN) == 1
    assert screen.terminal.stderr.getvalue() == f"{SHOWN}\n"  # type: ignore[attr-defined] # a StringIO
    assert "\x1b" not in screen.text


def test_json_escapes_them_in_its_own_way() -> None:
    screen = Screen(is_tty=True, as_json=True)
    screen.terminal.json({"reason": EVIL})
    assert json.loads(screen.text) == {"reason": EVIL}
    assert not set("\x1b\x9b\x7f\u202e") & set(screen.text)


def test_a_record_on_a_terminal_keeps_lines_apart_from_its_own() -> None:
    screen = Screen(is_tty=True)
    screen.terminal.record(None, {"command": "a\nstatus  done"})
    assert screen.text == "command  a\n         status  done\n"


@pytest.mark.parametrize(
    ("is_tty", "raw", "expected"),
    [
        (True, False, f"a\tb\n{SHOWN}\n".encode()),
        (True, True, f"a\tb\n{EVIL}".encode() + b"\xff"),
        (False, False, f"a\tb\n{EVIL}".encode() + b"\xff"),
    ],
)
def test_a_log_is_escaped_on_a_terminal_and_raw_in_a_pipe(is_tty: bool, raw: bool, expected: bytes) -> None:
    screen = Screen(is_tty=is_tty)
    show_files({"log/payload.stdout": f"a\tb\n{EVIL}".encode() + (b"\xff" if expected.endswith(b"\xff") else b"")}, screen.terminal, raw=raw)
    assert screen.bytes.getvalue() == expected


def test_files_that_do_not_end_their_last_line_are_kept_apart() -> None:
    screen = Screen(is_tty=False)
    show_files({"log/payload.stdout": b"out", "log/payload.stderr": b"err"}, screen.terminal)
    assert screen.bytes.getvalue() == b"out\nerr"


def test_why_and_errors_escape_them_in_one_line_each(panda: Panda) -> None:
    why = {"subject": "t", "status": "ready", "headline": EVIL, "causes": [{"code": "c", "text": f"{EVIL}\n> forged"}], "advice": [EVIL], "rejections": []}
    with stand_in(in_turn(Said(body=why))) as server:
        _, out, _ = panda("why", "t", server=server)
    assert out.count("\\x1b[31m") == 3
    assert len(out.splitlines()) == 3
    with stand_in(in_turn(Said(404, PROBLEM | {"detail": EVIL, "hint": EVIL}))) as server:
        code, _, err = panda("show", "t", server=server)
    assert (code, err.count("\\x1b[31m"), "\x1b" in err) == (ExitCode.NOT_FOUND, 2, False)


def test_a_reason_in_a_list_is_escaped(panda: Panda) -> None:
    with stand_in(in_turn(page(TASK | {"reason": EVIL}))) as server:
        assert "\\x1b[31m" in panda("ls", server=server)[1]


def test_names_in_a_log_archive_are_escaped(panda: Panda) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("log/\x1b[31m"))
    with stand_in(in_turn(Said(body=buffer.getvalue()))) as server:
        assert panda("logs", "5", "--list", server=server)[1] == "log/\\x1b[31m\t0\n"
