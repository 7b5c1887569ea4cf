"""The plugin in examples/plugin is built, installed into an empty place and found there by its entry point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "examples" / "plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that holds the plugin's wheel, installed without any index: its build tool is one of our development packages."""
    target = tmp_path_factory.mktemp("plugins")
    options = ["--offline", "--no-deps", "--no-build-isolation", "--quiet", "--python", sys.executable, "--target", str(target)]
    done = subprocess.run([sys.executable, "-m", "uv", "pip", "install", *options, str(PLUGIN)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


def run(installed: Path, *arguments: str) -> str:
    """Runs Python with the plugin on its path; returns what it printed."""
    path = os.pathsep.join([str(installed), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-B", *arguments],
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=installed,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_own_tests_pass_where_it_is_installed(installed: Path) -> None:
    said = run(installed, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(PLUGIN), str(PLUGIN / "tests"))
    assert "7 passed" in said


def test_the_broker_asks_it_after_the_rules_of_the_tree(installed: Path) -> None:
    said = run(
        installed,
        "-c",
        """
from dataclasses import replace
from pandawms.engine.broker.plan import plan
from pandawms.engine.broker.rules import RULES
from pandawms.plugins.loading import broker_rules
from pandawms.testing.broker_rule import queues, tasks

task = next(tasks())
plain = next(queues())
found = plan(task, [plain, replace(plain, queue_id=99, name="gpus", gpus=4)], (*RULES, *broker_rules()))
print([c.queue.name for c in found.candidates], [(r.queue, r.rule) for r in found.rejections])
""",
    )
    assert said.strip() == "['plain'] [('gpus', 'gpu_reserved')]"
