"""Which files of a dataset an input takes, and in which order; the same rules as the database has for the units of a task. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pandawms.wire.document import BoundarySpec, InputSpec

_SPECIAL = frozenset(".^$*+?{}[]\\|()")


class Candidate(NamedTuple):
    """A file as a selection sees it; `events` is None where nobody counted."""

    name: str
    size_bytes: int = 0
    events: int | None = None


def as_regex(pattern: str) -> str:
    """A pattern for file names as a regular expression that Python and PostgreSQL read alike: * any letters, ? one, [abc] one of these, [!abc] none of them."""
    parts, at = ["^"], 0
    while at < len(pattern):
        letter = pattern[at]
        end = pattern.find("]", at + 2 + (pattern[at + 1 : at + 2] == "!")) if letter == "[" else -1
        if end > 0:
            inside = pattern[at + 1 : end]
            negated = inside.startswith("!")
            parts.append(f"[{'^' if negated else ''}{_class(inside[1:] if negated else inside)}]")
            at = end
        else:
            parts.append({"*": ".*", "?": "."}.get(letter) or (f"\\{letter}" if letter in _SPECIAL else letter))
        at += 1
    return "".join([*parts, "$"])


def _class(letters: str) -> str:
    return "".join(f"\\{letter}" if letter in "\\^[]" else letter for letter in letters)


def selected(files: Iterable[Candidate], spec: InputSpec) -> list[Candidate]:
    """The files that an input takes, in its order; files come in the order of the catalogue. `random` stays as it is: only the database knows it."""
    include, exclude = ([re.compile(as_regex(pattern)) for pattern in patterns] for patterns in (spec.include, spec.exclude))
    names = set(spec.names)
    first: dict[str, Candidate] = {}
    for file in files:
        if (not include or any(p.search(file.name) for p in include)) and not any(p.search(file.name) for p in exclude) and (not names or file.name in names):
            first.setdefault(file.name, file._replace(events=spec.events_per_file if file.events is None else file.events))
    found = _sorted(list(first.values()), spec.order)[spec.skip :]
    return up_to(found if spec.max_files is None else found[: spec.max_files], spec.max_events)


def _sorted(files: list[Candidate], order: str) -> list[Candidate]:
    """Sizes and events from the largest on, so that long jobs start first; what nobody counted comes last."""
    if order == "name":
        return sorted(files, key=lambda file: file.name)
    if order == "size":
        return sorted(files, key=lambda file: -file.size_bytes)
    if order == "events":
        return sorted(files, key=lambda file: (file.events is None, -(file.events or 0)))
    return files


def up_to(files: list[Candidate], max_events: int | None) -> list[Candidate]:
    """Files as long as events are wanted; of the last one only so many are used."""
    if max_events is None:
        return files
    taken, room = [], max_events
    for file in files:
        if room <= 0:
            break
        taken.append(file if file.events is None else file._replace(events=min(file.events, room)))
        room -= file.events or 0
    return taken


def group(name: str, attribute: str | None, boundary: BoundarySpec | None) -> str | None:
    """The group of a file; empty where its name has no such part or the catalogue no attribute, None where files have no groups."""
    if boundary is None:
        return None
    if boundary.name_field is None:
        return attribute or ""
    parts = name.split(boundary.separator)
    return parts[boundary.name_field - 1] if len(parts) >= boundary.name_field else ""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files of an input are taken: `include` and `exclude` are regular expressions, `sorting` is listed, name, size, events or random."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()
    names: Sequence[str] = ()
    skip: int = 0
    max_files: int | None = None
    max_events: int | None = None
    sorting: str = "listed"
    events_per_file: int | None = None

    @property
    def is_all(self) -> bool:
        """Whether files are taken whatever their names and events."""
        return not (self.include or self.exclude or self.names or self.events_per_file)

    @property
    def is_as_listed(self) -> bool:
        """Whether files are taken one by one as they come: whatever comes later changes nothing for those before."""
        return self.sorting == "listed" and not self.skip and self.max_files is None and self.max_events is None

    def as_arguments(self) -> dict[str, Any]:
        """What the queries take."""
        return {
            "include": list(self.include), "exclude": list(self.exclude), "names": list(self.names), "skip": self.skip, "max_files": self.max_files,
            "max_events": self.max_events, "sorting": self.sorting, "events_per_file": self.events_per_file,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """How files become units: at most so many events each (None: a file is a unit), in groups by a part of the name, by the catalogue, or in none."""

    max_attempts: int
    events_per_unit: int | None = None
    name_field: int | None = None
    separator: str = "."
    by_attribute: bool = False


class Counted(NamedTuple):
    """Files of an input, with their bytes and events."""

    n_files: int
    n_bytes: int
    n_events: int

    def limited(self, choice: Choice) -> Counted:
        """What is left of them without what a choice skips and beyond its limits; bytes and events on average."""
        n_files = max(0, self.n_files - choice.skip)
        n_files = n_files if choice.max_files is None else min(n_files, choice.max_files)
        part = n_files / self.n_files if self.n_files else 0.0
        n_events = int(self.n_events * part)
        if choice.max_events is None or n_events <= choice.max_events:
            return Counted(n_files, int(self.n_bytes * part), n_events)
        part *= choice.max_events / n_events
        return Counted(-(-n_files * choice.max_events // n_events), int(self.n_bytes * part), choice.max_events)
