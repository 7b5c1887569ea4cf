"""What people see: tables, bars, ranges; and what `panda run` makes of a command line."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from pandawms.cli.one_liner import command_text, document_of, output_streams
from pandawms.cli.task_files import apply_change, read_task_file
from pandawms.cli.terminal import Column, Terminal, bytes_text, cell, seconds_text
from pandawms.domain.errors import Invalid
from pandawms.wire.placeholders import Values, expand


def terminal(*, is_tty: bool, colour: bool = True) -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), is_tty, colour=colour)


COLUMNS: list[Column[tuple[str, int]]] = [
    Column("name", lambda row: row[0]),
    Column("n", lambda row: row[1], lambda row: f"{row[1]}!"),
]


def test_people_get_a_table_and_pipes_get_full_values() -> None:
    people, pipe = terminal(is_tty=True, colour=False), terminal(is_tty=False)
    for each in (people, pipe):
        each.table([("a\tb\n", 1), ("done", 2)], COLUMNS)
    assert pipe.stdout.getvalue() == "name\tn\na b \t1\ndone\t2\n"  # type: ignore[attr-defined] # a StringIO
    assert "1!" in people.stdout.getvalue()  # type: ignore[attr-defined] # a StringIO
    assert "\x1b[" not in people.stdout.getvalue()  # type: ignore[attr-defined] # a StringIO


def test_values_are_written_for_their_reader() -> None:
    assert [bytes_text(size) for size in (None, 5, 2048, 3 * 2**30)] == ["-", "5 B", "2.0 KiB", "3.0 GiB"]
    assert [seconds_text(span) for span in (5, 65, 3700, 200_000)] == ["5 s", "1 min 05 s", "1 h 01 min", "2 d 7 h"]
    assert [cell(value) for value in (None, True, {"a": 1}, ("x",))] == ["", "true", '{"a":1}', '["x"]']


@pytest.mark.parametrize("words", [["./prog", "%IN", "%OUT"], ["cat", "a b", "%{input}", "x%{input:comma}y"], ["it's $HOME"] * 2])
def test_a_command_line_reaches_the_shell_as_it_was_given(words: list[str]) -> None:
    values = Values(inputs={"input": ["in 1", "in2"]}, outputs={"out": "out.txt"})
    expanded = shlex.split(expand(command_text(words), values).command)
    expected = {
        "./prog": ["./prog", "in 1", "in2", "out.txt"],
        "cat": ["cat", "a b", "in 1", "in2", "xin 1,in2y"],
        "it's $HOME": ["it's $HOME"] * 2,
    }
    assert expanded == expected[words[0]]


def test_a_single_word_is_a_line_for_the_shell() -> None:
    assert command_text(["sort %IN > %OUT"]) == "sort %IN > %OUT"
    with pytest.raises(Invalid):
        command_text([])


def test_the_program_and_files_that_are_named_travel(tmp_path: Path) -> None:
    for name in ("prog", "table.csv", "out.txt"):
        (tmp_path / name).write_text("")
    document = document_of(["./prog", "-c", "table.csv", "%IN", "out.txt"], tmp_path, inputs=["*.txt"], outputs=["out.txt"])
    assert document.program.files == ("prog", "table.csv")
    assert document.program.command == "./prog -c table.csv %IN out.txt"
    assert document.name.startswith("run-prog-")


def test_without_inputs_it_runs_as_often_as_told(tmp_path: Path) -> None:
    document = document_of(["echo", "%SEED"], tmp_path, n_jobs=5)
    assert (document.inputs["events"].count, document.split.events_per_job) == (5, 1)


def test_each_output_has_a_stream_of_its_own() -> None:
    streams = output_streams(["Out.tar.gz", "out.txt", "1.txt", "input.x"])
    assert streams == {"out": "Out.tar.gz", "out2": "out.txt", "output_1": "1.txt", "input2": "input.x"}


def test_changes_reach_into_a_document_and_take_away() -> None:
    tree = {"name": "t", "retry": {"max_attempts": 1}, "merge": {}}
    for change in ("inputs.events.count=5", "retry.max_attempts=2", "merge=", "queues=[a, b]"):
        apply_change(tree, change)
    assert tree == {"name": "t", "retry": {"max_attempts": 2}, "inputs": {"events": {"count": 5}}, "queues": ["a", "b"]}
    for change in ("x", "=1", "name.x=1", "a..b=1"):
        with pytest.raises(Invalid):
            apply_change(tree, change)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("t.yaml", "name: a\nname: b\n", "name is there twice"),
        ("t.yaml", "name: [", "line 2"),
        ("t.yaml", "- a\n", "holds no task"),
        ("t.yaml", "", "holds no task"),
        ("t.toml", "name =", "not TOML"),
        ("t.yaml", "name: t\n", "program is missing"),
    ],
)
def test_a_file_with_a_mistake_says_where(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(Invalid) as caught:
        read_task_file(tmp_path / name)
    assert words in caught.value.detail


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("name: t\nprogram: {command: x}\ninputs: {d: {dataset: 'a:b'}}\n")
    (tmp_path / "t.toml").write_text('name = "t"\nprogram = {command = "x"}\n[inputs.d]\ndataset = "a:b"\n')
    assert read_task_file(tmp_path / "t.yaml").document == read_task_file(tmp_path / "t.toml").document
