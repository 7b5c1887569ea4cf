"""Mistakes on the command line and in task files: refused early, in two lines that say what is wrong and what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.answers import STATE, TASK, Panda, page
from tests.unit.client.stand_in import Said, Seen, in_turn, stand_in

DOCUMENT = {"name": "a", "program": {"command": "true"}, "inputs": {"events": {"count": 1}}, "split": {"events_per_job": 1}}


def write(path: Path, **changes: object) -> str:
    path.write_text(json.dumps(DOCUMENT | changes))
    return str(path)


def accept(seen: Seen) -> Said:
    name = json.loads(seen.body)["name"]
    return (
        Said(409, {"type": "/problems/conflict", "title": "x", "status": 409, "detail": "b is taken", "code": "c", "hint": "h"})
        if name == "b"
        else Said(201, {"task_id": 5, "name": name, "status": "registered", "created": True})
    )


def test_two_tasks_of_one_name_are_refused_before_anything_is_submitted(panda: Panda, tmp_path: Path) -> None:
    files = [write(tmp_path / "a.yaml"), write(tmp_path / "b.yaml"), write(tmp_path / "c.yaml", name="c")]
    with stand_in(accept) as server:
        code, _, err = panda("submit", *files, server=server)
        assert server.seen == []
    assert code == 2
    assert "a.yaml and " in err
    assert "b.yaml" in err


def test_what_was_submitted_is_listed_before_the_error_of_a_later_one(panda: Panda, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.yaml", name=name) for name in ("a", "b", "c")]
    with stand_in(accept) as server:
        code, out, err = panda("submit", "--wait", *files, server=server)
        assert len(server.seen) == 2
    assert (code, out) == (5, "task_id\tname\tstatus\n5\ta\tregistered\n")
    assert err.startswith("error: b is taken")


def test_a_program_file_that_is_missing_is_found_before_any_task_is_submitted(panda: Panda, tmp_path: Path) -> None:
    files = [write(tmp_path / "a.yaml"), write(tmp_path / "c.yaml", name="c", program={"command": "x", "files": ["gone"]})]
    with stand_in(accept) as server:
        assert panda("submit", *files, server=server)[0] == 2
        assert server.seen == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["ls", "--queue", "q"], "--queue"),
        (["ls", "tasks", "z"], "OF"),
        (["ls", "queues", "--status", "online"], "--status"),
        (["ls", "sites", "--name", "x"], "--name"),
        (["ls", "jobs", "--owner", "me"], "--owner"),
        (["ls", "files", "a:b", "--status", "ready"], "--status"),
        (["ls", "jobs", "--limit", "5", "--all"], "--all"),
        (["ls", "--limit", "0"], "--limit"),
        (["watch", "t", "--interval", "0"], "--interval"),
        (["watch", "t", "--interval", "-1"], "--interval"),
        (["watch", "t", "--interval", "nan"], "--interval"),
        (["watch", "t", "--interval", "inf"], "--interval"),
    ],
)
def test_an_option_that_does_not_apply_is_refused(panda: Panda, arguments: list[str], word: str) -> None:
    with stand_in(in_turn(page())) as server:
        code, _, err = panda(*arguments, server=server)
        assert server.seen == []
    assert code == 2
    assert word in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["tasks", "--status", "done", "--name", "x", "--owner", "me"],
        ["jobs", "--queue", "q", "--status", "failed"],
        ["files", "7", "--status", "ready", "--all"],
        ["files", "a:b"],
        ["datasets", "--name", "x", "--status", "open"],
        ["workers", "--queue", "q", "--status", "lost"],
        ["queues", "--limit", "3"],
    ],
)
def test_options_that_apply_are_taken(panda: Panda, arguments: list[str]) -> None:
    with stand_in(in_turn(page())) as server:
        assert panda("ls", *arguments, server=server)[0] == 0


@pytest.mark.parametrize(
    ("text", "changes", "hint"),
    [
        ("name: no", [], 'write it in quotes: "no"'),
        ("name: t\nenvironment:\n  packages: [a, 3.10]", [], 'write it in quotes: "3.10"'),
        ("name: t\nenvironment: {variables: {A: 2030-01-01}}", [], 'write it in quotes: "2030-01-01"'),
        ("name: t", ["name=off"], 'write it in quotes: "off"'),
    ],
)
def test_text_that_yaml_takes_for_something_else_is_told_as_it_was_written(panda: Panda, tmp_path: Path, text: str, changes: list[str], hint: str) -> None:
    rest = "program: {command: x}\ninputs: {events: {count: 1}}\n"
    (tmp_path / "t.yaml").write_text(f"{text}\n{rest}")
    code, _, err = panda("submit", "t.yaml", *(word for change in changes for word in ("--set", change)))
    assert (code, err.splitlines()[1]) == (2, f"hint: {hint}")


def test_a_toml_value_that_is_no_text_is_told_without_a_guess(panda: Panda, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('name = true\nprogram = {command = "x"}\ninputs = {events = {count = 1}}\n')
    code, _, err = panda("submit", "t.toml")
    assert (code, err) == (2, "error: name must be text [name = true]\nhint: write it in quotes\n")


def test_a_mapping_in_an_error_is_json(panda: Panda, tmp_path: Path) -> None:
    code, _, err = panda("submit", write(tmp_path / "t.yaml"), "--set", "name={a: true, b: null}")
    assert (code, err.splitlines()[0]) == (2, 'error: name must be text [name = \'{"a":true,"b":null}\']')


def test_a_hint_that_only_repeats_what_is_allowed_is_dropped(panda: Panda, tmp_path: Path) -> None:
    _, _, err = panda("submit", write(tmp_path / "t.yaml", resources={"cores": 0}))
    assert err == "error: resources.cores must be at least 1 [resources.cores = 0]\nhint: change resources.cores\n"
    _, _, err = panda("submit", write(tmp_path / "t.yaml", retry={"zzz": 1}))
    assert err.splitlines()[1] == "hint: known here: max_attempts, max_failures, memory_step_mb, max_memory_mb, use_rules"


def test_a_folder_is_no_task_file(panda: Panda, tmp_path: Path) -> None:
    write(tmp_path / "t.yaml")
    code, _, err = panda("submit", str(tmp_path))
    assert (code, "is a folder" in err, "t.yaml" in err) == (2, True, True)


@pytest.mark.parametrize(("name", "text"), [("t.yaml", "[" * 100_000), ("t.yaml", "a: " + "{a: " * 150 + "}" * 150), ("t.toml", "a = " + "[" * 100_000)])
def test_deep_nesting_is_refused(panda: Panda, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    code, _, err = panda("submit", name)
    assert (code, "nested too deeply" in err) == (2, True)


def test_doctor_gives_hints_for_what_is_not_well_only(panda: Panda) -> None:
    _, out, _ = panda("--json", "doctor")
    found = {finding["name"]: finding for finding in json.loads(out)}
    assert found["disk"]["ok"] != bool(found["disk"]["hint"])
    assert "panda up" in found["server"]["hint"]


@pytest.mark.parametrize("verb", ["kill", "retry"])
def test_a_command_tells_what_came_of_it_and_the_status_after(panda: Panda, verb: str) -> None:
    taken = Said(body={"command_id": 1, "subject": "task 7", "status": "running"})
    answers = [taken, Said(body=STATE), Said(body=STATE | {"applied_at": STATE["asked_at"], "answer": "done so"}), Said(body=TASK | {"status": "aborting"})]
    with stand_in(in_turn(*answers)) as server:
        assert panda(verb, "7", server=server)[1] == "subject\tstatus\tcommand_id\tanswer\ntask 7\taborting\t1\tdone so\n"


def test_a_command_that_is_refused_when_it_is_applied_is_a_conflict(panda: Panda) -> None:
    taken = Said(body={"command_id": 1, "subject": "task 7", "status": "running"})
    refused = Said(body=STATE | {"applied_at": STATE["asked_at"], "answer": "refused: it has ended"})
    with stand_in(in_turn(taken, refused, Said(body=TASK | {"status": "done"}))) as server:
        assert panda("kill", "7", server=server)[0] == 5


PREVIEW = {"n_selected": 3, "n_accepted": 2, "n_asked": 0, "refused": {"done": 1}, "sample": []}


def test_many_are_counted_first_and_need_a_yes(panda: Panda) -> None:
    with stand_in(in_turn(Said(body=PREVIEW))) as server:
        code, _, err = panda("kill", "--name", "z-*", "--status", "running,done", "--older-than", "2d", server=server)
        sent = json.loads(server.seen[0].body)
    assert (code, err.splitlines()[0]) == (2, "error: kill 2 tasks?")
    assert sent["selector"] == {"ids": [], "names": ["z-*"], "statuses": ["running", "done"], "owner": None, "older_than_seconds": 172800.0, "all": False}
    assert sent["dry_run"] is True
    with stand_in(in_turn(Said(body=PREVIEW), Said(body=PREVIEW | {"n_asked": 2}))) as server:
        code, out, _ = panda("finish", "--all", "--soft", "--yes", server=server)
        sent = json.loads(server.seen[1].body)
    assert (code, "asked\t2" in out) == (0, True)
    assert (sent["dry_run"], sent["expected_count"], sent["arguments"], sent["verb"]) == (False, 2, {"soft": True}, "finish")


def test_a_selection_that_nothing_takes_is_said_so_and_names_beside_one_are_refused(panda: Panda) -> None:
    with stand_in(in_turn(Said(body=PREVIEW | {"n_accepted": 0}))) as server:
        code, _, err = panda("resume", "--all", "--yes", server=server)
    assert (code, err) == (5, "no task takes it: 1 done\n")
    assert panda("resume", "7", "--all")[0] == 2
    assert panda("resume", "--all", "--older-than", "soon")[2].startswith("error: soon is no time")


@pytest.mark.parametrize("verb", ["kill", "pause", "obsolete"])
@pytest.mark.parametrize("words", [("--dry-run",), ("--status", "failed"), ("--all",)])
def test_a_task_that_is_named_is_not_commanded_beside_a_selection_or_a_dry_run(panda: Panda, verb: str, words: tuple[str, ...]) -> None:
    with stand_in(in_turn(Said(body=PREVIEW))) as server:
        code, _, err = panda(verb, "my-task", *words, server=server)
        assert not server.seen
    assert (code, err.splitlines()[0]) == (2, "error: tasks are named, and selected [TASK = 'my-task']")


def test_a_zero_is_sent_to_many(panda: Panda) -> None:
    with stand_in(in_turn(Said(body=PREVIEW))) as server:
        panda("set", "--all", "--dry-run", "--priority", "0", server=server)
        assert json.loads(server.seen[0].body)["arguments"] == {"priority": 0}


def test_changes_are_given_by_field(panda: Panda) -> None:
    taken = Said(body={"command_id": 1, "subject": "task 7", "status": "done"})
    applied = Said(body=STATE | {"applied_at": STATE["asked_at"], "answer": "extended"})
    with stand_in(in_turn(taken, applied, Said(body=TASK))) as server:
        code, _, _ = panda("extend", "7", "--set", "inputs.events.count=9000", "--set", "merge=", "--set", "queues=[a, b]", server=server)
        assert json.loads(server.seen[0].body)["changes"] == {"inputs": {"events": {"count": 9000}}, "merge": None, "queues": ["a", "b"]}
    assert code == 0
    assert panda("extend", "7", "--set", "count")[0] == 2
    assert panda("retry", "7", "--only", "faild")[2].splitlines()[1] == "hint: did you mean failed? (allowed: failed, missing, lost, all)"


def test_getting_the_outputs_of_a_task_without_any_says_so(panda: Panda) -> None:
    with stand_in(in_turn(page())) as server:
        code, _, err = panda("get", "7", server=server)
    assert (code, err) == (0, "task 7 has no outputs\n")
    output = {"stream": "out", "dataset_id": 3, "dataset": "user.me:t.out", "status": "open", "n_files": 0, "size_bytes": 0}
    with stand_in(in_turn(page(output), page())) as server:
        code, _, err = panda("get", "7", server=server)
    assert (code, err) == (0, "task 7 has no output files yet\n")


def test_tokens_are_listed_without_their_texts(panda: Panda) -> None:
    token = {"token_id": "x", "name": "n", "scopes": ["pilot"], "created_at": "2030-01-01T00:00:00Z", "expires_at": "2030-02-01T00:00:00Z", "queue": "q"}
    with stand_in(in_turn(page(token))) as server:
        code, out, _ = panda("token", "list", server=server)
        assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/api/v2/tokens")]
    header, row = (line.split("\t") for line in out.splitlines())
    assert (code, dict(zip(header, row, strict=True))["queue"]) == (0, "q")
