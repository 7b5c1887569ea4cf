"""What a payload is handed of the pilot's own environment: by name, since anything may stand there, also what nobody else should read."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LANGUAGE = ("LANG", "LC_ALL", "LC_CTYPE", "TZ")
DEVICE_MASKS = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ZE_AFFINITY_MASK",
    "GPU_DEVICE_ORDINAL",
)
"""Where batch systems and users say which devices are a process's."""
_OF_BATCH_SYSTEMS = ("SLURM_", "PBS_", "LSB_", "LSF_", "FLUX_", "PMI")
_SECRET = re.compile(r"JWT|TOKEN|SECRET|PASSW|CREDENTIAL|_KEY", re.IGNORECASE)


def handed_on(own: Mapping[str, str], nodes: int) -> dict[str, str]:
    """Language and device masks; for a job of several nodes also what its program needs to start processes on the others.

    A job of one node does not get the latter: `mpirun` and `srun` would behave differently from queue to queue.
    """
    given = {name: own[name] for name in (*_LANGUAGE, *DEVICE_MASKS) if name in own}
    if nodes > 1:
        given.update({name: value for name, value in own.items() if name.startswith(_OF_BATCH_SYSTEMS) and not _SECRET.search(name)})
    return given


def own_devices(given: Mapping[str, str], gpus: int, place: int, places: int) -> dict[str, str]:
    """The same with the masks of one of `places` payloads that run at once: `gpus` devices of its own of each mask that lists enough for all of them."""
    mine = dict(given)
    if not gpus or places == 1:
        return mine
    for name in DEVICE_MASKS:
        devices = [device.strip() for device in given.get(name, "").split(",") if device.strip()]
        if len(devices) >= gpus * places:
            mine[name] = ",".join(devices[gpus * place : gpus * (place + 1)])
    if mine.get("ROCR_VISIBLE_DEVICES") != given.get("ROCR_VISIBLE_DEVICES"):
        mine.pop("HIP_VISIBLE_DEVICES", None)  # it counts among the devices that the other one leaves, which are all ours now
    return mine
