"""What a provisioner tells a pilot of its slot."""

from pathlib import Path

from pandawms.pilot import options
from pandawms.provision.loop import Options, command
from pandawms.wire.queue import Queue

OPTIONS = Options("wide", "http://127.0.0.1:1", "python3", Path("/p.pyz"), Path("/w"), Path("/c"), Path("/t"), 20, ("/usr/bin/python3",), "/bin/uv")
PLAIN = {"name": "wide", "site": "s", "status": "online", "slots": 2, "cores": 8, "memory_mb": 4000, "disk_mb": 9000, "wall_seconds": 3600}


def told(**kind: object) -> options.Options:
    """What a pilot reads from the command line that it gets."""
    words = command(OPTIONS, 7, Queue(**PLAIN, **kind))  # type: ignore[arg-type]  # a mapping of mixed values
    return options.parse(words[words.index("/p.pyz") + 1 :])


def test_a_pilot_is_told_the_nodes_cores_and_gpus_of_its_slot() -> None:
    found = told(nodes=4, gpus=2, gpu_model="NVIDIA A100", gpu_memory_mb=40_000)
    assert (found.worker_id, found.cores, found.memory_mb, found.disk_mb) == (7, 8, 4000, 9000)
    assert (found.nodes, found.gpus, found.gpu_model, found.gpu_memory_mb) == (4, 2, "NVIDIA A100", 40_000)


def test_a_plain_slot_is_one_node_without_gpus() -> None:
    found = told()
    assert (found.nodes, found.gpus, found.gpu_model, found.gpu_memory_mb) == (1, 0, "", 0)
