"""The program `panda`: finds the command, parses its arguments, runs it, and turns errors into two lines and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from pandawms.cli.escaping import one_line
from pandawms.cli.exit_codes import ExitCode, code_of
from pandawms.cli.registry import USER_COMMANDS, Command
from pandawms.cli.session import Session, TryJob
from pandawms.cli.terminal import Terminal
from pandawms.domain.errors import Invalid, PandaError, did_you_mean


class Parser(argparse.ArgumentParser):
    """A parser that raises what it refuses, so that all errors look the same."""

    def error(self, message: str) -> NoReturn:
        """Raises Invalid."""
        raise Invalid(message, code="usage", hint=f"`{self.prog} --help` shows what can be given")


def run_program(arguments: Sequence[str], commands: Sequence[Command] = USER_COMMANDS, try_job: TryJob | None = None) -> int:
    """Runs `panda` with these arguments on the process's own streams; gives back the exit code."""
    try:
        return _run(arguments, commands, try_job)
    except PandaError as error:
        _tell(sys.stderr, error)
        return code_of(error)
    except KeyboardInterrupt:
        sys.stderr.write("\nerror: interrupted\nhint: what was submitted goes on; `panda ls` shows it\n")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        _tell(sys.stderr, Invalid(str(error), code="os_error", hint="check the path, its permissions and the free space"))
        return ExitCode.INVALID
    except Exception as error:  # noqa: BLE001 - the boundary of a request: nobody shall be met with a trace
        _tell_mistake(sys.stderr, error)
        return ExitCode.INTERNAL


def _run(arguments: Sequence[str], commands: Sequence[Command], try_job: TryJob | None) -> int:
    top = top_parser(commands)
    given, rest = _split(top, list(arguments))
    if given.version:
        sys.stdout.write(f"panda {_version()}\n")
        return ExitCode.OK
    if given.command is None:
        top.print_help()
        return ExitCode.OK if given.help else ExitCode.INVALID
    command = _named(given.command, commands)
    module = command.load()
    parser = command_parser(command, module.__doc__ or command.summary)
    module.configure(parser)
    namespace = parser.parse_args(rest, argparse.Namespace(**_common(given)))
    session = Session(_terminal(namespace), namespace.url, namespace.token, namespace.data, commands, try_job)
    code = module.run(namespace, session)
    sys.stdout.flush()
    return code


def top_parser(commands: Sequence[Command]) -> Parser:
    """The parser of what stands before the command's own arguments."""
    parser = Parser(
        prog="panda",
        usage="panda COMMAND [ARGUMENTS]",
        add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Manage tasks over many inputs and machines.\n\n" + _listing(commands),
        epilog="`panda COMMAND --help` explains a command. Exit codes: 0 done, 1 task failed or partly done, 2 invalid, "
        "3 denied, 4 not found,\n5 conflict, 6 limit, 7 unavailable, 130 interrupted.",
    )
    parser.add_argument("-h", "--help", action="store_true", help="show this and end")
    parser.add_argument("--version", action="store_true", help="show the version and end")
    _add_common(parser)
    return parser


def command_parser(command: Command, description: str) -> Parser:
    """The parser of one command, with the options that all commands share."""
    parser = Parser(prog=f"panda {command.name}", description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_common(parser)
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which system, and how to answer")
    group.add_argument("--url", default=argparse.SUPPRESS, help="address of the server (else PANDA_URL, else the local one)")
    group.add_argument("--token", default=argparse.SUPPRESS, help="token to use (else PANDA_TOKEN, else the local one)")
    group.add_argument("--data", default=argparse.SUPPRESS, type=Path, help="data folder of a local system (else PANDA_DATA)")
    group.add_argument("--json", default=argparse.SUPPRESS, action="store_true", help="answer in JSON")
    group.add_argument("--no-color", default=argparse.SUPPRESS, action="store_true", help="no colours (also by NO_COLOR)")


def _listing(commands: Sequence[Command]) -> str:
    groups: dict[str, list[str]] = {}
    for command in commands:
        groups.setdefault(command.group, []).append(f"  {command.name:<12}{command.summary}")
    return "\n\n".join("\n".join([f"{group}:", *lines]) for group, lines in groups.items())


def _split(top: Parser, arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """What stands before the command, and what stands after it."""
    takes_value = {"--url", "--token", "--data"}
    index = 0
    while index < len(arguments) and arguments[index].startswith("-"):
        index += 2 if arguments[index] in takes_value else 1
    given = top.parse_args(arguments[:index])
    given.command = arguments[index] if index < len(arguments) else None
    if given.help:
        given.command = None
    return given, arguments[index + 1 :]


def _common(given: argparse.Namespace) -> Mapping[str, object]:
    defaults = {"url": None, "token": None, "data": None, "json": False, "no_color": False}
    return {name: getattr(given, name, default) for name, default in defaults.items()}


def _named(name: str, commands: Sequence[Command]) -> Command:
    found = next((command for command in commands if command.name == name), None)
    if found is not None:
        return found
    near = did_you_mean(name, [command.name for command in commands])
    hint = f"did you mean panda {near}?" if near else "`panda --help` lists the commands"
    raise Invalid(f"there is no command {name}", code="unknown_command", field="command", value=name, hint=hint)


def _terminal(namespace: argparse.Namespace) -> Terminal:
    colour = not namespace.no_color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Terminal(sys.stdin, sys.stdout, sys.stderr, sys.stdout.isatty(), namespace.json, colour)


def _version() -> str:
    from importlib.metadata import version

    return version("pandawms")


def _tell(stream: TextIO, error: PandaError) -> None:
    """Exactly two lines: what is wrong and where, and what to do."""
    value = f" [{error.field} = {_value_text(error.value)}]" if error.field and error.value is not None else ""
    others = f" (and {len(error.errors)} more: {', '.join(part.field or part.code for part in error.errors)})" if error.errors else ""
    stream.write(f"error: {one_line(error.detail + value + others)}\n")
    stream.write(f"hint: {one_line(_hint_text(error))}\n")
    stream.flush()


def _value_text(value: object) -> str:
    """Text as Python would write it, all else as JSON, which is how YAML has it too."""
    import json

    return repr(value) if isinstance(value, str) else json.dumps(value, default=str)


def _hint_text(error: PandaError) -> str:
    """The hint and what is allowed, nothing of it said twice."""
    hint, allowed = error.hint or f"the code of this error is {error.code}", error.allowed
    if not allowed:
        return hint
    if allowed not in hint:
        return hint if allowed in error.detail else f"{hint} (allowed: {allowed})"
    only_repeats = hint.removesuffix(" here") in {f"{verb} {allowed}" for verb in ("choose", "write", "use")}
    return f"change {error.field}" if only_repeats and allowed in error.detail and error.field else hint


def _tell_mistake(stream: TextIO, error: Exception) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="panda-error-", suffix=".txt", delete=False) as file:
        traceback.print_exception(error, file=file)
    stream.write(f"error: a mistake in panda itself: {one_line(f'{type(error).__name__}: {error}')}\n")
    stream.write(f"hint: please report it with {file.name}\n")
