"""The tutorial does what it says: every command on the page is run, in order, as a reader would."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from pandawms.store.embedded import EmbeddedServer, Options

ROOT = Path(__file__).resolve().parents[2]


def commands(page: Path) -> Iterator[str]:
    """The commands of a page: what stands behind `$ ` in its console blocks, with the text of a here-document."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.S):
        lines = iter(block.splitlines())
        for line in lines:
            if line.startswith("$ "):
                yield _with_document(line.removeprefix("$ "), lines)


def _with_document(command: str, lines: Iterator[str]) -> str:
    found = re.search(r"<<'?(\w+)'?", command)
    while found and command.splitlines()[-1] != found[1]:
        command += "\n" + next(lines)
    return command


def test_the_first_task_of_the_tutorial_works_word_for_word() -> None:
    with TemporaryDirectory(prefix="panda-tutorial-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": name, "PANDA_DATA": str(folder / "data"), "LANG": "C.UTF-8"}
        try:
            for command in commands(ROOT / "docs" / "tutorial" / "first-task.md"):
                done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=180)
                assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        finally:
            subprocess.run(["panda", "down"], env=environment, capture_output=True, timeout=120)
            if (folder / "data" / "postgres").exists():
                EmbeddedServer(Options(folder=folder / "data" / "postgres")).remove()
