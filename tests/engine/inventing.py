"""Random tasks and commands that make sense: for tests in which anything may happen to a task."""

import random
from typing import Any

from pandawms.domain.codes import Code, Domain
from pandawms.domain.command import Verb
from pandawms.domain.outcome import Outcome, outcome
from tests.engine.play import FILES, MERGE

OUTCOMES: tuple[Outcome, ...] = tuple(outcome(code, code.meaning) for code in Code if code.domain not in (Domain.NONE, Domain.TASK))
"""Each kind of failure that a pilot may report."""

COMMAND = {"command": "make %EVENTS > %OUT"}


def document(chance: random.Random, name: str, dataset: str, extra: str, parents: list[str]) -> dict[str, Any]:
    """A task over events, pieces, the files of a dataset (with those of `extra` beside them, at times), or the output of one of `parents`."""
    kinds = {"events": events, "pieces": pieces, "files": files, "beside": beside} | ({"chain": chain} if parents else {})
    chosen = chance.choice(sorted(kinds))
    found: dict[str, Any] = {"name": name, "scouts": {"jobs": 0}, "retry": {"max_attempts": chance.randint(1, 4)}} | kinds[chosen](
        chance, dataset, extra, parents
    )
    for change, part in ((scouts, 0.3), (goal, 0.2), (deadline, 0.15), (merge, 0.3), (build, 0.15), (each, 0.3), (cloning, 0.2), (retry, 0.2), (outputs, 0.15)):
        if chance.random() < part:
            found |= change(chance, found)
    return found


def events(chance: random.Random, *_given: Any) -> dict[str, Any]:
    """Numbered events."""
    split = chance.choice([{"events_per_job": chance.randint(1, 4)}, {"n_jobs": chance.randint(1, 5)}, {"events_per_job": 2, "max_jobs": 3}])
    return {"program": COMMAND, "inputs": {"events": {"count": chance.randint(2, 25), "first": chance.choice([0, 1, 7])}}, "split": split}


def pieces(chance: random.Random, *_given: Any) -> dict[str, Any]:
    """Numbered pieces."""
    return {
        "program": {"command": "make %SERIAL > %OUT"}, "inputs": {"in": {"pieces": chance.randint(2, 15)}}, "split": {"files_per_job": chance.randint(1, 3)},
    }  # fmt: skip


def files(chance: random.Random, dataset: str, *_given: Any) -> dict[str, Any]:
    """The files of a dataset, of ten events each, chosen and cut in one of many ways."""
    choice: dict[str, Any] = chance.choice(
        [{}, {}, {"max_files": 3}, {"skip": 1}, {"order": "random"}, {"exclude": ["*3"]}, {"may_be_empty": True}, {"grow": False}]
    )
    split = chance.choice([
        {"files_per_job": chance.randint(1, 3)}, {"events_per_job": chance.choice([3, 10, 25])}, {"n_jobs": 2}, {"max_jobs": 2, "files_per_job": 2},
        {"mb_per_job": 1, "max_files_per_job": 2}, {"boundary": {"name_field": 1, "separator": "0"}, "max_files_per_job": 2},
    ])  # fmt: skip
    return FILES | {"inputs": {"in": {"dataset": dataset} | choice}, "split": split}


def beside(chance: random.Random, dataset: str, extra: str, *_given: Any) -> dict[str, Any]:
    """Files with files of another dataset beside them."""
    how: dict[str, Any] = chance.choice([{"whole": True}, {"per_job": 1, "reuse": True}, {"per_job": 1}, {"ratio": 0.5, "reuse": True}])
    found = files(chance, dataset)
    return found | {"program": {"command": "mix %IN with %{extra} > %OUT"}, "inputs": found["inputs"] | {"extra": {"dataset": extra} | how}}


def chain(chance: random.Random, _dataset: str, _extra: str, parents: list[str]) -> dict[str, Any]:
    """The output of another task."""
    return FILES | {"inputs": {"in": {"task": chance.choice(parents), "output": "out"}}, "split": {"files_per_job": chance.randint(1, 3)}}


def scouts(chance: random.Random, _found: dict[str, Any]) -> dict[str, Any]:
    """Scouts, also for small tasks."""
    return {"scouts": {"jobs": chance.randint(1, 3), "success": chance.choice([0.3, 0.6, 1.0]), "from_jobs": chance.randint(1, 3)}}


