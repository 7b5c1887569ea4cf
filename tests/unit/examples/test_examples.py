"""What can be known of the examples without a system: their task files, their commands, and the programs that need no packages."""

import json
import re
import statistics
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).parents[3] / "examples"
TASKS = sorted(EXAMPLES.glob("*/*.yaml"))
README_COMMANDS = ("panda", "uv", "cat")


def task(path: Path) -> dict[str, Any]:
    """A task file as plain data."""
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", TASKS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_all_files_that_a_task_sends_are_there_and_no_others_are_run(path: Path) -> None:
    document = task(path)
    sent = document["program"]["files"]
    assert [name for name in sent if not (path.parent / name).is_file()] == []
    commands = [document["program"]["command"], document.get("merge", {}).get("command", ""), document.get("build", {}).get("command", "")]
    assert set(re.findall(r"\b[\w-]+\.(?:py|sh)\b", " ".join(commands))) <= set(sent)


def test_examples_that_need_packages_share_one_environment_of_exact_versions() -> None:
    environments = [task(path)["environment"] for path in TASKS if "environment" in task(path)]
    assert len(environments) >= 4
    assert all(environment == environments[0] for environment in environments)
    assert all("==" in package for package in environments[0]["packages"])


def test_each_step_of_the_chain_reads_what_the_one_before_writes_and_only_the_last_output_stays() -> None:
    steps = [task(path) for path in sorted((EXAMPLES / "chain").glob("*.yaml"))]
    for before, after in pairwise(steps):
        ((stream, source),) = after["inputs"].items()
        assert source == {"task": before["name"], "output": stream}
        assert before["outputs"][stream]["transient"] is True
        assert after["priority"] > before["priority"]
    assert all(isinstance(output, str) for output in steps[-1]["outputs"].values())


@pytest.mark.parametrize("name", ["words", "chain", "dimuon", "build-cpp"])
def test_the_commands_of_a_readme_are_there_for_the_demo(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^## Run it$.*?^```sh\n(.*?)^```$", readme, flags=re.S | re.M)
    assert {line.split()[0] for line in block.splitlines()} <= set(README_COMMANDS)
    assert f'"{name}"' in (EXAMPLES / "demo.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("readme", sorted(EXAMPLES.glob("*/README.md")), ids=lambda path: path.parent.name)
def test_what_is_changed_is_submitted_under_a_name_that_is_free(readme: Path) -> None:
    """After "Run it" the names of the task files are taken."""
    changes = readme.read_text(encoding="utf-8").partition("## Change it")[2]
    lines = re.findall(r"panda submit [^`\n]*", changes)
    names = [re.search(r" --name ([a-z0-9-]+)", line) for line in lines]
    assert [line for line, name in zip(lines, names, strict=True) if name is None] == []
    taken = {task(path)["name"] for path in readme.parent.glob("*.yaml")}
    new = [name[1] for name in names if name is not None]
    assert taken.isdisjoint(new)
    assert len(set(new)) == len(new)
    for line in lines:
        assert all(word.startswith("<") or (readme.parent / word).is_file() for word in re.findall(r"\S+\.yaml", line))
    assert re.findall(r"^- .*`--set ", changes, flags=re.M) == [], "a whole line can be tried, a part of one cannot"


def test_the_demo_runs_the_panda_of_its_own_python_in_a_folder_that_may_be_named_from_here(tmp_path: Path) -> None:
    (tmp_path / "example").mkdir()
    (tmp_path / "example" / "README.md").write_text("## Run it\n\n```sh\npanda --version\ncat README.md\n```\n")
    program = (
        "import sys, demo; from pathlib import Path; sys.argv = ['demo.py', 'words', '--data', 'here'];"
        "print(demo.data_folder(demo.arguments()));"
        "sys.exit(demo.play(Path('example'), Path('copy'), {'PATH': '/usr/bin:/bin'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(EXAMPLES)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == str(tmp_path.resolve() / "here")
    assert "$ panda --version" in done.stdout


def run(*command: object, folder: Path) -> str:
    """Runs a program of an example."""
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_words_are_counted_over_all_files_and_the_most_frequent_ones_drawn(tmp_path: Path) -> None:
    texts = {"a.txt": "The tide's turn. The tide, it turned!\n", "b.txt": "'Tide' and TIDE\nand turn\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
        (tmp_path / f"count.{name}").write_text(run("sh", EXAMPLES / "words" / "count.sh", name, folder=tmp_path))
    run("sh", EXAMPLES / "words" / "merge.sh", "words.txt", "chart.txt", *(f"count.{name}" for name in texts), folder=tmp_path)
    words = [line.split() for line in (tmp_path / "words.txt").read_text().splitlines()]
    assert words == [["4", "tide"], ["2", "and"], ["2", "the"], ["2", "turn"], ["1", "it"], ["1", "turned"]]
    chart = (tmp_path / "chart.txt").read_text().splitlines()
    assert chart == ["12 words, 6 different ones", "", "      tide   4 ####", "      turn   2 ##", "    turned   1 #"]


def test_the_chain_finds_the_mass_again_that_was_put_in(tmp_path: Path) -> None:
    chain = EXAMPLES / "chain"
    run(sys.executable, chain / "generate.py", "--events", 300, "--first", 101, "--seed", 5, "--out", "events.csv", folder=tmp_path)
    run(sys.executable, chain / "simulate.py", "--seed", 5, "--out", "hits.csv", "events.csv", folder=tmp_path)
    run(sys.executable, chain / "reconstruct.py", "--out", "tracks.csv", "hits.csv", folder=tmp_path)
    run(sys.executable, chain / "derive.py", "--out", "masses.json", "tracks.csv", folder=tmp_path)
    found = json.loads((tmp_path / "masses.json").read_text())
    assert len(set(found["events"])) == len(found["events"]) >= 295
    assert set(found["events"]) <= set(range(101, 401))
    masses = [2.9 + 0.005 * (place + 0.5) for place, entries in enumerate(found["entries"]) for _ in range(entries)]
    assert len(masses) > 230
    assert abs(statistics.median(masses) - 3.0969) < 0.005
    assert sorted(charge for charge, _, _ in found["shown"]) == [-1, 1]
