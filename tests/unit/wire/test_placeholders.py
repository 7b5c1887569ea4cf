"""Placeholders: what is replaced, what stays, what is refused."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.domain.errors import Invalid
from pandawms.wire.placeholders import Names, Values, expand, unknown_placeholders

VALUES = Values(
    numbers={"EVENTS": 500, "FIRST_EVENT": 1001, "SEED": 7, "JOB_ID": 12},
    inputs={"muons": ["a.root", "b c.root"]},
    outputs={"hist": "hist.json", "picture": "it's.png"},
)
FILE_NAMES = Names(inputs=("muons",), outputs=("hist", "picture"))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("gen %EVENTS %FIRST_EVENT --seed=%SEED", "gen 500 1001 --seed=7"),
        ("ana %IN", "ana a.root 'b c.root'"),
        ("ana %{muons} -o %OUT", "ana a.root 'b c.root' -o hist.json"),
        ("ana %{muons:comma} %{picture}", "ana 'a.root,b c.root' 'it'\"'\"'s.png'"),
        ("ana @%{IN:file}", "ana @muons.files.txt"),
        ("echo 100%% %%IN %", "echo 100% %IN %"),
        ("date +%Y%m%d %s %d %x", "date +%Y%m%d %s %d %x"),
        ("cp x out_%JOB_ID.txt", "cp x out_12.txt"),
        ("x%{SEED}2", "x72"),
    ],
)
def test_a_command_is_expanded(command: str, expected: str) -> None:
    assert expand(command, VALUES).command == expected


def test_a_list_of_files_has_one_name_a_line_under_a_free_name() -> None:
    assert expand("x %{IN:file}", VALUES).text_files == {"muons.files.txt": "a.root\nb c.root\n"}
    taken = Values(inputs={"muons": ["muons.files.txt"]})
    assert expand("x %{IN:file}", taken).text_files == {"_muons.files.txt": "muons.files.txt\n"}


def test_expanding_what_has_no_value_is_refused() -> None:
    with pytest.raises(Invalid, match="%SERIAL"):
        expand("x %SERIAL", VALUES)


@pytest.mark.parametrize(
    ("command", "names", "hint"),
    [
        ("x %INN", FILE_NAMES, "did you mean %IN?"),
        ("x %{muon}", FILE_NAMES, "did you mean %{muons}?"),
        ("x %{muons:coma}", FILE_NAMES, "did you mean %{muons:comma}?"),
        ("x %{muons:}", FILE_NAMES, "only inputs can be listed"),
        ("x %{hist:file}", FILE_NAMES, "only inputs can be listed"),
        ("x %EVENTS", FILE_NAMES, "{count, first}"),
        ("x %IN", Names(outputs=("a",), has_events=True), "no input files"),
        ("x %OUT", Names(has_events=True), "add one under outputs"),
        ("curl -w %{http_code}", FILE_NAMES, "write %%{http_code}"),
        ("x %IN2", FILE_NAMES, "did you mean %IN?"),
    ],
)
def test_an_unknown_placeholder_is_refused_with_a_hint(command: str, names: Names, hint: str) -> None:
    (error,) = unknown_placeholders(command, names, "program.command")
    assert hint in str(error.hint)
    assert error.field == "program.command"
    assert str(error.value) in command


def test_known_placeholders_are_not_refused() -> None:
    assert unknown_placeholders("x %IN %OUT %{muons:file} %{hist} %% %SEED %Y-%m", FILE_NAMES, "c") == []


names = st.lists(st.text(st.characters(exclude_characters="\0\n", codec="utf-8"), min_size=1, max_size=20), min_size=1, max_size=5)


@given(names)
def test_a_shell_reads_exactly_the_names_that_were_put_in(files: list[str]) -> None:
    expanded = expand("program %IN %{s:comma}", Values(inputs={"s": files})).command
    assert shlex.split(expanded) == ["program", *files, ",".join(files)]


@given(st.text(max_size=200))
def test_a_command_without_refusals_can_be_expanded(command: str) -> None:
    if not unknown_placeholders(command, Names(inputs=("muons",), outputs=("hist", "picture"), has_events=True), "c"):
        numbers = dict.fromkeys(["EVENTS", "FIRST_EVENT", "SEED", "SERIAL", "ATTEMPT", "JOB_ID", "TASK_ID", "CORES"], 1)
        expand(command, Values(numbers=numbers, inputs=VALUES.inputs, outputs=VALUES.outputs))
