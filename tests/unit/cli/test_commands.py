"""Commands against a real HTTP server: what they print, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pandawms.cli.exit_codes import MEANINGS, ExitCode
from pandawms.cli.program import run_program
from pandawms.cli.show import _copies
from pandawms.domain.outcome import Outcome
from pandawms.main.panda import COMMANDS
from pandawms.wire.job import JobCopies, JobCopy
from pandawms.wire.pilot import JobSpec, Resources
from tests.unit.cli.answers import JOB, PROBLEM, STATE, TASK, Panda, page
from tests.unit.client.stand_in import Said, Seen, in_turn, stand_in


def test_a_list_in_a_pipe_is_tab_separated_with_a_header(panda: Panda) -> None:
    with stand_in(in_turn(page(TASK))) as server:
        code, out, _ = panda("ls", server=server)
    header, line = [text.split("\t") for text in out.splitlines()]
    assert code == 0
    assert dict(zip(header, line, strict=True)) | {
        "task_id": "10000001",
        "created_at": "2030-01-01T00:00:00+00:00",
    } == dict(zip(header, line, strict=True))


def test_json_is_the_whole_answer(panda: Panda) -> None:
    with stand_in(in_turn(page(TASK))) as server:
        _, out, _ = panda("ls", "tasks", "--json", server=server)
    assert json.loads(out)[0]["inputs"]["finished"] == 4


@pytest.mark.parametrize("kind", ["jobs", "datasets", "queues", "workers", "sites", "tasks"])
def test_every_kind_can_be_listed(panda: Panda, kind: str) -> None:
    with stand_in(in_turn(page())) as server:
        assert panda("ls", kind, server=server)[0] == 0


def test_a_fork_says_how_much_it_shares(panda: Panda) -> None:
    made = {"task_id": 10000002, "name": "copy", "status": "registered", "created": True}
    with stand_in(in_turn(Said(201, made), Said(body=TASK | {"inputs": {"total": 12, "ready": 8, "finished": 4}}))) as server:
        code, out, err = panda("fork", "z-evgen", "copy", server=server)
        assert (code, server.seen[1].path) == (0, "/api/v2/tasks/10000002")
    assert out.splitlines()[1].split("\t") == ["10000002", "copy", "registered"]
    assert err == "4 of its 12 inputs are finished, as in z-evgen; it processes the others\n"


def test_a_list_that_goes_on_says_so(panda: Panda) -> None:
    with stand_in(in_turn(page(TASK, TASK))) as server:
        _, out, err = panda("ls", "--limit", "1", server=server)
    assert len(out.splitlines()) == 2
    assert "--all" in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sumbit"], 2, "did you mean panda submit?"),
        (["ls", "--bogus"], 2, "panda ls --help"),
        (["ls"], 7, "panda up"),
        (["submit", "nothing.yaml"], 2, "nothing.yaml does not exist"),
        (["ls", "--url", "nonsense"], 2, "http://"),
        (["kill", "-"], 2, "nothing was named"),
        ([], 2, ""),
    ],
)
def test_a_mistake_is_two_lines_and_an_exit_code(panda: Panda, arguments: list[str], code: int, words: str) -> None:
    found, _, err = panda(*arguments)
    assert found == code
    if words:
        assert words in err
        assert [line.partition(":")[0] for line in err.splitlines()] == ["error", "hint"]


def test_an_answer_that_is_an_error_is_two_lines(panda: Panda) -> None:
    with stand_in(in_turn(Said(404, PROBLEM))) as server:
        code, _, err = panda("show", "z-evgen", server=server)
    assert (code, err) == (4, "error: no such task\nhint: ls\n")


def test_a_command_that_is_taken_back_is_shown_and_what_is_refused_ends_it(panda: Panda) -> None:
    applied = STATE | {"applied_at": STATE["asked_at"], "answer": "withdrawn by me"}
    with stand_in(in_turn(*(Said(body=body) for body in ({"items": [STATE]}, applied, {"items": [applied]})))) as server:
        code, out, err = panda("withdraw", "task:7", "b", server=server)
        assert [(seen.method, seen.path) for seen in server.seen] == [
            ("GET", "/api/v2/tasks/7/commands?limit=1"), ("DELETE", f"/api/v2/tasks/7/command?command_id={STATE['command_id']}"),
            ("GET", "/api/v2/tasks/b/commands?limit=1"),
        ]  # fmt: skip
    assert (code, "withdrawn by me" in out, "no command of task b is pending" in err) == (4, True, True)


def test_a_mistake_of_panda_itself_is_two_lines_too(panda: Panda, tmp_path: Path) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("of course")

    task = write_task(tmp_path)
    assert run_program(["submit", str(task), "--try"], COMMANDS, broken) == ExitCode.INTERNAL


def test_a_task_is_shown(panda: Panda) -> None:
    with stand_in(in_turn(Said(body=TASK))) as server:
        _, out, _ = panda("show", "z-evgen", server=server)
    assert "events\t2000 of 6000" in out.splitlines()


def test_a_number_is_a_task_or_else_a_job(panda: Panda) -> None:
    def answer(seen: Seen) -> Said:
        return Said(body=JOB) if "/jobs/5" in seen.path else Said(404, PROBLEM)

    with stand_in(answer) as server:
        assert "job_id\t5" in panda("show", "5", server=server)[1]
        assert "job_id\t5" in panda("show", "job:5", server=server)[1]
        assert panda("show", "task:5", server=server)[0] == 4


def test_names_come_from_standard_input_without_the_header(panda: Panda) -> None:
    answer = Said(body={"command_id": 1, "subject": "s", "status": "running"})
    applied = Said(body=STATE | {"applied_at": STATE["asked_at"], "answer": "killed"})

    def said(seen: Seen) -> Said:
        return applied if "/commands/" in seen.path else answer if seen.method == "POST" else Said(body=TASK)

    with stand_in(said) as server:
        code, _, _ = panda("kill", "-", "--reason", "r", server=server, stdin="task_id\tname\n7\ta\n8\tb\n7\ta\n")
        assert [seen.path for seen in server.seen if seen.method == "POST"] == ["/api/v2/tasks/7/kill", "/api/v2/tasks/8/kill"]
    assert code == 0


@pytest.mark.parametrize(("status", "code"), [("done", 0), ("finished", 1), ("failed", 1), ("aborted", 1)])
def test_watching_ends_with_the_task_and_tells_how(panda: Panda, status: str, code: int) -> None:
    with stand_in(in_turn(Said(body=TASK), Said(body=TASK | {"status": status}))) as server:
        found, out, _ = panda("watch", "z-evgen", "--interval", "0.1", server=server)
    assert found == code
    assert [line.split("\t")[3] for line in out.splitlines()] == ["status", "running", status]


def test_why_is_told_in_words(panda: Panda) -> None:
    why = {
        "subject": "task z",
        "status": "ready",
        "headline": "It waits for a queue.",
        "causes": [{"code": "memory", "text": "too much memory", "limit": 2000, "value": 9000}],
        "advice": ["ask for less"],
        "rejections": [{"queue": "local", "rule": "memory", "reason": "only 2000 MB"}],
    }
    with stand_in(in_turn(Said(body=why))) as server:
        _, out, _ = panda("why", "z", server=server)
    assert out.splitlines() == [
        "task z (ready): It waits for a queue.",
        "- too much memory (limit 2000, here 9000)",
        "- queue local: only 2000 MB (memory)",
        "> ask for less",
    ]


def test_logs_print_what_the_payload_wrote(panda: Panda) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in (("log/payload.stdout", b"hello"), ("log/pilot.log", b"pilot\n")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with stand_in(in_turn(Said(body=buffer.getvalue()))) as server:
        assert panda("logs", "5", server=server)[1] == "hello"
        assert panda("logs", "5", "--file", "pilot.log", server=server)[1] == "pilot\n"
        assert panda("logs", "5", "--file", "pilot.lag", server=server)[0] == 4
        assert "log/pilot.log\t6" in panda("logs", "5", "--list", server=server)[1]


def write_task(folder: Path, **changes: Any) -> Path:
    (folder / "gen.py").write_text("print()")
    document = {
        "name": "t",
        "program": {"command": "python gen.py %EVENTS %FIRST_EVENT > %OUT", "files": ["gen.py"]},
        "inputs": {"events": {"count": 100, "first": 7}},
        "split": {"events_per_job": 30},
        "outputs": {"out": "out.txt"},
    }
    path = folder / "task.yaml"
    path.write_text(json.dumps(document | changes))
    return path


def test_submit_packs_uploads_and_submits_with_changes(panda: Panda, tmp_path: Path) -> None:
    def answer(seen: Seen) -> Said:
        if "/sandboxes/" in seen.path:
            return Said(404) if seen.method == "HEAD" else Said(body={"sha256": "0" * 64, "size_bytes": 1})
        return Said(201, {"task_id": 10000001, "name": "other", "status": "registered", "created": True})

    with stand_in(answer) as server:
        task = str(write_task(tmp_path))
        code, out, _ = panda("submit", task, "--set", "inputs.events.count=60", "--name", "other", server=server)
        sent = json.loads(server.seen[-1].body)
    assert (code, out.splitlines()[1]) == (0, "10000001\tother\tregistered")
    assert (sent["name"], sent["inputs"]["events"]["count"]) == ("other", 60)
    assert len(sent["program"]["sandbox"]) == 64


def test_a_wrong_task_file_is_refused_before_anything_is_sent(panda: Panda, tmp_path: Path) -> None:
    with stand_in(in_turn(Said(500))) as server:
        code, _, err = panda("submit", str(write_task(tmp_path, inptus={})), server=server)
        assert server.seen == []
    assert code == 2
    assert err.splitlines()[1].startswith("hint: did you mean inputs?")


def test_try_runs_the_first_job_here(panda: Panda, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specs: list[JobSpec] = []

    def run_job(spec: JobSpec, work: Path, outputs: Path, cache: Path) -> Any:
        specs.append(spec)
        return Outcome("none" if len(specs) == 1 else "payload", len(specs) - 1), ()

    arguments = ["submit", str(write_task(tmp_path)), "--try"]
    assert [run_program(arguments, COMMANDS, run_job) for _ in range(2)] == [0, 1]
    assert specs[0].command == "python gen.py 30 7 > out.txt"
    assert specs[0].sandbox is not None
    assert Path(specs[0].sandbox.url.removeprefix("file://")).is_file()


def test_try_gives_a_payload_its_part_of_the_job_and_the_build_one_node_without_gpu(tmp_path: Path) -> None:
    specs: list[JobSpec] = []

    def run_job(spec: JobSpec, work: Path, outputs: Path, cache: Path) -> Any:
        specs.append(spec)
        return Outcome("none", 0), ()

    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.txt").write_text(name)
    task = {
        "name": "t", "inputs": {"in": {"files": ["*.txt"]}}, "outputs": {"out": "o"}, "split": {"files_per_job": 9},
        "program": {"command": "x %CORES %GPUS %NODES %IN", "each": {"at_once": 4, "wall_seconds": 60}},
        "build": {"command": "make %CORES %GPUS %NODES", "output": "lib", "memory_mb": 500, "wall_seconds": 70},
        "resources": {"cores": 8, "memory_mb": 3000, "disk_mb": 900, "wall_seconds": 600, "gpus": 4},
    }  # fmt: skip
    (tmp_path / "task.yaml").write_text(json.dumps(task))
    assert run_program(["submit", str(tmp_path / "task.yaml"), "--try"], COMMANDS, run_job) == 0
    build, job = specs
    assert (build.command, build.resources) == ("make 8 0 1", Resources(8, 500, 900, 70))
    assert (job.command, job.resources) == ("x 2 1 1 a.txt", Resources(2, 1000, 300, 60, 1, 1)), "three files are there: three payloads side by side"
    assert [file.name for file in job.inputs] == ["a.txt", "lib"]


def test_a_dry_run_shows_the_plan(panda: Panda, tmp_path: Path) -> None:
    plan = {
        "name": "t",
        "n_jobs": 4,
        "split": "30 events a job",
        "inputs": [{"stream": "events", "kind": "events", "description": "events 7 to 106", "n_events": 100}],
        "first_jobs": [{"serial": 1, "command": "python gen.py 30 7"}],
        "output_datasets": ["user.me:t.out"],
        "queues": [],
        "rejections": [{"queue": "local", "rule": "memory", "reason": "too little"}],
    }
    with stand_in(in_turn(Said(body=plan))) as server:
        code, out, _ = panda("submit", str(write_task(tmp_path)), "--dry-run", server=server)
        assert [seen.path for seen in server.seen if seen.method == "POST"] == ["/api/v2/tasks/plan"]
    assert code == 1
    assert "jobs\t4: 30 events a job" in out
    assert "not\tlocal: too little (memory)" in out


def test_a_token_is_printed_alone(panda: Panda) -> None:
    created = {
        "token_id": "x",
        "token": "SECRET",
        "scopes": ["pilot"],
        "user": "me",
        "expires_at": "2030-01-01T00:00:00Z",
    }
    with stand_in(in_turn(Said(201, created))) as server:
        code, out, _ = panda("token", "create", "--scope", "pilot", "--queue", "local", server=server)
    assert (code, out) == (0, "SECRET\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(panda: Panda, shell: str) -> None:
    from pandawms.cli.completion import completions
    from pandawms.cli.registry import USER_COMMANDS

    words = completions(USER_COMMANDS)
    assert "--dry-run" in words["submit"]
    assert "workers" in words["ls"]
    assert run_program(["completion", shell], USER_COMMANDS) == 0


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


def test_the_help_imports_no_command_and_no_large_library() -> None:
    script = (
        "import sys; from pandawms.main.panda import main; main(['--help']); "
        "print([name for name in ('msgspec', 'httpx', 'rich', 'yaml', 'pandawms.client') if name in sys.modules])"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"


def test_only_a_copy_that_counts_is_shown_as_the_winner() -> None:
    copies = tuple(JobCopy(job_id=n, number=n, queue="local", status="failed", leads=n == 1) for n in (1, 2))
    none = JobCopies(mode="run_once", state="over", copies=copies)
    assert _copies(none) == "run_once; job 1 in local: failed, job 2 in local: failed"
    assert _copies(msgspec.structs.replace(none, winner_job_id=2)) == "run_once; job 1 in local: failed, job 2 in local: failed (won)"
