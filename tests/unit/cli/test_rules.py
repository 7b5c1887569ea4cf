"""`panda rules`: what it sends, what it prints, and what it refuses before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pandawms.cli.exit_codes import ExitCode
from tests.unit.cli.answers import JOB, Panda, page
from tests.unit.client.stand_in import Said, in_turn, stand_in

RULE: dict[str, Any] = {
    "name": "quota", "action": "no_retry", "mode": "active", "version": 2, "is_built_in": False, "match": {"domain": "payload", "pattern": "quota"},
    "scope": {"queue": "farm-*"}, "parameters": {}, "note": "why", "created_by": "ada",
}  # fmt: skip
BUILT_IN = RULE | {"name": "looping-twice", "version": 0, "is_built_in": True, "parameters": {"max_attempts": 2}, "scope": {}}
FILE = """
rules:
- name: quota
  action: no_retry
  match: {domain: payload, pattern: quota of \\S+ exceeded}
- name: looping
  action: limit_attempts
  max_attempts: 2
  match: {code: looping}
"""
EFFECT: dict[str, Any] = {
    "name": "quota", "action": "no_retry", "n_matched": 9, "n_acting": 7, "n_tasks": 2, "saved_attempts": 5, "lost_successes": 1,
    "examples": [{"job_id": 5, "task_id": 7, "task_name": "t", "queue": "q", "reason": "no further attempt", "message": "quota\nof x"}],
}  # fmt: skip


def test_a_list_shows_conditions_and_leaves_the_built_in_ones_out_when_asked(panda: Panda) -> None:
    with stand_in(in_turn(page(RULE, BUILT_IN), page(RULE, BUILT_IN))) as server:
        _, out, _ = panda("rules", "ls", server=server)
        assert [line.split("\t")[0] for line in out.splitlines()] == ["name", "quota", "looping-twice"]
        assert "domain payload, pattern quota" in out
        _, out, _ = panda("rules", "ls", "--own", server=server)
        assert len(out.splitlines()) == 2


def test_rules_of_a_file_are_made_in_order_in_the_mode_that_is_given(panda: Panda) -> None:
    Path("rules.yaml").write_text(FILE)
    with stand_in(in_turn(Said(status=201, body=RULE), Said(status=201, body=RULE))) as server:
        code, out, _ = panda("rules", "add", "rules.yaml", "--mode", "log_only", server=server)
        sent = [json.loads(seen.body) for seen in server.seen]
    assert (code, len(out.splitlines())) == (0, 3)
    assert [(each["name"], each["mode"]) for each in sent] == [("quota", "log_only"), ("looping", "log_only")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: x\naction: no_retry\nmatch: {pattern: (a+)+}", ["match.pattern", "repeat"]),
        ("name: x\naction: retry_later\nmatch: {code: looping}", ["action", "no_retry"]),
        ("name: x\naction: no_retry\nmatch: {code: lopping}", ["match.code", "looping"]),
        ("rules: []", ["holds no rule"]),
        ("- 1", ["holds no rule"]),
        ("rules:\n- {name: a, action: no_retry, match: {code: looping}}\n- {name: b, action: no_retry, match: {}}", ["rules[1].match"]),
    ],
)
def test_a_bad_file_is_refused_before_anything_is_sent(panda: Panda, text: str, words: list[str]) -> None:
    Path("rules.yaml").write_text(text)
    with stand_in(in_turn()) as server:
        code, _, err = panda("rules", "add", "rules.yaml", server=server)
        assert not server.seen
    assert code == ExitCode.INVALID, err
    for word in words:
        assert word in err


def test_an_edit_sends_the_version_that_was_read_and_the_whole_of_what_it_touches(panda: Panda) -> None:
    with stand_in(in_turn(Said(body=RULE), Said(body=RULE))) as server:
        code, _, _ = panda("rules", "edit", "quota", "--mode", "off", "--set", "match.pattern=Quota", "--set", "scope.queue=", server=server)
        sent = json.loads(server.seen[1].body)
    assert code == 0
    assert (sent["version"], sent["mode"]) == (2, "off")
    assert {key: value for key, value in sent["match"].items() if value is not None} == {"domain": "payload", "pattern": "Quota"}
    assert not any(sent["scope"].values())
    assert "note" not in sent and "action" not in sent


def test_a_removal_names_what_it_removed(panda: Panda) -> None:
    with stand_in(in_turn(Said(status=204), Said(status=204))) as server:
        code, _, err = panda("rules", "rm", "quota", "looping", server=server)
        assert [seen.method for seen in server.seen] == ["DELETE", "DELETE"]
    assert (code, err.count("is removed")) == (0, 2)


def test_a_simulation_shows_numbers_as_a_list_and_examples_beside_it(panda: Panda) -> None:
    Path("rules.yaml").write_text(FILE)
    answer = {"since": "2030-01-01T00:00:00Z", "n_failures": 9, "n_tasks": 2, "is_cut": False, "effects": [EFFECT]}
    with stand_in(in_turn(Said(body=answer))) as server:
        code, out, err = panda("rules", "simulate", "rules.yaml", "--days", "1.5", server=server)
        sent = json.loads(server.seen[0].body)
    assert (code, sent["days"], [rule["name"] for rule in sent["rules"]]) == (0, 1.5, ["quota", "looping"])
    header, line = (text.split("\t") for text in out.splitlines())
    assert dict(zip(header, line, strict=True))["saved_attempts"] == "5"
    assert "nothing was changed" in err
    assert "job:5 of t at q: no further attempt (quota of x)" in err


def test_a_job_shows_what_rules_did(panda: Panda) -> None:
    act = {
        "at": "2030-01-01T00:00:00Z",
        "action": "no_retry",
        "reason": "payload_failed: no further attempt",
        "is_applied": True,
        "n_units": 1,
        "rule": "quota",
    }
    with stand_in(in_turn(Said(body=JOB | {"retry_acts": [act | {"rule": "quota"}, act | {"rule": "other", "is_applied": False}]}))) as server:
        _, out, _ = panda("show", "job:5", server=server)
    assert "rule quota\tpayload_failed: no further attempt" in out
    assert "rule other\tdid nothing: payload_failed: no further attempt" in out
