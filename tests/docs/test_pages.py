"""The docs stay true: links lead somewhere, no page is empty, and every decision and stage has its page."""

import re
from pathlib import Path

import pytest

from pandawms.domain.stages import Stage

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md")), *sorted((ROOT / "changes").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if not target.startswith(("http:", "https:", "mailto:"))]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_is_empty(page: Path) -> None:
    assert len(page.read_text().split()) >= 15


def test_every_path_that_the_readme_names_exists() -> None:
    names = re.findall(r"`((?:src|docs|tests|examples|api|cli|engine|provision|store|domain|plugins)/[\w./*-]*)`", (ROOT / "README.md").read_text())
    assert names
    for name in names:
        base = ROOT if (ROOT / name.split("/")[0]).exists() else ROOT / "src" / "pandawms"
        assert list(base.glob(name.rstrip("/"))), name


def test_every_stage_has_its_page() -> None:
    assert [stage for stage in Stage if not (ROOT / "docs" / "explanation" / f"{stage}.md").exists()] == []


def test_the_readme_shows_exactly_two_commands() -> None:
    commands = re.findall(r"^\$ (\S+ \S+)", (ROOT / "README.md").read_text(), flags=re.M)
    assert commands == ["make demo", "make test"]
