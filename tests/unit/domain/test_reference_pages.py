"""The reference pages say what the tables say, and the glossary knows every word."""

from __future__ import annotations

from pathlib import Path

import pytest

from pandawms.domain.machines import MACHINES
from pandawms.domain.stages import Stage
from pandawms.main.docs import pages as docs
from pandawms.main.docs.__main__ import main
from pandawms.main.docs.states import duration, states_page

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def words(text: str) -> list[str]:
    """The words of a line."""
    return text.split()


GLOSSARY_WORDS = words(
    "task job dataset file queue site pilot worker lease claim scout heartbeat brokerage dispatch share allocation sandbox jobset PandaID jediTaskID "
    "computingSite jobStatus maxAttempt nucleus satellite avalanche exhausted pmerge lib kick UPS UCORE carousel HammerCloud steering trf HS06 HS23 "
    "hospital DAST CRIC RSE DID TTC stabilizer superStatus prodSourceLabel gshare dis sub trn tmpl consumer co-jumbo payload zero t1Weight "
    "TaskBuffer JEDI JobDispatcher DataService PandaDB Bamboo AutoPyFactory SchedConfig AGIS DQ2 Rucio DEFT Yoda Droid Raythena TaskRefiner "
    "ContentsFeeder JobBroker JobGenerator JobSplitter Setupper Activator Adder Closer PostProcessor TaskCommando Watcher Harvester iDDS"
)


def test_the_reference_pages_are_up_to_date() -> None:
    assert docs.stale(REFERENCE) == []


def test_a_stale_or_missing_page_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert "states.md is stale" in capsys.readouterr().err
    assert main(["--write", "--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "error-codes.md").write_text("old")
    assert docs.stale(tmp_path) == ["error-codes.md"]


def test_every_status_and_event_is_on_the_page() -> None:
    page = states_page()
    found = [word for machine in MACHINES for enum in (machine.statuses, machine.events) for word in enum]
    assert [word for word in found if f"`{word}`" not in page] == []


@pytest.mark.parametrize(("seconds", "text"), [(86_400, "1 d"), (43_200, "12 h"), (1800, "30 min"), (61, "61 s")])
def test_a_duration_is_written_in_its_largest_unit(seconds: int, text: str) -> None:
    assert duration(seconds) == text


def test_the_glossary_knows_our_words_and_pandas() -> None:
    glossary = (REFERENCE / "glossary.md").read_text(encoding="utf-8").lower()
    missing = [word for word in (*GLOSSARY_WORDS, *(stage.value for stage in Stage)) if word.lower() not in glossary]
    assert missing == []