def goal(chance: random.Random, _found: dict[str, Any]) -> dict[str, Any]:
    """A goal below everything."""
    return {"goal": {"percent": chance.choice([20, 50, 90]), "on_miss": chance.choice(["finish", "fail", "exhaust"]), "finish_early": chance.random() < 0.5}}


def deadline(chance: random.Random, _found: dict[str, Any]) -> dict[str, Any]:
    """An end that comes when the clock is turned far enough."""
    return {"expires_after_seconds": chance.choice([1800, 100_000])}


def merge(chance: random.Random, _found: dict[str, Any]) -> dict[str, Any]:
    """Merge jobs, of a limited size or of the whole."""
    return {"merge": MERGE | chance.choice([{}, {"files_per_job": 2}]), "outputs": {"out": "o.txt", "log": "l.txt"}}


def build(_chance: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """A build whose file the program takes."""
    return {"build": {"command": "make %OUT", "output": "lib.tgz"}, "program": {"command": f"tar xf %{{build}}; {found['program']['command']}"}}


def each(_chance: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """A payload for each file or piece, where the rest allows it."""
    inputs, split = found["inputs"].values(), found["split"]
    if any("count" in spec or "ratio" in spec for spec in inputs) or "n_jobs" in split or "files_per_job" in found.get("merge", {}):
        return {}
    return {"program": found["program"] | {"each": {}}}


def cloning(chance: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """Copies of each job, where the rest allows them."""
    return {} if "build" in found or "each" in found["program"] else {"cloning": {"mode": chance.choice(["run_once", "store_once"])}}


def retry(chance: random.Random, _found: dict[str, Any]) -> dict[str, Any]:
    """Limits of retries."""
    return {"retry": {"max_attempts": chance.randint(2, 6), "max_failures": chance.randint(1, 2), "use_rules": chance.random() < 0.7}}


def outputs(chance: random.Random, found: dict[str, Any]) -> dict[str, Any]:
    """Outputs that may be missing, or that nobody keeps."""
    return {} if "merge" in found else {"outputs": {"out": {"file": "o.txt", "transient": chance.random() < 0.5}, "log": {"file": "l.txt", "optional": True}}}


def arguments(chance: random.Random, verb: Verb, given: dict[str, Any], files: list[str]) -> dict[str, Any]:
    """How a command is asked of a task with this document and these output files."""
    if verb is Verb.FINISH:
        return {"soft": chance.random() < 0.5}
    if verb is Verb.RETRY:
        return retried(chance)
    if verb is Verb.EXTEND:
        return {"changes": extension(chance, given)}
    if verb is Verb.REASSIGN:
        where: dict[str, Any] = chance.choice([{}, {"queues": ["local"]}, {"queues": ["other"]}, {"site": "here"}])
        return where | chance.choice([{}, {"soft": True}, {"nokill": True}])
    if verb is Verb.SET:
        return chance.choice([
            {"priority": chance.randint(0, 9)}, {"attempts": chance.randint(1, 2)}, {"memory_mb": 2000, "wall_seconds": 600}, {"queues": ["other"]},
            {"exclude_queues": ["local"]}, {"queues": ["local", "other"], "priority": 7},
        ])  # fmt: skip
    if verb is Verb.RECOVER:
        return {"files": chance.sample(files, min(len(files), chance.randint(1, 2))), "sole": chance.random() < 0.3}
    return {"sole": chance.random() < 0.5} if verb is Verb.OBSOLETE else {}


def retried(chance: random.Random) -> dict[str, Any]:
    """How a retry is asked."""
    words = {word: True for word in ("sole", "keep", "transcend") if chance.random() < 0.3}
    only: dict[str, Any] = {"only": chance.choice([["failed"], ["lost", "missing"], ["all"]])} if chance.random() < 0.3 else {}
    changed: dict[str, Any] = {"changes": {"resources": {"memory_mb": 1500}}} if chance.random() < 0.3 else {}
    return words | only | changed | ({"attempts": chance.randint(1, 3)} if chance.random() < 0.5 else {})


def extension(chance: random.Random, given: dict[str, Any]) -> dict[str, Any]:
    """More of the primary input, where it is made of numbers; else another split of what comes."""
    stream, spec = next(iter(given["inputs"].items()))
    for kind in ("count", "pieces"):
        if spec.get(kind) is not None:
            return {"inputs": {stream: {kind: spec[kind] + chance.randint(1, 5)}}}
    return {"retry": {"max_attempts": chance.randint(1, 4)}, "description": "again"}
