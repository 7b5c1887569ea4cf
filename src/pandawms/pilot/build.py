"""Packs the pilot into one file that any Python from 3.9 on runs: `python3 -I pilot.pyz …`."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKED = ("__init__.py", "domain/**/*.py", "pilot/**/*.py", "wire/__init__.py", "wire/pilot/**/*.py")
_MAIN = "import sys\n\nfrom pandawms.pilot.main import main\n\nsys.exit(main())\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> Path:
    """Writes the zipapp; the same sources give the same bytes.

    A file that is there is replaced at once and whole, or left alone when it is the same. Pilots that run meanwhile are
    not disturbed: they import all of it when they start.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _write(part)
        if not target.exists() or target.read_bytes() != part.read_bytes():
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _write(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        _add(archive, "__main__.py", _MAIN.encode())
        for source in sorted({source for pattern in _PACKED for source in _ROOT.glob(pattern)}):
            _add(archive, f"pandawms/{source.relative_to(_ROOT).as_posix()}", source.read_bytes())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _LONG_AGO)
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, content)
