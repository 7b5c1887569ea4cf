"""Which pages there are, and whether those in a folder are as the code says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pandawms.main.docs.codes import codes_page
from pandawms.main.docs.commands import commands_page
from pandawms.main.docs.document import document_page
from pandawms.main.docs.settings import settings_page
from pandawms.main.docs.states import states_page
from pandawms.wire.schema import document_schema_text

PAGES: dict[str, Callable[[], str]] = {
    "states.md": states_page,
    "error-codes.md": codes_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "task-document.md": document_page,
    "task.schema.json": document_schema_text,
}


def stale(folder: Path) -> list[str]:
    """The names of the pages in `folder` that differ from what the tables say now, or do not exist."""
    return [name for name, page in PAGES.items() if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != page()]


def write(folder: Path) -> None:
    """Write all pages into `folder`, which is made when it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
