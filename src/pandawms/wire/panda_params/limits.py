"""Resources, retries, goal, scouts, queues and priority."""

from __future__ import annotations

import re
from typing import Any

from pandawms.wire.panda_params import gpu, words
from pandawms.wire.panda_params.draft import Draft

HS06_A_CORE = 10
"""HS06 of a core, where a time is given in HS06 seconds (PanDA's own value for unknown processors)."""
MAX_WALL_SECONDS = 2_592_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def resources(draft: Draft) -> None:
    """Cores, memory, times, disk."""
    cores = draft.whole("coreCount", "resources.cores", 1, 1024) or 1
    if draft.number("coreCount") == 0:
        draft.drop("coreCount", "0 means any number of cores: a job gets one")
    _memory(draft, cores)
    _wall_time(draft, cores)
    _disk(draft)
    _architecture(draft)


def _memory(draft: Draft, cores: int) -> None:
    unit_key = "ramUnit" if draft.given("ramUnit") is not None else "ramCountUnit"
    unit = str(draft.given(unit_key) or "MBPerCore")
    factor = cores if "PerCore" in unit else 1
    base = draft.whole("baseRamCount", "resources.base_memory_mb", 1, 10_000_000) or 0
    found = draft.number("ramCount")
    if found is not None and found > 0:
        draft.map("ramCount", "resources.memory_mb", min(10_000_000, max(1, round(found * factor) + base)))
        for key in ("ramUnit", "ramCountUnit"):
            if draft.given(key) is not None:
                draft.map(key, "resources.memory_mb")
        if "Fixed" in unit:
            draft.put("resources.is_fixed", True)
            draft.map(unit_key, "resources.is_fixed")
    elif base:
        draft.put("resources.memory_mb", max(1000, base))


def _wall_time(draft: Draft, cores: int) -> None:
    hours = draft.whole("maxWalltime", "resources.wall_seconds", 1, MAX_WALL_SECONDS, 3600)
    if hours is None:
        draft.whole("walltime", "resources.wall_seconds", 1, MAX_WALL_SECONDS)
    elif draft.given("walltime") is not None:
        draft.drop("walltime", "maxWalltime is stronger")
    limit = int(draft.document.get("resources", {}).get("wall_seconds", 3600))
    draft.whole("baseWalltime", "resources.base_seconds", 1, limit)
    per_event = draft.number("cpuTime")
    if per_event is None or per_event <= 0:
        return
    unit = str(draft.given("cpuTimeUnit") or "HS06sPerEvent")
    efficiency = (draft.number("cpuEfficiency") or 90) / 100
    seconds = per_event / (1000 if unit.startswith("m") else 1) / HS06_A_CORE / cores / max(0.01, efficiency)
    if seconds + int(draft.document.get("resources", {}).get("base_seconds", 0)) > limit:
        draft.drop("cpuTime", f"one event would take {seconds:.0f} seconds, longer than a job may run")
        return
    draft.map("cpuTime", "resources.wall_seconds_per_event", max(1e-6, round(seconds, 6)))
    draft.note("cpuTime", f"{HS06_A_CORE} HS06 a core are assumed")
    for key in ("cpuTimeUnit", "cpuEfficiency"):
        if draft.given(key) is not None:
            draft.map(key, "resources.wall_seconds_per_event")
    if "Fixed" in unit:
        draft.put("resources.is_fixed", True)


def _disk(draft: Draft) -> None:
    work = draft.number("workDiskCount")
    if work is not None and work > 0:
        factor = 1 / 1024 if str(draft.given("workDiskUnit") or "MB").startswith("k") else 1
        draft.map("workDiskCount", "resources.work_mb", min(100_000_000, max(1, round(work * factor))))
        if draft.given("workDiskUnit") is not None:
            draft.map("workDiskUnit", "resources.work_mb")
    out = draft.number("outDiskCount")
    if out is not None and out > 0:
        unit = str(draft.given("outDiskUnit") or "kB")
        path = "resources.output_mb_per_event" if "PerEvent" in unit else "resources.output_mb_per_input_mb"
        draft.map("outDiskCount", path, min(1_000_000.0, max(1e-9, out / (1024 if unit.startswith("k") else 1))))
        if draft.given("outDiskUnit") is not None:
            draft.map("outDiskUnit", path)


