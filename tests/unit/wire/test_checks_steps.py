"""Programs of several steps: what a task document may say of them, and the one command that does the same."""

import subprocess
from typing import Any

import pytest

from pandawms.wire.checks import decode_document, problems
from pandawms.wire.document_view import program_command


def found(program: dict[str, Any]) -> list[tuple[str | None, str]]:
    """The fields that are wrong, with their codes."""
    document = {"name": "t", "program": program, "inputs": {"n": {"pieces": 10}}, "outputs": {"out": "out.txt"}}
    return [(error.field, error.code) for error in problems(decode_document(document))]


def steps(*commands: str) -> list[dict[str, str]]:
    """Steps s1, s2, …"""
    return [{"name": f"s{n}", "command": command} for n, command in enumerate(commands, 1)]


def test_a_program_is_a_command_or_steps() -> None:
    assert found({"steps": steps("make %SEED", "run > %OUT")}) == []
    assert found({}) == [("program.command", "missing_field")]
    assert found({"command": "x", "steps": steps("y")}) == [("program.steps", "contradiction")]


def test_every_step_has_a_name_of_its_own_and_placeholders_that_can_be_filled() -> None:
    assert found({"steps": [*steps("x", "y"), *steps("z")]}) == [("program.steps[2].name", "repeated")]
    assert found({"steps": steps("x", "y %IN")}) == [("program.steps[1].command", "placeholder_unknown")]


@pytest.mark.parametrize(("commands", "said", "code"), [(("echo a", "echo b # c", "echo d"), "a\nb\nd\n", 0), (("echo a", "exit 3", "echo d"), "a\n", 3)])
def test_the_one_command_for_older_pilots_stops_at_the_first_failure(commands: tuple[str, ...], said: str, code: int) -> None:
    document = decode_document({"name": "t", "program": {"steps": steps(*commands)}, "inputs": {"n": {"pieces": 1}}})
    done = subprocess.run(["/bin/sh", "-c", program_command(document)], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.returncode) == (said, code)
