"""Print a script that completes commands and options in your shell:

eval "$(panda completion bash)"          zsh: eval "$(panda completion zsh)"          fish: panda completion fish | source
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pandawms.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from pandawms.cli.registry import Command
    from pandawms.cli.session import Session


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of completion."""
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def run(arguments: argparse.Namespace, session: Session) -> int:
    """Prints the script, made from the commands' own parsers."""
    words = completions(session.commands)
    scripts = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}
    session.terminal.line(scripts[arguments.shell](words))
    return ExitCode.OK


def completions(commands: Sequence[Command]) -> dict[str, list[str]]:
    """The words that each command completes: its options and the choices of its arguments."""
    from pandawms.cli.program import command_parser

    words: dict[str, list[str]] = {}
    for command in commands:
        parser = command_parser(command, command.summary)
        command.load().configure(parser)
        words[command.name] = sorted(_words(parser))
    return words


def _words(parser: argparse.ArgumentParser) -> set[str]:
    found: set[str] = set()
    for action in parser._actions:  # argparse offers no public way to ask a parser what it takes
        found.update(option for option in action.option_strings if option.startswith("--"))
        if action.choices and not action.option_strings:
            found.update(map(str, action.choices))
    return found


def bash_script(words: dict[str, list[str]]) -> str:
    """For bash."""
    cases = "\n".join(f'    {name}) words="{" ".join(options)}" ;;' for name, options in words.items())
    return f"""_panda() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" words
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words="{" ".join(words)}" ;;
  esac
  [ "$COMP_CWORD" -eq 1 ] && words="{" ".join(words)}"
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  [ "$COMP_CWORD" -gt 1 ] && [ "${{#COMPREPLY[@]}}" -eq 0 ] && COMPREPLY=($(compgen -f -- "$word"))
}}
complete -o filenames -F _panda panda"""


def zsh_script(words: dict[str, list[str]]) -> str:
    """For zsh, by its own emulation of bash's completion."""
    return f"autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n{bash_script(words)}"


def fish_script(words: dict[str, list[str]]) -> str:
    """For fish."""
    lines = [f"complete -c panda -n __fish_use_subcommand -f -a '{' '.join(words)}'"]
    for name, options in words.items():
        lines += [f"complete -c panda -n '__fish_seen_subcommand_from {name}' -a '{' '.join(options)}'"]
    return "\n".join(lines)
