"""Inputs, from items of job parameters or from numbers, and how they are cut."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pandawms.wire.panda_params import words
from pandawms.wire.panda_params.draft import Draft

_STREAM = re.compile(r"\$\{([A-Z][A-Z0-9_]*)")
MAX_EVENTS = 1_000_000_000_000
MAX_JOBS = 1_000_000
ITEM_KEYS: dict[str, str] = {
    "random": "order", "reusable": "reuse", "attributes": "", "files": "names", "nFilesPerJob": "per_job", "ratio": "ratio", "offset": "skip",
    "include": "include", "exclude": "exclude", "expand": "", "dataset": "", "eventRatio": "", "usedup": "", "check": "", "indexConsistent": "",
    "consolidate": "", "num_records": "", "pfn": "", "antimatch": "", "pseudo": "",
}  # fmt: skip
ITEM_REASONS = {
    "eventRatio": "a ratio is counted in files", "usedup": "each name counts once", "check": "there is no check for it",
    "indexConsistent": "there is no check for it", "consolidate": "name the datasets under datasets", "pfn": "register files in a dataset with their urls",
    "antimatch": "write exclude", "num_records": "the pieces are counted by the task", "pseudo": "numbers are written as count or pieces",
}  # fmt: skip


def inputs(draft: Draft, items: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    """Fills `inputs`; returns our stream (with in: before it) for each of PanDA's."""
    streams: dict[str, str] = {}
    found: dict[str, dict[str, Any]] = {}
    for n, item in items.items():
        if item.get("type") == "template" and item.get("param_type") == "input":
            named = [name for name in _STREAM.findall(str(item.get("value", ""))) if name not in streams]
            name = named[0] if named else f"IN{len(found) + 1 if found else ''}"
            stream = words.stream_name(name)
            if stream in found:
                draft.drop(f"jobParameters[{n}].dataset", f"there is an input {stream} already")
            elif (spec := _files(draft, n, item, f"inputs.{stream}")) is not None:
                streams[name] = f"in:{stream}"
                found[stream] = spec
    _replaced(draft, streams, found)
    if not found:
        found["pieces"] = {}
        _numbers(draft, found["pieces"])
    else:
        _limits(draft, next(iter(found.values())))
        _behaviour(draft, found)
    if len(found) > 20:
        draft.note("jobParameters", "only the first 20 inputs are kept")
    draft.document["inputs"] = dict(list(found.items())[:20])
    _secondary(draft, draft.document["inputs"])
    return streams


