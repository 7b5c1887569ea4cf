"""How the input is cut: PanDA's strongest option wins there, so it alone is taken here, and the limits beside it."""

from __future__ import annotations

from typing import Any

from pandawms.wire.panda_params.draft import Draft

MB_A_GB = 1024
SIZES = ("nEventsPerJob", "nFilesPerJob", "totNumJobs", "nGBPerJob", "tgtNumEventsPerJob", "tgtMaxOutputForNG")
MAX_DISK_MB = 100_000_000


def split(draft: Draft) -> None:
    """Fills `split`; what is weaker than what decides is dropped with that reason."""
    first = next(iter(draft.document["inputs"].values()))
    kind = "events" if "count" in first else "pieces" if "pieces" in first else "files"
    _rules(draft, kind, first)
    _limits(draft, kind)
    if draft.given("respectLB") is not None:
        _by_lumiblock(draft, kind)


def _rules(draft: Draft, kind: str, first: dict[str, Any]) -> None:
    per_job = draft.number("nEventsPerJob")
    per_file = first.get("events_per_file")
    if kind == "files" and per_job and per_file and per_job >= per_file:
        draft.map("nEventsPerJob", "split.files_per_job", min(10_000, int(per_job // per_file)))
        draft.note("nEventsPerJob", f"files of {per_file} events each: so many files a job")
    elif kind != "pieces":
        draft.whole("nEventsPerJob", "split.events_per_job", 1, 1_000_000_000_000)
    if kind == "events":
        draft.document.setdefault("split", {}).setdefault("events_per_job", first["count"])
        _weaker(draft, SIZES[1:], "the events of a job are given")
        return
    if "nEventsPerJob" in draft.mapped:
        _weaker(draft, ("nFilesPerJob", "totNumJobs", "tgtNumEventsPerJob"), "nEventsPerJob is stronger")
    elif draft.whole("nFilesPerJob", "split.files_per_job", 1, 10_000) is not None:
        _weaker(draft, ("totNumJobs", "tgtNumEventsPerJob"), "nFilesPerJob is stronger")
    elif draft.given("totNumJobs") is not None and draft.whole("totNumJobs", "split.n_jobs", 1, 1_000_000) is not None:
        _weaker(draft, (*SIZES[3:], "nMaxFilesPerJob"), "totNumJobs is stronger")
    elif kind == "files":
        draft.whole("tgtNumEventsPerJob", "split.events_per_job", 1, 1_000_000_000_000)


def _weaker(draft: Draft, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if draft.given(key) is not None:
            draft.drop(key, why)


def _limits(draft: Draft, kind: str) -> None:
    draft.whole("maxNumJobs", "split.max_jobs", 1, 1_000_000)
    if kind != "files":
        _weaker(draft, ("nMaxFilesPerJob", "nGBPerJob", "tgtMaxOutputForNG", "tgtNumEventsPerJob", "nEventsPerJob"), "the task has no input of files")
        return
    given = draft.document.get("split", {})
    if "n_jobs" in given:
        given["n_jobs"] = min(given["n_jobs"], given.get("max_jobs", given["n_jobs"]))
        return
    most = draft.whole("nMaxFilesPerJob", "split.max_files_per_job", 1, 10_000)
    given = draft.document.get("split", {})
    if most is not None and given.get("files_per_job", 0) > most:
        given["files_per_job"] = most
        draft.note("nFilesPerJob", "lowered to nMaxFilesPerJob")
    if most is not None and set(given) == {"max_files_per_job"}:
        draft.note("nMaxFilesPerJob", "alone it says no size: a job gets one file; PanDA would fill it up to the limits of the queue")
    for key, path in (("nGBPerJob", "split.mb_per_job"), ("tgtMaxOutputForNG", "split.output_mb_per_job")):
        size = draft.whole(key, path, 1, MAX_DISK_MB, MB_A_GB)
        if size is not None and draft.document.get("resources", {}).get("disk_mb", 1000) < size:
            draft.put("resources.disk_mb", size)
            draft.note(key, "resources.disk_mb is raised to it")


def _by_lumiblock(draft: Draft, kind: str) -> None:
    draft.drop("respectLB", "the task has no input of files, or a number of jobs")
    if kind == "files" and draft.truth("respectLB") and "n_jobs" not in draft.document.get("split", {}):
        draft.map("respectLB", "split.boundary", {"attribute": "boundary"})
        draft.note("respectLB", "files must be registered with their lumiblock as `boundary`")
    elif not draft.truth("respectLB"):
        draft.map("respectLB", "split.boundary")
