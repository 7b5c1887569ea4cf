"""The examples, with few events, by real pilots; all at once, so that those that need packages wait for one environment."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.running import UV, Running, started, until

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SETTINGS = """
[engine]
poll_seconds = 0.3
transient_days = 0

[local]
idle_seconds = 5
"""
CHAIN = ("chain-generate", "chain-simulate", "chain-reconstruct", "chain-derive")
BLOCKS, FILES, EVENTS = 4, 3, 300


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """A system in which the examples have begun; transient outputs go at once."""
    with started(SETTINGS) as system:
        folders = {name: shutil.copytree(EXAMPLES / name, system.folder / name) for name in ("words", "chain", "dimuon")}
        system.share_downloads()
        make_data = [str(UV), "run", "--quiet", "--no-project", "--script", "make_data.py"]
        subprocess.run([*make_data, "--blocks", str(BLOCKS), "--files", str(FILES), "--events", str(EVENTS)], cwd=folders["dimuon"], check=True)
        system.panda_in(folders["words"], "submit", "words.yaml", "--set", "priority=2000")
        generate = folders["chain"] / "1-generate.yaml"
        generate.write_text(generate.read_text().replace("count: 4000", "count: 400").replace("events_per_job: 400", "events_per_job: 20"))
        system.panda_in(folders["chain"], "submit", *sorted(path.name for path in folders["chain"].glob("*.yaml")))
        two = ["--set", "split.boundary.one_job_per_group=false", "--set", "split.files_per_job=2"]
        system.panda_in(folders["dimuon"], "submit", "dimuon.yaml", *two)
        yield system


def results(running: Running, name: str) -> dict[str, bytes]:
    """What a task made, by output, as `panda get` fetches it."""
    to = running.folder / f"results-{name}"
    running.panda("get", name, "--to", str(to))
    return {path.name.split(".")[1]: path.read_bytes() for path in to.iterdir()}


def done(running: Running, name: str) -> dict[str, Any]:
    """The summary that a task made, once it is done; its picture is a PNG."""
    task = running.wait(name, 240)
    assert task.status == "done", running.panda("why", name)
    made = results(running, name)
    assert made["picture"].startswith(b"\x89PNG")
    summary: dict[str, Any] = json.loads(made["summary"])
    return summary


def test_the_words_of_the_sonnets_are_counted(running: Running) -> None:
    task = running.wait("words")
    assert (task.status, task.inputs.finished, task.jobs) == ("done", 8, {"finished": 5})
    made = {name: content.decode() for name, content in results(running, "words").items()}
    counts = {word: int(n) for n, word in (line.split() for line in made["words"].splitlines())}
    assert (sum(counts.values()), counts["love"], counts["summer"]) == (915, 10, 3)
    assert made["chart"].startswith("915 words, 458 different ones\n")


def test_a_chain_starts_early_and_what_is_in_between_is_gone_in_the_end(running: Running) -> None:
    summary = done(running, "chain-derive")
    assert summary["events"] == 400
    assert abs(summary["peak_gev"] - 3.0969) < max(0.004, 5 * summary["peak_error_gev"])
    tasks = {name: running.wait(name) for name in CHAIN}
    assert {task.status for task in tasks.values()} == {"done"}
    with running.client() as client:
        first = min(job.started_at for job in client.tasks.jobs("chain-simulate") if job.started_at is not None)
        ended = tasks["chain-generate"].ended_at
        assert ended is not None and first < ended, "the second step began before the first had ended"
        until(lambda: not content(running, CHAIN[:3]), 30, "what is in between is gone from the storage")
        names = {dataset.name for dataset in client.datasets.list() if dataset.name.startswith("chain-")}
    assert names == {"chain-derive.masses", "chain-derive.picture", "chain-derive.summary"}
    assert len(content(running, CHAIN[3:])) == 10 + 2, "ten parts, the picture and the summary"


def content(running: Running, names: tuple[str, ...]) -> list[Path]:
    """The files of these tasks that are in the storage."""
    return [path for path in (running.data / "storage").rglob("*") if path.is_file() and path.name.startswith(names)]


def test_no_job_mixes_lumi_blocks_and_the_run_is_calibrated_block_by_block(running: Running) -> None:
    summary = done(running, "dimuon")
    made = sorted(path.name for path in (running.folder / "dimuon" / "data").iterdir())
    assert len(made) == BLOCKS * FILES
    assert (summary["files"], summary["lumi_blocks"], summary["events_missing"]) == (BLOCKS * FILES, BLOCKS, 0)
    assert 0 < summary["events"] <= len(made) * EVENTS
    assert abs(summary["jpsi_gev"] - 3.0969) < 0.01
    assert summary["jpsi_spread_raw_gev"] > 5 * summary["jpsi_spread_calibrated_gev"]
    read = inputs(running, "dimuon")
    assert sorted(name for job in read for name in job["data"]) == made, "each file was read once"
    assert sorted(len(job["data"]) for job in read) == [1] * BLOCKS + [2] * BLOCKS
    assert {len({name.split(".")[1] for name in job["data"]}) for job in read} == {1}, "a job has files of one lumi block"
    assert {tuple(job["calibration"]) for job in read} == {("lb001-004.json",)}
    assert all(job["singles"] for job in read)


def inputs(running: Running, name: str) -> list[dict[str, list[str]]]:
    """What each run job of a task read, by stream."""
    with running.client() as client:
        jobs = [job for job in client.tasks.jobs(name) if job.kind == "run" and job.status == "finished"]
        files = [[file for file in client.jobs.files(job.job_id) if file.direction == "input"] for job in jobs]
    return [{stream: sorted(file.name for file in each if file.stream == stream) for stream in {file.stream for file in each}} for each in files]
