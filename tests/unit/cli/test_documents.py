"""`panda schema` and `panda import`."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from pandawms.wire.checks import decode_document, problems
from pandawms.wire.schema import document_schema_text
from tests.unit.cli.answers import Panda

PARAMS = Path(__file__).parent.parent / "wire/imports/prun.json"


def test_the_schema_is_printed_as_it_is(panda: Panda) -> None:
    assert panda("schema") == (0, document_schema_text(), "")


def test_a_dictionary_becomes_a_task_file_and_what_is_left_is_told(panda: Panda, tmp_path: Path) -> None:
    code, out, err = panda("import", str(PARAMS), "--out", "task.yaml")
    assert (code, out) == (0, "")
    text = (tmp_path / "task.yaml").read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=task.schema.json\nname: user.tuser.t3\n")
    assert problems(decode_document(yaml.safe_load(text))) == []
    assert "not mapped:" in err
    assert "is not in the dictionary: unpack it" in err
    code, _, err = panda("import", str(PARAMS), "--out", "task.yaml")
    assert code != 0
    assert "is there already" in err


def test_it_is_printed_without_out_and_told_whole_in_json(panda: Panda) -> None:
    _, out, _ = panda("import", str(PARAMS))
    code, told, _ = panda("--json", "import", str(PARAMS))
    account = json.loads(told)
    assert yaml.safe_load(out) == account["document"]
    assert (code, account["mapped"]["nFiles"], account["problems"]) == (0, "inputs, max_files", [])
    assert set(json.loads(PARAMS.read_text())) <= {*account["mapped"], *account["unmapped"]}


def test_what_is_no_dictionary_is_refused(panda: Panda, tmp_path: Path) -> None:
    for content in ("[1]", "{", '{"a": 1}', "\xff"):
        (tmp_path / "x.json").write_text(content, encoding="latin-1")
        code, out, err = panda("import", "x.json")
        assert (code != 0, out) == (True, "")
        assert err.startswith("error: ")
    assert "cannot be read" in panda("import", "nothing.json")[2]


def test_a_document_that_contradicts_itself_says_what_to_mend(panda: Panda, tmp_path: Path) -> None:
    tree = {"taskName": "t", "jobParameters": [{"type": "constant", "value": "a.py"}], "site": "A", "excludedSite": "A", "nEvents": 10**12, "nEventsPerJob": 1}
    (tmp_path / "x.json").write_text(json.dumps({"task_parameters": tree}))
    code, _, err = panda("import", "x.json")
    assert code == 1
    assert "to be mended: 1000000000000 events by 1 make 1000000000000 jobs" in err
