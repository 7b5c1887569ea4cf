"""From a user's document to the server's: local files become a dataset once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pandawms.client import Client, RetryPolicy
from pandawms.client.prepare import listed_files
from pandawms.domain.errors import Invalid
from pandawms.wire.checks import decode_document, problems
from tests.unit.client.stand_in import Said, Seen, stand_in


class Catalogue:
    """As much of a catalogue as an upload needs."""

    def __init__(self) -> None:
        self.datasets: dict[str, dict[str, Any]] = {}
        self.content: dict[str, bytes] = {}

    def __call__(self, seen: Seen) -> Said:
        path = seen.path.removeprefix("/api/v2")
        if path == "/system/whoami":
            return Said(body={"user": "me", "community": "local", "scopes": ["user"]})
        if path.startswith("/sandboxes"):
            return Said(body={"sha256": "0" * 64, "size_bytes": 1}) if seen.method == "PUT" else Said(404)
        if path == "/datasets":
            return self._create(json.loads(seen.body)["name"])
        if path.startswith("/datasets/user.me:"):
            found = self.datasets.get(path.removeprefix("/datasets/user.me:"))
            return Said(body=found) if found else Said(404)
        if path.endswith("/close"):
            next(iter(self.datasets.values()))["is_open"] = False
            return Said(body=next(iter(self.datasets.values())))
        return self._files(seen, path)

    def _create(self, name: str) -> Said:
        common = {"dataset_id": 1, "scope": "user.me", "status": "open", "n_files": 0, "size_bytes": 0}
        self.datasets[name] = common | {"name": name, "is_open": True, "created_at": "2030-01-01T00:00:00Z"}
        return Said(201, self.datasets[name])

    def _files(self, seen: Seen, path: str) -> Said:
        common = {"file_id": 1, "dataset_id": 1, "scope": "user.me"}
        if seen.method == "PUT":
            name = path.split("/")[-2]
            self.content[name] = seen.body
            return Said(body=common | {"name": name, "status": "ready"})
        if seen.method == "POST":
            return Said(body={"added": len(json.loads(seen.body)["files"]), "known": 0})
        return Said(body={"items": [common | {"name": name, "status": "ready"} for name in self.content]})


def test_local_files_are_uploaded_once_and_named_by_their_content(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("b.txt", "a.txt"):
        (tmp_path / "data" / name).write_text(name)
    (tmp_path / "prog").write_text("#!/bin/sh\n")
    document = decode_document(
        {
            "name": "t",
            "program": {"command": "./prog %IN", "files": ["prog"]},
            "inputs": {"in": {"files": ["data/*.txt"]}},
        }
    )
    catalogue = Catalogue()
    with stand_in(catalogue) as server, Client(server.url, "t", retry=RetryPolicy(0.0)) as client:
        first = client.prepare(document, tmp_path)
        n_requests = len(server.seen)
        assert client.prepare(document, tmp_path) == first
        assert not [seen for seen in server.seen[n_requests:] if seen.method == "PUT" and "content" in seen.path]
    assert catalogue.content == {"a.txt": b"a.txt", "b.txt": b"b.txt"}
    assert problems(first, packed=True) == []
    assert str(first.inputs["in"].dataset).startswith("user.me:t.in.")


def test_patterns_that_match_nothing_and_equal_names_are_refused(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.txt").write_text("")
    (tmp_path / "two words").write_text("")
    for patterns, code in ((["*.nothing"], "empty_input"), (["*/same.txt"], "name_collides"), (["two*"], "bad_name")):
        with pytest.raises(Invalid) as caught:
            listed_files(tmp_path, patterns, "inputs.in.files")
        assert caught.value.code == code
    assert [path.parent.name for path in listed_files(tmp_path, ["x/*", "x/same.txt"], "f")] == ["x"]


def test_all_bad_names_are_told_and_what_is_allowed(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"two words {number}").write_text("")
    with pytest.raises(Invalid) as caught:
        listed_files(tmp_path, ["two*"], "inputs.in.files")
    error = caught.value
    assert (error.field, error.value) == ("inputs.in.files", "two words 0")
    assert error.detail == "'two words 0', 'two words 1', 'two words 2', 'two words 3', 'two words 4' and 2 more cannot be names of input files"
    assert str(error.allowed).startswith("begins with a letter, a digit or _; ")
    (tmp_path / "-x").write_text("")
    with pytest.raises(Invalid, match=r"^'-x' cannot be the name of an input file$"):
        listed_files(tmp_path, ["-x"], "inputs.in.files")
