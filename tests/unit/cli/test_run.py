"""`panda run`: what it refuses before it sends anything, and that it leaves the user's own files alone."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import pytest

from tests.unit.cli.answers import TASK, Panda
from tests.unit.client.stand_in import Said, Seen, stand_in

CONTENT = b"made by the task\n"


class OneTask:
    """A server whose only task ends at once, with one output file for each of its jobs."""

    def __init__(self, n_files: int = 1) -> None:
        self.n_files = n_files
        self.submitted: list[str] = []

    def __call__(self, seen: Seen) -> Said:
        path = seen.path.removeprefix("/api/v2").partition("?")[0]
        if path.startswith("/sandboxes/"):
            return Said(404) if seen.method == "HEAD" else Said(body={"sha256": "0" * 64, "size_bytes": 1})
        if path == "/tasks":
            self.submitted.append(json.loads(seen.body)["name"])
            return Said(201, {"task_id": 7, "name": self.submitted[-1], "status": "registered", "created": True})
        if path == "/tasks/7/outputs":
            output = {"stream": "out", "dataset_id": 3, "dataset": "user.me:t.out", "status": "closed", "n_files": self.n_files, "size_bytes": 1}
            return Said(body={"items": [output]})
        if path == "/datasets/3/files":
            return Said(body={"items": [self._file(serial) for serial in range(1, self.n_files + 1)]})
        return Said(body=CONTENT if path.endswith("/content") else TASK | {"task_id": 7, "status": "done"})

    def _file(self, serial: int) -> dict[str, object]:
        sums = {"size_bytes": len(CONTENT), "adler32": f"{zlib.adler32(CONTENT):08x}"}
        return {"file_id": serial, "dataset_id": 3, "scope": "user.me", "name": f"t.out.{serial:06d}.1.txt", "status": "ready"} | sums


RUN = ("run", "--name", "t", "--outputs", "out.txt")


def test_the_only_output_of_one_job_has_the_name_that_the_program_gave_it(panda: Panda, tmp_path: Path) -> None:
    with stand_in(OneTask()) as server:
        assert panda(*RUN, "--", "echo x > %OUT", server=server)[0] == 0
    assert (tmp_path / "out.txt").read_bytes() == CONTENT


def test_outputs_of_several_jobs_have_their_full_names(panda: Panda, tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("mine")
    with stand_in(OneTask(n_files=2)) as server:
        assert panda(*RUN, "--jobs", "2", "--", "echo x > %OUT", server=server)[0] == 0
    assert {path.name for path in tmp_path.glob("*.txt")} == {"out.txt", "t.out.000001.1.txt", "t.out.000002.1.txt"}
    assert (tmp_path / "out.txt").read_text() == "mine"


@pytest.mark.parametrize(("mine", "more"), [("out.txt", ()), ("t.out.000002.3.txt", ("--jobs", "2"))])
def test_a_file_that_an_output_would_overwrite_is_refused_before_anything_is_sent(panda: Panda, tmp_path: Path, mine: str, more: tuple[str, ...]) -> None:
    (tmp_path / mine).write_text("mine")
    with stand_in(OneTask()) as server:
        code, _, err = panda(*RUN, *more, "--", "echo x > %OUT", server=server)
        assert server.seen == []
    assert (code, (tmp_path / mine).read_text()) == (5, "mine")
    assert mine in err.splitlines()[0]
    assert "--force" in err.splitlines()[1]


def test_force_overwrites_and_detach_fetches_nothing(panda: Panda, tmp_path: Path) -> None:
    mine = tmp_path / "out.txt"
    mine.write_text("mine")
    with stand_in(OneTask()) as server:
        assert panda(*RUN, "--detach", "--", "echo x > %OUT", server=server)[0] == 0
        assert mine.read_text() == "mine"
        assert panda(*RUN, "--force", "--", "echo x > %OUT", server=server)[0] == 0
    assert mine.read_bytes() == CONTENT


def test_a_file_that_came_while_the_task_ran_is_left_as_it_is(panda: Panda, tmp_path: Path) -> None:
    mine, other = tmp_path / "t.out.000001.1.txt", tmp_path / "t.out.000002.1.txt"
    server_task = OneTask(n_files=2)

    def answer(seen: Seen) -> Said:
        if seen.path.endswith("/tasks"):
            mine.write_text("mine")
        return server_task(seen)

    with stand_in(answer) as server:
        code, out, err = panda(*RUN, "--jobs", "2", "--", "echo x > %OUT", server=server)
    assert (code, mine.read_text(), other.read_bytes()) == (5, "mine", CONTENT)
    assert other.name in out
    assert "panda get 7" in err


@pytest.mark.parametrize("words", [["./nope", "%IN"], ["bin/nope"], ["./nope --now > %OUT"], ["../prog"], ["./lib"], ["./prgo"]])
def test_a_program_that_is_not_here_is_refused_before_anything_is_sent(panda: Panda, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "prog").write_text("")
    (tmp_path / "lib").mkdir()
    (tmp_path / "a.txt").write_text("")
    with stand_in(OneTask()) as server:
        code, _, err = panda(*RUN, "--inputs", "*.txt", "--", *words, server=server)
        assert server.seen == []
    assert (code, "program.command" in err) == (2, True)
    assert ("did you mean ./prog?" in err) == (words == ["./prgo"])


@pytest.mark.parametrize("words", [["./prog", "x"], ["./prog;true"], ["/bin/true"], ["echo", "a/b"], ["$HOME/x"], ["A=./b ./prog"], ["echo it's"]])
def test_other_first_words_are_the_shells(panda: Panda, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "prog").write_text("")
    with stand_in(OneTask()) as server:
        assert panda(*RUN, "--detach", "--", *words, server=server)[0] == 0
