"""What the process commands read from their arguments alike, and how they print plain rows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path

from pandawms.cli.terminal import Column


def data_of(arguments: argparse.Namespace) -> Path:
    """Returns the data folder: --data, PANDA_DATA, or the default."""
    from pandawms.main.settings import data_folder

    return data_folder(getattr(arguments, "data", None))


def columns(*titles: str) -> list[Column[Sequence[str]]]:
    """Returns columns for rows that are plain sequences, in order."""
    return [Column(title, itemgetter(n)) for n, title in enumerate(titles)]
