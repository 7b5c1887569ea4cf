"""From the document a user wrote to the one the server takes: program packed and uploaded, local input files in a dataset."""

from __future__ import annotations

import glob
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pandawms.client.attempts import RetryPolicy
from pandawms.client.calls import get, segment, send
from pandawms.client.datasets import adler32_of, upload_call
from pandawms.client.sandbox import ensure, pack
from pandawms.client.script import Script
from pandawms.domain.errors import Conflict, Invalid, NotFound
from pandawms.wire.checks import checked
from pandawms.wire.dataset import (
    MAX_FILES_PER_REGISTRATION,
    Dataset,
    DatasetRequest,
    File,
    FileRegistration,
    FileRegistrations,
    RegistrationAnswer,
)
from pandawms.wire.document import TaskDocument
from pandawms.wire.names import FILE_NAME_RULE
from pandawms.wire.page import MAX_PAGE_SIZE, Page
from pandawms.wire.system import WhoAmI

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=@,-]{0,249}")
NAMED = 5
"""How many bad names an error tells."""


def prepared(policy: RetryPolicy, document: TaskDocument, folder: Path) -> Script[TaskDocument]:
    """Checks the document, uploads what it needs from `folder`, and gives back the document for the server.

    Equal programs and equal input files are uploaded once: their names are made of their content.
    """
    checked(document)
    document = yield from with_sandbox(policy, document, folder)
    inputs = {}
    for stream, spec in document.inputs.items():
        inputs[stream] = spec
        if spec.files is not None:
            paths = listed_files(folder, spec.files, f"inputs.{stream}.files")
            dataset = yield from uploaded(policy, f"{document.name}.{stream}", paths)
            inputs[stream] = msgspec.structs.replace(spec, files=None, dataset=dataset)
    return msgspec.structs.replace(document, inputs=inputs)


def with_sandbox(policy: RetryPolicy, document: TaskDocument, folder: Path) -> Script[TaskDocument]:
    """Packs and uploads the program's files and names them by their sha256 in the document."""
    if not document.program.files:
        return document
    sandbox = pack(folder, document.program.files)
    yield from ensure(policy, sandbox)
    program = msgspec.structs.replace(document.program, files=(), sandbox=sandbox.sha256)
    return msgspec.structs.replace(document, program=program)


def listed_files(folder: Path, patterns: Sequence[str], field: str) -> tuple[Path, ...]:
    """The files that the patterns match, sorted, each once; raises Invalid when a pattern matches nothing or names collide."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        matches = sorted(Path(path) for path in glob.glob(str(folder / pattern), recursive=True))
        matches = [path for path in matches if path.is_file()]
        if not matches:
            hint = "put the pattern in quotes, and look with ls whether it matches"
            raise Invalid(
                f"{pattern} matches no file",
                code="empty_input",
                field=field,
                value=pattern,
                allowed="at least one file",
                hint=hint,
            )
        found.update(dict.fromkeys(matches))
    _check_names(tuple(found), field)
    return tuple(found)


def _check_names(paths: Sequence[Path], field: str) -> None:
    bad = [path.name for path in paths if not _FILE_NAME.fullmatch(path.name)]
    if bad:
        raise Invalid(
            f"{_listed(bad)} cannot be {'the name of an input file' if len(bad) == 1 else 'names of input files'}",
            code="bad_name",
            field=field,
            value=bad[0],
            allowed=FILE_NAME_RULE,
            hint="rename it" if len(bad) == 1 else "rename them",
        )
    for name, count in Counter(path.name for path in paths).items():
        if count > 1:
            hint = "files of one dataset need different names: rename one, or make two tasks"
            raise Invalid(f"{count} input files are called {name}", code="name_collides", field=field, value=name, hint=hint)


def _listed(names: Sequence[str]) -> str:
    """The first NAMED of them, quoted, and how many more there are."""
    shown = [repr(name) for name in names[:NAMED]]
    if len(names) > NAMED:
        return f"{', '.join(shown)} and {len(names) - NAMED} more"
    return " and ".join(part for part in (", ".join(shown[:-1]), shown[-1]) if part)


def uploaded(policy: RetryPolicy, name: str, paths: Sequence[Path]) -> Script[str]:
    """Puts files into a closed dataset named after their content and gives back its scope:name; what is there is not sent again."""
    files = tuple(FileRegistration(name=path.name, size_bytes=path.stat().st_size, adler32=adler32_of(path)) for path in paths)
    dataset = yield from _dataset(policy, f"{name}.{_digest(files)}")
    reference = f"{dataset.scope}:{dataset.name}"
    if dataset.is_open:
        yield from _fill(policy, dataset.dataset_id, files, paths)
        yield from send("POST", Dataset, f"/datasets/{dataset.dataset_id}/close").script(policy)
    return reference


def _digest(files: Sequence[FileRegistration]) -> str:
    lines = sorted(f"{file.name} {file.size_bytes} {file.adler32}" for file in files)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _dataset(policy: RetryPolicy, name: str) -> Script[Dataset]:
    who = yield from get(WhoAmI, "/system/whoami").script(policy)
    existing = get(Dataset, f"/datasets/{segment(f'user.{who.user}:{name}')}")
    try:
        return (yield from existing.script(policy))
    except NotFound:
        pass
    try:
        return (yield from send("POST", Dataset, "/datasets", DatasetRequest(name=name)).script(policy))
    except Conflict:
        return (yield from existing.script(policy))


def _fill(policy: RetryPolicy, dataset_id: int, files: Sequence[FileRegistration], paths: Sequence[Path]) -> Script[None]:
    for start in range(0, len(files), MAX_FILES_PER_REGISTRATION):
        body = FileRegistrations(files=tuple(files[start : start + MAX_FILES_PER_REGISTRATION]))
        yield from send("POST", RegistrationAnswer, f"/datasets/{dataset_id}/files", body).script(policy)
    present = yield from _present(policy, dataset_id)
    for path in paths:
        if path.name not in present:
            yield from upload_call(dataset_id, path.name, path).script(policy)


def _present(policy: RetryPolicy, dataset_id: int) -> Script[frozenset[str]]:
    names: set[str] = set()
    cursor: str | None = None
    while True:
        query = {"limit": MAX_PAGE_SIZE, "cursor": cursor}
        page = yield from get(Page[File], f"/datasets/{dataset_id}/files", query).script(policy)
        names.update(file.name for file in page.items if file.status == "ready" or file.replicas)
        cursor = page.next_cursor
        if cursor is None:
            return frozenset(names)
