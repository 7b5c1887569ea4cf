"""Make a task file of a dictionary of PanDA task parameters, as its clients send it:

  panda import params.json --out task.yaml

The document is printed, or written with --out; what had no place in it is told on standard error, each key with the reason.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pandawms.cli.exit_codes import ExitCode
from pandawms.domain.errors import Conflict, Invalid

if TYPE_CHECKING:
    from pandawms.cli.session import Session
    from pandawms.cli.terminal import Terminal
    from pandawms.wire.panda_params import Imported

SCHEMA_LINE = "# yaml-language-server: $schema=task.schema.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of import."""
    parser.add_argument("file", type=Path, help="the dictionary in JSON, alone or under task_parameters")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the task file here; what is there is kept")


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Prints or writes the document; exit code 1 when it needs a hand before it can be submitted."""
    from pandawms.wire.checks import decode_document, problems
    from pandawms.wire.panda_params import imported

    found = imported(_parameters(arguments.file))
    wrong = problems(decode_document(found.document))
    terminal = session.terminal
    if terminal.as_json:
        terminal.json({"document": found.document, "mapped": found.mapped, "unmapped": found.unmapped, "notes": found.notes, "problems": wrong})
        return ExitCode.FAILED if wrong else ExitCode.OK
    text = _yaml(found.document)
    if arguments.out is None:
        terminal.line(text.rstrip())
    else:
        _write(arguments.out, text)
        terminal.note(f"written to {arguments.out}")
    _tell(found, terminal)
    for error in wrong:
        terminal.note(f"to be mended: {error.detail}: {error.hint}")
    return ExitCode.FAILED if wrong else ExitCode.OK


def _parameters(path: Path) -> Mapping[str, Any]:
    import msgspec

    try:
        tree = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}", code="file_missing", field="file", value=str(path), hint="name a file in JSON") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"{path} is not JSON: {error}", code="malformed", field="file", value=str(path), hint="give the dictionary in JSON") from None
    inner = tree.get("task_parameters", tree) if isinstance(tree, dict) else tree
    if not isinstance(inner, dict):
        raise Invalid(f"{path} holds no dictionary", code="malformed", field="file", value=str(path), hint="give the dictionary in JSON")
    return inner


def _yaml(document: Mapping[str, Any]) -> str:
    import yaml

    return f"{SCHEMA_LINE}\n" + yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True, width=120)


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Conflict(f"{path} is there already", code="file_exists", field="--out", value=str(path), hint="name another file, or move it away") from None
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}", code="not_writable", field="--out", value=str(path), hint="name another file") from None


def _tell(found: Imported, terminal: Terminal) -> None:
    width = max((len(key) for key in (*found.unmapped, *found.notes)), default=0)
    for title, lines in (("not mapped:", found.unmapped), ("assumed:", found.notes)):
        if lines:
            terminal.note(title)
        for key, text in lines.items():
            terminal.note(f"  {key.ljust(width)}  {text}")
