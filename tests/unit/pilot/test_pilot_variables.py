"""What a payload finds of its pilot's environment."""

from __future__ import annotations

import pytest

from pandawms.pilot.variables import handed_on, own_devices

OWN = {
    "LANG": "C.UTF-8", "SECRET_OF_THE_SITE": "x", "PATH": "/opt/bin", "CUDA_VISIBLE_DEVICES": "3,5", "SLURM_JOB_ID": "7", "SLURM_JWT": "x",
    "PBS_NODEFILE": "/n", "PBS_JOBCOOKIE": "1", "LSB_HOSTS": "a b", "LSB_API_TOKEN": "x", "FLUX_URI": "local:///f", "PMI_RANK": "0", "PMIX_RANK": "0",
    "PMI2_RANK": "0", "SLURMRESTD_URL": "x",
}  # fmt: skip


def test_a_job_of_one_node_gets_its_language_and_devices_and_nothing_else() -> None:
    assert handed_on(OWN, nodes=1) == {"LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": "3,5"}


def test_a_job_of_several_nodes_gets_its_allocation_and_no_secrets() -> None:
    batch = {"SLURM_JOB_ID", "PBS_NODEFILE", "PBS_JOBCOOKIE", "LSB_HOSTS", "FLUX_URI", "PMI_RANK", "PMIX_RANK", "PMI2_RANK"}
    assert handed_on(OWN, nodes=2).keys() == {"LANG", "CUDA_VISIBLE_DEVICES"} | batch


@pytest.mark.parametrize(
    ("given", "gpus", "places", "of_each"),
    [
        ({"CUDA_VISIBLE_DEVICES": "3, 5"}, 1, 2, [{"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"}]),
        ({"ZE_AFFINITY_MASK": "0,1,2,3,4"}, 2, 2, [{"ZE_AFFINITY_MASK": "0,1"}, {"ZE_AFFINITY_MASK": "2,3"}]),
        ({"NVIDIA_VISIBLE_DEVICES": "all", "CUDA_VISIBLE_DEVICES": "0"}, 1, 2, [{"NVIDIA_VISIBLE_DEVICES": "all", "CUDA_VISIBLE_DEVICES": "0"}] * 2),
        ({"ROCR_VISIBLE_DEVICES": "2,3", "HIP_VISIBLE_DEVICES": "0,1"}, 1, 2, [{"ROCR_VISIBLE_DEVICES": "2"}, {"ROCR_VISIBLE_DEVICES": "3"}]),
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, 0, 2, [{"CUDA_VISIBLE_DEVICES": "0,1"}] * 2),
        ({"CUDA_VISIBLE_DEVICES": "0,1", "LANG": "C"}, 1, 1, [{"CUDA_VISIBLE_DEVICES": "0,1", "LANG": "C"}]),
    ],
    ids=["one each", "two each", "too few for all", "a mask within a mask", "no GPUs", "alone"],
)
def test_payloads_that_run_at_once_get_devices_of_their_own(given: dict[str, str], gpus: int, places: int, of_each: list[dict[str, str]]) -> None:
    assert [own_devices(given, gpus, place, places) for place in range(places)] == of_each
