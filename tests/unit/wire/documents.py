"""Random task documents over all fields: mostly well-typed and often contradictory."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(["a", "b", "data", "user.me:x", "z-evgen", "muons", "*.root", "run.*"])
DIDS = st.sampled_from(["user.me:x", "user.me:y", "user.you:z"])
STREAMS = st.sampled_from(["data", "more", "pileup", "events", "out"])
COUNTS = st.one_of(st.integers(1, 20), st.integers(1, 1_000_000), st.sampled_from([1, 2, 100, 1000, 3600]))
RATES = st.one_of(st.floats(0.001, 1000), st.sampled_from([1.0, 0.5, 10.0]))
FLAGS = st.booleans()
WILD = st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=5), st.lists(st.integers(0, 3), max_size=2), st.just({}), st.just({"zzz": 1}))


def some(fields: dict[str, st.SearchStrategy[Any]], most: int = 4) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the fields, each with a value of its strategy."""
    chosen = st.lists(st.sampled_from(sorted(fields)), max_size=most, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in names}))


KINDS = st.one_of(
    st.fixed_dictionaries({"count": COUNTS}, optional={"first": st.integers(0, 10)}),
    st.fixed_dictionaries({"pieces": COUNTS}),
    st.fixed_dictionaries({"dataset": DIDS}),
    st.fixed_dictionaries({"datasets": st.lists(DIDS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"task": st.just("z-evgen"), "output": st.just("muons")}),
    st.fixed_dictionaries({"files": st.lists(NAMES, min_size=1, max_size=2)}),
    st.just({}),
)
SELECTION = some(
    {
        "include": st.lists(NAMES, max_size=2), "exclude": st.lists(st.one_of(NAMES, st.just("*")), max_size=2), "names": st.lists(NAMES, max_size=3),
        "skip": st.integers(0, 5), "max_files": COUNTS, "max_events": COUNTS, "order": st.sampled_from(["listed", "name", "size", "events", "random"]),
        "events_per_file": COUNTS, "grow": FLAGS, "may_be_empty": FLAGS, "if_missing": st.sampled_from(["refuse", "wait", "ignore"]),
        "per_job": st.integers(1, 5), "ratio": RATES, "whole": FLAGS, "reuse": FLAGS, "count": COUNTS, "dataset": DIDS,
    }, most=3,
)  # fmt: skip
INPUTS = st.dictionaries(STREAMS, st.builds(lambda kind, more: {**more, **kind}, KINDS, SELECTION), min_size=1, max_size=3)
BOUNDARY = some({"name_field": st.integers(1, 5), "separator": st.sampled_from([".", "_"]), "attribute": st.just("boundary"), "one_job_per_group": FLAGS})
SPLIT = some(
    {
        "events_per_job": COUNTS, "files_per_job": st.integers(1, 300), "max_files_per_job": st.integers(1, 300), "mb_per_job": COUNTS, "n_jobs": COUNTS,
        "max_jobs": COUNTS, "output_mb_per_job": COUNTS, "wall_seconds_per_job": COUNTS, "boundary": BOUNDARY, "first_serial": COUNTS, "seed_offset": COUNTS,
    }, most=3,
)  # fmt: skip
RESOURCES = some(
    {
        "cores": st.integers(1, 8), "memory_mb": COUNTS, "disk_mb": COUNTS, "wall_seconds": COUNTS, "gpus": st.integers(0, 2), "base_seconds": COUNTS,
        "wall_seconds_per_event": RATES, "wall_seconds_per_mb": RATES, "output_mb_per_event": RATES, "output_mb_per_input_mb": RATES, "work_mb": COUNTS,
        "base_memory_mb": COUNTS, "is_fixed": FLAGS, "nodes": st.integers(1, 3), "gpu_model": st.sampled_from(["any", "*a100*", "H[12]00"]),
        "gpu_memory_mb": COUNTS,
    }
)  # fmt: skip
OUTPUTS = st.dictionaries(
    STREAMS,
    st.one_of(
        st.sampled_from(["x.root", "y.txt", "gen.py"]),
        st.fixed_dictionaries({"file": st.sampled_from(["x.root", "z.tar.gz"])}, optional={"optional": FLAGS, "transient": FLAGS}),
    ),
    max_size=3,
)
MERGE = st.fixed_dictionaries(
    {
        "inputs": STREAMS,
        "command": st.sampled_from(["m %IN %OUT", "m %EVENTS"]),
        "outputs": st.dictionaries(STREAMS, st.just("all.root"), min_size=1, max_size=2),
    },
    optional={"files_per_job": st.integers(2, 9), "mb_per_job": COUNTS},
)
BUILD = st.fixed_dictionaries(
    {"command": st.sampled_from(["make", "make %OUT", "make %{build}", "make %IN"]), "output": st.sampled_from(["lib.tgz", "lib", "gen.py"])},
    optional={"memory_mb": COUNTS, "wall_seconds": COUNTS},
)
PROGRAM = st.fixed_dictionaries(
    {"command": st.sampled_from(["x", "x %IN %OUT", "x %EVENTS %FIRST_EVENT", "x %{data:file} %{out}", "x %NOPE", "x %{pileup}", "x %{build}"])},
    optional={
        "files": st.lists(st.sampled_from(["gen.py", "../x", "/x", "lib"]), max_size=2),
        "sandbox": st.just("0" * 64),
        "each": some({"at_once": st.integers(1, 3), "wall_seconds": COUNTS, "stop_after_failures": st.integers(1, 3)}),
    },
)
STEPS = st.fixed_dictionaries(
    {"steps": st.lists(st.fixed_dictionaries({"name": NAMES, "command": st.sampled_from(["x", "x %IN", "x %NOPE"])}), max_size=3)},
    optional={"command": st.just("x")},
)
RIGHT = st.fixed_dictionaries(
    {"name": st.sampled_from(["t", "z-evgen"]), "program": st.one_of(PROGRAM, STEPS), "inputs": INPUTS},
    optional={
        "split": SPLIT, "resources": RESOURCES, "outputs": OUTPUTS, "merge": MERGE, "build": BUILD, "priority": st.integers(0, 10_000),
        "schema": st.sampled_from([1, 2]),
        "scouts": some({"jobs": st.integers(0, 20), "success": st.floats(0, 1), "from_jobs": COUNTS}),
        "goal": some({"percent": st.floats(1, 100), "on_miss": st.sampled_from(["finish", "fail", "exhaust"]), "finish_early": FLAGS}),
        "retry": some({
            "max_attempts": st.integers(1, 50), "max_failures": st.integers(1, 50), "memory_step_mb": COUNTS, "max_memory_mb": COUNTS, "use_rules": FLAGS}),
        "cloning": st.fixed_dictionaries({"mode": st.sampled_from(["run_once", "store_once"])}, optional={"copies": st.integers(2, 4)}),
        "queues": st.lists(st.sampled_from(["q", "r"]), max_size=2), "exclude_queues": st.lists(st.sampled_from(["q", "r"]), max_size=2),
        "expires_after_seconds": st.integers(60, 10_000), "environment": some({"python": st.sampled_from([">=3.11", "snake"]), "packages": st.just(["numpy"])}),
    },
)  # fmt: skip
"""Documents of the right types."""


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document; now and then one of its values, anywhere, is replaced by something wild."""
    tree: dict[str, Any] = draw(RIGHT)
    if draw(st.integers(0, 3)) == 0:
        place = tree
        key = draw(st.sampled_from(sorted(tree)))
        while isinstance(place[key], dict) and place[key] and draw(FLAGS):
            place = place[key] = dict(place[key])
            key = draw(st.sampled_from(sorted(place)))
        place[key] = draw(WILD)
    return tree
