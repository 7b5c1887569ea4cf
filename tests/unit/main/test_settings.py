"""What a site writes into panda.toml, or into the environment, is what the programs work with."""

from pathlib import Path

import pytest

from pandawms.domain.errors import Invalid
from pandawms.engine.services import Options
from pandawms.main.settings import LocalSettings, Settings, engine_options, load, local_slots


def test_without_settings_the_engine_works_as_it_says() -> None:
    assert engine_options(Settings()) == Options()


def test_limits_of_scouts_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / "panda.toml").write_text("[scouts]\nmemory_mb_per_core = 2000\nshort_seconds = 120\n")
    found = engine_options(load(tmp_path, {"PANDA_SCOUTS_SHORT_SECONDS": "30", "PANDA_SCOUTS_LARGER_FILES": "50"})).scouts
    assert (found.memory_mb_per_core, found.short_seconds, found.larger_files, found.further_jobs) == (2000, 30, 50, 20)


@pytest.mark.parametrize(("name", "value"), [("low_cpu_efficiency", 2), ("larger_files", 10_001)])
def test_a_limit_that_is_none_is_refused(name: str, value: int, tmp_path: Path) -> None:
    (tmp_path / "panda.toml").write_text(f"[scouts]\n{name} = {value}\n")
    with pytest.raises(Invalid, match=name):
        load(tmp_path, {})


@pytest.mark.parametrize(("name", "value"), [("gpu_model", '"A100"'), ("gpu_memory_mb", "80000")])
def test_gpus_are_described_where_a_slot_has_some(name: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "panda.toml").write_text(f"[local]\n{name} = {value}\n")
    with pytest.raises(Invalid, match="without GPUs") as caught:
        load(tmp_path, {})
    assert caught.value.field == f"local.{name}"
    assert load(tmp_path, {"PANDA_LOCAL_GPUS": "1"}).local.gpus == 1


def test_a_machine_with_gpus_has_one_slot_unless_it_is_told_how_many() -> None:
    assert [local_slots(Settings(local=LocalSettings(gpus=1, slots=slots))) for slots in (0, 3)] == [1, 3]
