"""The domain stays what the pilot can carry: Python 3.9, standard library, nothing of the rest of the project."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pandawms.domain

FOLDER = Path(pandawms.domain.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
SOURCE = FOLDER.parent.parent

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)


def python39() -> str | None:
    """A real Python 3.9, where one is installed; PANDA_PYTHON39 names one that is not on the path."""
    versions = [str(path) for path in Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9")]
    named = [os.environ.get("PANDA_PYTHON39"), shutil.which("python3.9"), *versions]
    return next((path for path in named if path and is_python39(path)), None)


def is_python39(path: str) -> bool:
    """Whether this is one that runs; a version manager may leave a stub on the path that does not."""
    done = subprocess.run([path, "-I", "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() == "(3, 9)"


@every_module
def test_a_module_is_written_in_python_39(module: Path) -> None:
    ast.parse(module.read_text(encoding="utf-8"), feature_version=(3, 9))


@every_module
def test_a_module_imports_only_the_standard_library_and_the_domain(module: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    foreign = {name for name in names if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("pandawms.domain")}
    assert foreign == set()


def test_all_modules_import_under_a_real_python_39() -> None:
    interpreter = python39()
    if interpreter is None:
        pytest.skip("no Python 3.9 on this machine")
    imports = "; ".join(f"import pandawms.domain.{module.stem}" for module in MODULES if module.stem != "__init__")
    script = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); {imports}; print(pandawms.domain.job.JobStatus.SENT)"
    done = subprocess.run([interpreter, "-I", "-B", "-W", "error", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "sent"), done.stderr