def _architecture(draft: Draft) -> None:
    text = draft.given("architecture")
    if not text:
        if text is not None:
            draft.drop("architecture", "empty: any")
        return
    found = re.search(r"x86_64|aarch64|arm64|ppc64le", str(text))
    if found:
        draft.map("architecture", "resources.architecture", found[0].replace("arm64", "aarch64"))
    wanted = gpu.wanted(str(text))
    if wanted is not None:
        paths = [f"resources.{name}" for name in wanted.fields]
        draft.map("architecture", ", ".join(["resources.architecture", *paths] if found else paths))
        for name, value in wanted.fields.items():
            draft.put(f"resources.{name}", value)
    if "architecture" not in draft.mapped:
        draft.drop("architecture", "no processor is named in it; releases and platforms are what a site offers")
    elif wanted is not None:
        lost = f"; left out: {', '.join(wanted.lost)}" if wanted.lost else ""
        draft.note("architecture", f"the processor and the GPU are kept, PanDA gives one GPU to a job{lost}")
    elif found is not None and str(text) != found[0]:
        draft.note("architecture", "only the processor is kept")


def retries(draft: Draft) -> None:
    """Attempts, failures, growth of memory."""
    if draft.truth("disableAutoRetry"):
        draft.map("disableAutoRetry", "retry.max_attempts", 1)
        if draft.given("maxAttempt") is not None:
            draft.drop("maxAttempt", "disableAutoRetry is stronger")
    attempts = draft.whole("maxAttempt", "retry.max_attempts", 1, 50) or draft.document.get("retry", {}).get("max_attempts", 3)
    draft.whole("maxFailure", "retry.max_failures", 1, int(attempts))
    is_fixed = draft.document.get("resources", {}).get("is_fixed", False)
    for key, path in (("retryRamStep", "retry.memory_step_mb"), ("retryRamMax", "retry.max_memory_mb")):
        if is_fixed and draft.given(key) is not None:
            draft.drop(key, "the memory is fixed")
        elif key == "retryRamStep" and attempts == 1 and draft.given(key) is not None:
            draft.drop(key, "there is no second attempt")
        else:
            draft.whole(key, path, 1, 10_000_000)
    memory = int(draft.document.get("resources", {}).get("memory_mb", 1000))
    if draft.document.get("retry", {}).get("max_memory_mb", memory) < memory:
        draft.put("retry.max_memory_mb", memory)
        draft.note("retryRamMax", "raised to what the first attempt asks for")


def goal(draft: Draft) -> None:
    """When the task is done, and what its scouts must show."""
    percent = draft.number("goal")
    if percent is not None and percent > 0:
        draft.map("goal", "goal.percent", min(100.0, percent))
    for key, path, value in (
        ("failWhenGoalUnreached", "goal.on_miss", "fail"), ("failGoalUnreached", "goal.on_miss", "fail"), ("useExhausted", "goal.on_miss", "exhaust"),
        ("disableAutoFinish", "goal.finish_early", False), ("skipScout", "scouts.jobs", 0),
    ):  # fmt: skip
        if draft.given(key) is not None:
            draft.map(key, path, value if draft.truth(key) else None)
    success = draft.number("scoutSuccessRate")
    if success is not None:
        draft.map("scoutSuccessRate", "scouts.success", min(1.0, max(0.0, success / 10)))
    if draft.given("respectSplitRule") is not None:
        draft.map("respectSplitRule", "scouts")
        draft.note("respectSplitRule", "scouts are always cut as the other jobs")


def routing(draft: Draft) -> None:
    """Queues and priority."""
    _queues(draft, "site", "queues")
    _queues(draft, "includedSite", "queues")
    _queues(draft, "excludedSite", "exclude_queues")
    wanted = draft.document.get("queues", [])
    if "exclude_queues" in draft.document:
        draft.document["exclude_queues"] = [name for name in draft.document["exclude_queues"] if name not in wanted]
    if draft.number("currentPriority") is not None:
        draft.whole("currentPriority", "priority", 0, 10_000)
        if draft.given("taskPriority") is not None:
            draft.drop("taskPriority", "currentPriority is stronger")
    else:
        draft.whole("taskPriority", "priority", 0, 10_000)
    if draft.given("cliParams"):
        draft.map("cliParams", "description", words.printable(str(draft.given("cliParams")))[:10_000])


def _queues(draft: Draft, key: str, path: str) -> None:
    given: Any = draft.given(key)
    if given is None:
        return
    names = given.split(",") if isinstance(given, str) else list(given) if isinstance(given, (list, tuple)) else [given]
    names = [str(name).strip() for name in names if str(name).strip()]
    right = [name for name in names if _NAME.fullmatch(name)]
    if right:
        draft.map(key, path, list(dict.fromkeys([*draft.document.get(path, []), *right]))[:1000])
    elif not names:
        draft.map(key, path)
    wrong = [name for name in names if name not in right]
    if wrong:
        draft.drop(key, f"{', '.join(wrong[:3])}: patterns of queues are not known here")
        draft.note(key, f"left out: {', '.join(wrong[:3])}")
