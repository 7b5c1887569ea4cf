"""What the process commands read from their arguments alike, and how they print plain rows."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
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


def port_number(text: str) -> int:
    """Reads a port; argparse shows the message of the error."""
    return _within(text, 1, 65535)


def positive(text: str) -> int:
    """Reads a number of at least 1."""
    return _within(text, 1, 100_000)


def descriptor(text: str) -> int:
    """Reads the number of a file descriptor."""
    return _within(text, 0, 1_000_000)


def add_ready_fd(parser: argparse.ArgumentParser) -> None:
    """Adds --ready-fd."""
    parser.add_argument("--ready-fd", type=descriptor, metavar="N", help="write one byte to this file descriptor when ready, for whoever supervises")


def ready_of(arguments: argparse.Namespace) -> Callable[[], None]:
    """Returns what a program calls when it is ready."""

    def ready() -> None:
        if arguments.ready_fd is not None:
            os.write(arguments.ready_fd, b"1")
            os.close(arguments.ready_fd)

    return ready


def _within(text: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {least} to {most}")
    return int(text)
