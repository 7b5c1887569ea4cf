"""`python -m pandawms.main.docs --write` writes the pages below docs/reference of the current folder; `--check` changes nothing and exits with 1 when one is stale."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pandawms.main.docs.pages import stale, write


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; the exit code is 1 when `--check` finds a stale page."""
    parser = argparse.ArgumentParser(prog="python -m pandawms.main.docs", description=(__doc__ or "").splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write the pages")
    mode.add_argument("--check", action="store_true", help="exit with 1 when a page is stale")
    parser.add_argument("--folder", type=Path, default=Path("docs/reference"), help="where the pages are (default: docs/reference)")
    options = parser.parse_args(arguments)
    if options.write:
        write(options.folder)
        return 0
    names = stale(options.folder)
    for name in names:
        sys.stderr.write(f"{options.folder / name} is stale: run python -m pandawms.main.docs --write\n")
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
