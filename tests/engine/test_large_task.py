"""A task of ten thousand files is made into jobs fast."""

import time

import pytest

from tests.engine.play import FILES, add_dataset, hot, value
from tests.world import World

N_FILES = 10_000


async def test_ten_thousand_files_become_ten_thousand_ready_jobs(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    await add_dataset(world, N_FILES)
    task_id = await world.submit(**FILES | {"scouts": {"jobs": 0}})
    began = time.monotonic()
    await world.settle()
    seconds = time.monotonic() - began
    with capsys.disabled():
        print(f"\n{N_FILES} files: jobs made and activated in {seconds:.2f} s")
    assert await hot(world, task_id) == {"activated": N_FILES}
    assert seconds < 30, "generous: bench/ has the measure"
    assert await value(world, "SELECT count(DISTINCT task_file_id) FROM job_file WHERE role = 'input'") == N_FILES
    assert await value(world, "SELECT min(n_used) = max(n_listed) FROM task_dataset WHERE is_master") is True
