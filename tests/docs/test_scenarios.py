"""The table of stories is that of the tests that tell them."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "scenarios.md"
STORIES = ROOT / "tests" / "engine" / "scenarios"
ROW = re.compile(r"^\| (\d+) \| .* \| \[[^]]+\]\(([^)]+)\) \| .*\|$", re.M)


def told_on_the_page() -> dict[int, Path]:
    """Each scenario of the table, with the file that tells it."""
    return {int(number): (PAGE.parent / target).resolve() for number, target in ROW.findall(PAGE.read_text())}


def told_by_tests() -> dict[int, set[Path]]:
    """Each scenario that a docstring of a story names, with the files that tell it."""
    found: dict[int, set[Path]] = {}
    for path in STORIES.glob("test_*.py"):
        for number in re.findall(r'^    """Scenario (\d+)\b', path.read_text(), re.M):
            found.setdefault(int(number), set()).add(path)
    return found


def test_every_story_is_in_the_table_with_its_file_and_none_besides() -> None:
    page = told_on_the_page()
    stories = {number: {path} for number, path in page.items() if path.parent == STORIES}
    assert stories == told_by_tests()
    assert page.keys() >= {*range(1, 11), 12, 13, 14, 17, 18, 20, 21, 22}, "those that issue 4 asks for"


def test_every_story_says_which_scenario_it_tells() -> None:
    for path in STORIES.glob("test_*.py"):
        text = path.read_text()
        assert len(re.findall(r"^async def test_", text, re.M)) == len(re.findall(r'^    """Scenario \d+', text, re.M)), path.name
