"""The GPU that an architecture of PanDA asks for.

It is the part after & of `sw_platform@base_platform#cpu_spec&gpu_spec`, as in `nvidia`, `nvidia-a100` or `nvidia:vram>=40960`, or the `gpu_spec` of the
same as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MB = 10_000_000
_ANY = ("", "*", "any")
_TEXT = re.compile(r"&\s*(?P<vendor>[A-Za-z0-9_*]+)(?:-(?P<model>[^:@#&]+))?(?::(?P<more>[^@#&]*))?")
_NAMED = re.compile(r"nvidia(?:-(?P<model>[A-Za-z0-9_]+))?")
_MEMORY = re.compile(r"(?:vram)?\s*(?:>=|==|=|>)?\s*(?P<size>\d{1,12}(?:\.\d{1,6})?)\s*(?P<unit>[MGT]i?B?)?", re.IGNORECASE)
_NAMED_MEMORY = re.compile(r"vram\b.*", re.IGNORECASE)
_UNITS = {"m": 1, "mi": 1, "g": 1000, "gi": 1024, "t": 1_000_000, "ti": 1024 * 1024}
"""Megabytes of each unit. Ours are 2^20 bytes, as GPUs tell theirs; a GB is what makers print on a card, and must not ask for more than such a card has."""
_PATTERN = re.compile(r"[A-Za-z0-9 ._+/*?-]{1,90}")


@dataclass(frozen=True)
class Gpu:
    """The fields of `resources` that say it, and what of it they cannot say."""

    fields: Mapping[str, Any]
    lost: tuple[str, ...]


def wanted(text: str) -> Gpu | None:
    """Returns what an architecture asks of a GPU; None when it asks for none. Beside a model the vendor says nothing."""
    spec = _of_json(text) if text.lstrip().startswith("{") else _of_text(text)
    return None if spec is None else _gpu(spec)


def _of_json(text: str) -> Mapping[str, str] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {"vendor": "nvidia"} if "nvidia" in text or "gpu_spec" in text else None
    spec = found.get("gpu_spec") if isinstance(found, dict) else None
    if not spec:
        return None
    return {str(key): str(value) for key, value in spec.items() if value is not None} if isinstance(spec, dict) else {"vendor": str(spec)}


def _of_text(text: str) -> Mapping[str, str] | None:
    found = _TEXT.search(text) or _NAMED.search(text)
    if found is None:
        return None
    parts = found.groupdict()
    spec = {"vendor": parts.get("vendor") or "nvidia", "model": parts["model"] or ""}
    more = dict(enumerate(part.strip() for part in re.split(r"[,;:]", parts.get("more") or "") if part.strip()))
    return spec | {"vram" if _NAMED_MEMORY.fullmatch(part) else part: part for part in more.values()}


def _gpu(spec: Mapping[str, str]) -> Gpu:
    fields: dict[str, Any] = {"gpus": 1}
    lost = [f"{key} {value}" if key != value else key for key, value in spec.items() if key not in ("vendor", "model", "vram") and value]
    for key in ("model", "vendor"):
        name = spec.get(key, "").strip().lower()
        if name in _ANY:
            continue
        if _PATTERN.fullmatch(name):
            fields["gpu_model"] = f"*{name.strip('*')}*"
            break
        lost.append(f"{key} {name}")
    if spec.get("vram"):
        memory_mb = _megabytes(spec["vram"])
        if memory_mb is None:
            lost.append(spec["vram"] if spec["vram"].lower().startswith("vram") else f"vram {spec['vram']}")
        else:
            fields["gpu_memory_mb"] = min(_MB, memory_mb)
    return Gpu(fields, tuple(lost))


def _megabytes(text: str) -> int | None:
    """Returns the least memory that a text such as 40960, >=40960, vram>=40GB or 40 GiB asks for; None for what is no such text. Without a unit it is in MB."""
    found = _MEMORY.fullmatch(text.strip())
    return None if found is None else int(float(found["size"]) * _UNITS[(found["unit"] or "m").lower().removesuffix("b")])