def _files(draft: Draft, n: int, item: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    where = f"jobParameters[{n}]"
    dids = [words.did(name) for name in str(item.get("dataset", "")).split(",") if name.strip()]
    right = list(dict.fromkeys(did for did in dids if did is not None))[:1000]
    if not right or len(right) < len(set(dids)):
        draft.drop(f"{where}.dataset", f"{item.get('dataset')!r} cannot be the name of a dataset")
    if not right:
        return None
    spec: dict[str, Any] = {"dataset": right[0]} if len(right) == 1 else {"datasets": right}
    draft.mapped[f"{where}.dataset"] = f"{path}.dataset{'s' if len(right) > 1 else ''}"
    for key in ITEM_KEYS:
        if item.get(key) is not None and key != "dataset":
            _item_key(draft, f"{where}.{key}", key, item[key], spec)
            if f"{where}.{key}" in draft.mapped:
                draft.mapped[f"{where}.{key}"] = f"{path}.{draft.mapped[f'{where}.{key}']}"
    return spec


def _item_key(draft: Draft, where: str, key: str, value: Any, spec: dict[str, Any]) -> None:
    """Notes what became of a key as a field of its input; nothing is put into the document but through `spec`."""
    if key in ("include", "exclude"):
        patterns = words.globs(str(value))
        right = patterns is not None and all(re.fullmatch(r"[^/\x00-\x1f]{1,250}", pattern) for pattern in patterns)
        if patterns and right and len(patterns) <= 100 and "*" not in patterns:
            draft.map(where, key)
            spec[key] = patterns
        else:
            draft.drop(where, "patterns of shells cannot say what this regular expression says")
    elif key == "files" and isinstance(value, (list, tuple)) and value:
        names = list(dict.fromkeys(str(name).rpartition(":")[2] for name in value))[:100_000]
        spec["names"] = [name for name in names if re.fullmatch(r"[^/\x00-\x1f]{1,250}", name)]
        draft.map(where, "names")
        spec.pop("include", None)
        spec.pop("exclude", None)
    elif key == "files":
        draft.drop(where, "no list of names")
    elif key in ("nFilesPerJob", "ratio", "offset"):
        _count(draft, where, ITEM_KEYS[key], value, spec)
    elif key == "expand":
        draft.map(where, "datasets")
    elif key in ("random", "reusable"):
        draft.map(where, ITEM_KEYS[key])
        if value:
            spec[ITEM_KEYS[key]] = "random" if key == "random" else True
    elif key == "attributes":
        _attributes(draft, where, str(value), spec)
    else:
        draft.drop(where, ITEM_REASONS[key])


def _count(draft: Draft, where: str, field: str, value: Any, spec: dict[str, Any]) -> None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number <= 1e8:
        draft.drop(where, f"{value!r} is not a number that fits")
    elif number == 0:
        draft.drop(where, "0 means that it is not given")
    else:
        most = 100_000_000 if field == "skip" else 10_000
        spec[field] = min(float(most), number) if field == "ratio" else min(most, max(1, int(number)))
        draft.map(where, field)


def _attributes(draft: Draft, where: str, value: str, spec: dict[str, Any]) -> None:
    for word in filter(None, (part.strip() for part in value.split(","))):
        if word == "nosplit":
            spec["whole"] = True
        elif word in ("repeat", "manytime"):
            spec["reuse"] = True
        else:
            draft.note(where, f"{word} has no field")
    draft.map(where, "whole, reuse")


def _replaced(draft: Draft, streams: Mapping[str, str], found: dict[str, dict[str, Any]]) -> None:
    """dsForIN and its like name the datasets of a stream anew."""
    for key in [key for key in draft.params if key.startswith("dsFor") and len(key) > len("dsFor")]:
        if draft.given(key) is None:
            continue
        stream = streams.get(key.removeprefix("dsFor"), "").removeprefix("in:")
        dids = [did for did in (words.did(name) for name in str(draft.given(key)).split(",") if name.strip()) if did is not None]
        if stream and dids:
            found[stream].pop("dataset", None)
            found[stream].pop("datasets", None)
            found[stream] = {"datasets": list(dict.fromkeys(dids))[:1000], **found[stream]}
            draft.map(key, f"inputs.{stream}.datasets")
        else:
            draft.drop(key, "no input of files has this stream")


def _secondary(draft: Draft, found: dict[str, dict[str, Any]]) -> None:
    """The first input is the primary one; every other one goes along in exactly one way."""
    for n, spec in enumerate(found.values()):
        modes = [mode for mode in ("whole", "per_job", "ratio") if spec.get(mode)]
        drop = ("whole", "per_job", "ratio", "reuse") if n == 0 else modes[1:]
        for mode in drop:
            if spec.pop(mode, None) is not None:
                draft.note("jobParameters", f"{mode} of input {n + 1} is left out")
        if n > 0 and not modes:
            spec["ratio"] = 1.0
            draft.note("jobParameters", f"input {n + 1} gets as many files as the first one: PanDA says no ratio either")
        if spec.get("whole"):
            spec.pop("reuse", None)
        if spec.get("names") and spec.get("skip", 0) >= len(spec["names"]):
            spec.pop("skip")


def _limits(draft: Draft, spec: dict[str, Any]) -> None:
    """How much of the primary input is used."""
    wanted = (
        ("nFiles", "max_files", 100_000_000), ("nEvents", "max_events", MAX_EVENTS), ("nSkipFiles", "skip", 100_000_000),
        ("nEventsPerInputFile", "events_per_file", MAX_EVENTS), ("nEventsPerFile", "events_per_file", MAX_EVENTS),
    )  # fmt: skip
    for key, field, most in wanted:
        if field in spec and field != "skip" and draft.given(key) is not None:
            draft.drop(key, "nEventsPerInputFile is stronger")
        elif (value := draft.whole(key, f"inputs, {field}", 1, most)) is not None:
            spec[field] = value


def _behaviour(draft: Draft, found: dict[str, dict[str, Any]]) -> None:
    first = next(iter(found.values()))
    if draft.given("allowEmptyInput") is not None:
        draft.map("allowEmptyInput", "inputs, may_be_empty")
        if draft.truth("allowEmptyInput"):
            first["may_be_empty"] = True
    for key, value in (("ignoreMissingInDS", "ignore"), ("waitInput", "wait")):
        if draft.given(key) is not None:
            draft.map(key, "inputs, if_missing")
            if draft.truth(key):
                for spec in found.values():
                    spec["if_missing"] = value
    if first.get("if_missing") == "ignore" and "datasets" not in first:
        first["may_be_empty"] = True
    for spec in list(found.values())[1:]:
        if spec.get("if_missing") == "ignore" and "datasets" not in spec:
            spec["may_be_empty"] = True
    if draft.given("reuseSecOnDemand") is not None:
        draft.map("reuseSecOnDemand", "inputs, reuse")
        for spec in list(found.values())[1:] if draft.truth("reuseSecOnDemand") else ():
            spec["reuse"] = True
    if draft.given("orderInputBy") is not None:
        if "align" in str(draft.given("orderInputBy")).lower():
            draft.map("orderInputBy", "inputs, order")
            first["order"] = "events"
        else:
            draft.drop("orderInputBy", f"there is no order {draft.given('orderInputBy')}")
    for key in ("useRealNumEvents", "getNumEventsInMetadata", "runUntilClosed", "noInput"):
        if draft.given(key) is not None:
            draft.map(key, "inputs")


def _numbers(draft: Draft, spec: dict[str, Any]) -> None:
    """No input: so many events, or so many pieces of work."""
    per_job = draft.number("nEventsPerJob")
    n_events = draft.whole("nEvents", "inputs, count", 1, MAX_EVENTS)
    if n_events is not None and per_job and per_job >= 1:
        spec["count"] = n_events
    else:
        spec["pieces"] = draft.whole("nFiles", "inputs, pieces", 1, MAX_JOBS) or min(MAX_JOBS, n_events or 1)
    if draft.given("noInput") is not None:
        draft.map("noInput", "inputs")
    for key in ("allowEmptyInput", "ignoreMissingInDS", "waitInput", "reuseSecOnDemand", "orderInputBy", "useRealNumEvents", "getNumEventsInMetadata",
                "runUntilClosed", "nFiles", "nEventsPerInputFile", "nEventsPerFile", "nSkipFiles"):  # fmt: skip
        if draft.given(key) is not None:
            draft.drop(key, "the task has no input of files")
