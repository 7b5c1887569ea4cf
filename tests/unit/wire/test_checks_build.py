"""What a build in a task document must fulfil, and how commands name what it made."""

from typing import Any

import pytest

from pandawms.wire.checks import decode_document, problems
from pandawms.wire.placeholders import Values, expand

BUILD = {"command": "make && tar czf %OUT bin", "output": "lib.tgz"}


def found(**changes: Any) -> list[tuple[str | None, str]]:
    """The fields that are wrong, with their codes."""
    base: dict[str, Any] = {
        "name": "t", "program": {"command": "tar xf %{build} && bin/run %OUT"}, "inputs": {"n": {"pieces": 10}}, "outputs": {"out": "out.txt"},
        "build": BUILD,
    }  # fmt: skip
    return [(error.field, error.code) for error in problems(decode_document(base | changes))]


def test_a_task_with_a_build_may_name_what_it_made_in_its_commands_and_in_its_merge() -> None:
    assert found() == []
    assert found(merge={"inputs": "out", "command": "tar xf %{build} && bin/add %IN > %OUT", "outputs": {"all": "all.txt"}}) == []


@pytest.mark.parametrize("command", ["run %{build}", "run %{build:comma}"])
def test_without_a_build_there_is_nothing_to_name(command: str) -> None:
    assert found(build=None, program={"command": command}) == [("program.command", "placeholder_unknown")]


@pytest.mark.parametrize("command", ["run %IN", "run %{build:comma}", "run %{build:file}"])
def test_what_was_built_is_no_input_and_one_file_only(command: str) -> None:
    assert found(program={"command": command}) == [("program.command", "placeholder_unknown")]


def test_what_was_built_is_no_output() -> None:
    assert found(program={"command": "tar xf %{build} && run > %OUT"}, outputs={}) == [("program.command", "placeholder_unknown")]


@pytest.mark.parametrize("command", ["make %IN", "make %EVENTS", "make %{out}"])
def test_a_build_has_no_inputs_no_events_and_no_outputs_but_its_own(command: str) -> None:
    assert found(build=BUILD | {"command": command}) == [("build.command", "placeholder_unknown")]


def test_no_other_stream_is_called_as_what_was_built() -> None:
    assert found(outputs={"build": "out.txt"}) == [("outputs.build", "name_collides")]
    assert ("inputs.build", "name_collides") in found(inputs={"build": {"dataset": "a:b"}})
    merge = {"inputs": "out", "command": "x", "outputs": {"build": "all.txt"}}
    assert found(outputs={"out": "o"}, merge=merge) == [("merge.outputs.build", "name_collides")]


def test_a_build_does_not_overwrite_a_file_of_the_program() -> None:
    assert found(build=BUILD | {"output": "src"}, program={"command": "x %{build}", "files": ["src"]}) == [("build.output", "name_collides")]


def test_first_input_and_first_output_never_mean_what_was_built() -> None:
    values = Values(inputs={"in": ["a b"]}, outputs={"out": "o"}, beside={"build": "my lib"})
    assert expand("%IN %OUT %{build} %{in:file}", values).command == "'a b' o 'my lib' in.files.txt"
