"""What a well-typed document can still get wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pandawms.domain.errors import Invalid
from pandawms.wire.checks import checked, decode_document, problems
from pandawms.wire.checks_split import n_event_jobs

FILES = {"inputs": {"data": {"dataset": "user.me:z"}}, "split": {}, "program": {"command": "x %IN %OUT"}}
MERGE = {"inputs": "muons", "command": "m %IN %OUT", "outputs": {"all": "all.root"}}


def document(**changes: Any) -> Any:
    base: dict[str, Any] = {
        "name": "z-evgen",
        "program": {"command": "python gen.py %EVENTS %OUT", "files": ["gen.py"]},
        "inputs": {"events": {"count": 6000}},
        "split": {"events_per_job": 500},
        "outputs": {"muons": "muons.root"},
    }
    return decode_document(base | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        FILES,
        {"merge": MERGE},
        {"environment": {"python": ">=3.11,<3.13", "packages": ["numpy==2.4.6", "hist[plot]>=2", "mplhep"]}},
        {
            "inputs": {"m": {"task": "z-evgen", "output": "muons"}},
            "split": {"files_per_job": 3},
            "program": {"command": "x"},
        },
        {"inputs": {"m": {"files": ["data/*.txt"]}}, "split": {}, "program": {"command": "x %IN"}},
    ],
)
def test_right_documents_have_no_problems(changes: dict[str, Any]) -> None:
    assert problems(document(**changes)) == []


@pytest.mark.parametrize(
    ("changes", "field", "code", "hint"),
    [
        ({"inputs": {"a": {"count": 1}, "b": {"count": 1}}}, "inputs.b.count", "contradiction", "%SERIAL"),
        ({"inputs": {"a": {}}}, "inputs.a", "input_kind", "exactly one"),
        ({"inputs": {"a": {"count": 1, "dataset": "a:b"}}}, "inputs.a", "input_kind", "exactly one"),
        ({"inputs": {"a": {"first": 1}}}, "inputs.a.count", "missing_field", "how many"),
        (FILES | {"inputs": {"a": {"task": "t"}}}, "inputs.a.output", "missing_field", "output of t"),
        (FILES | {"inputs": {"a": {"output": "t"}}}, "inputs.a.task", "missing_field", "task"),
        ({"split": {}}, "split.events_per_job", "missing_field", "events_per_job: 1000"),
        ({"split": {"files_per_job": 1, "events_per_job": 1}}, "split.files_per_job", "split_kind", "events_per_job"),
        (
            {"inputs": {"events": {"count": 2_500_000}}, "split": {"events_per_job": 1}},
            "split.events_per_job",
            "too_many_jobs",
            "events_per_job: 3 or more",
        ),
        ({"program": {"command": "x", "files": ["/home/me/x.py"]}}, "program.files[0]", "bad_path", "write x.py"),
        (
            {"program": {"command": "x", "files": ["a", "../x.py"]}},
            "program.files[1]",
            "bad_path",
            "move the task file",
        ),
        ({"program": {"command": "x", "files": [" "]}}, "program.files[0]", "bad_path", "name of a file"),
        (
            {"program": {"command": "x", "files": ["a"], "sandbox": "0" * 64}},
            "program.files",
            "both_given",
            "leave out",
        ),
        ({"program": {"command": "x %EVENT"}}, "program.command", "placeholder_unknown", "did you mean %EVENTS?"),
        (
            {"outputs": {"a": "x", "muons": "x"}, "program": {"command": "x"}},
            "outputs.a",
            "name_collides",
            "muons has this",
        ),
        ({"outputs": {"muons": "gen.py"}}, "outputs.muons", "name_collides", "another name"),
        ({"outputs": {"events": "x"}}, "outputs.events", "name_collides", "events_out"),
        ({"outputs": {"muons": "x." + "a" * 240}}, "outputs.muons", "name_too_long", "shorten"),
        ({"merge": MERGE | {"inputs": "muon"}}, "merge.inputs", "unknown_output", "did you mean muons?"),
        ({"merge": MERGE | {"outputs": {"muons": "a"}}}, "merge.outputs.muons", "name_collides", "muons_merged"),
        ({"merge": MERGE | {"outputs": {"a": "a", "b": "a"}}}, "merge.outputs.a", "name_collides", "b has this"),
        ({"merge": MERGE | {"command": "m %EVENTS"}}, "merge.command", "placeholder_unknown", "count"),
        ({"environment": {"packages": ["-r requirements.txt"]}}, "environment.packages[0]", "bad_requirement", "numpy"),
        ({"environment": {"python": "snake"}}, "environment.python", "bad_version", ">=3.11"),
    ],
)
def test_each_problem_names_its_field_and_a_way_out(changes: dict[str, Any], field: str, code: str, hint: str) -> None:
    found = problems(document(**changes))
    assert (field, code) in [(error.field, error.code) for error in found]
    assert any(hint in str(error.hint) for error in found if error.field == field)


@pytest.mark.parametrize(
    "package",
    [
        "numpy",
        "numpy == 2.4.6",
        "hist[plot,dask] >=2, <3.0.*",
        "a.b-c_d~=1.0rc1",
        "x (>=1)",
        "x===1.0+local.1",
        'tomli>=1; python_version < "3.12"',
        "tomli ; python_version<'3.11' and sys_platform == 'linux'",
        "mine @ https://example.org/a/mine-1.0.zip",
        "mine[x] @ git+https://example.org/mine.git@v1#egg=mine",
        'mine @ https://example.org/mine.zip ; os_name == "posix"',
    ],
)
def test_requirements_are_taken(package: str) -> None:
    assert problems(document(environment={"packages": [package]})) == []


@pytest.mark.parametrize(
    "package",
    [
        "numpy; rm -rf /",
        "numpy rm",
        "numpy==",
        "numpy==1 2",
        "numpy=1.0",
        "numpy<<1",
        "numpy>=1,",
        "numpy[",
        "numpy(>=1",
        "numpy==1; ",
        "numpy; shell == 'x'",
        'numpy; python_version < "3.12" or',
        "numpy @ file:///etc/passwd; rm",
        "numpy @ $(id)",
        "numpy @ example.org/x",
        "-r x.txt",
        "--index-url=x",
        "./numpy",
        "numpy==1\n",
        "numpy==1\nrm",
        "-numpy",
        "numpy-",
    ],
)
def test_what_is_no_requirement_is_refused(package: str) -> None:
    (error,) = problems(document(environment={"packages": [package]}))
    assert (error.field, error.value, error.code) == ("environment.packages[0]", package, "bad_requirement")
    assert error.allowed
    assert error.hint


def test_the_server_takes_no_files_of_the_users_machine() -> None:
    assert [error.code for error in problems(document(), packed=True)] == ["not_packed"]
    named = document(inputs={"m": {"files": ["a"]}}, split={}, program={"command": "x"})
    assert [error.field for error in problems(named, packed=True)] == ["inputs.m.files"]


def test_all_problems_come_in_one_error() -> None:
    with pytest.raises(Invalid) as caught:
        checked(document(split={}, merge=MERGE | {"inputs": "muon"}))
    assert [caught.value.field, *(error.field for error in caught.value.errors)] == [
        "split.events_per_job",
        "merge.inputs",
    ]


def test_events_are_cut_into_as_many_jobs_as_needed() -> None:
    assert n_event_jobs(document()) == 12
    assert n_event_jobs(document(split={"events_per_job": 501})) == 12
    assert n_event_jobs(document(**FILES)) is None
