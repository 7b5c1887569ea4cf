"""The whole import: what the parameters say in the order in which it matters, then what nobody asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pandawms.domain.errors import Invalid
from pandawms.wire.panda_params import cloning, clustering, files, limits, program, splitting, words
from pandawms.wire.panda_params.draft import Draft, Imported
from pandawms.wire.panda_params.reasons import REASONS

TAKEN = frozenset({
    "taskName", "uniqueTaskName", "jobParameters", "transPath", "mergeOutput", "mergeSpec", "buildSpec",
    "nFilesPerMergeJob", "nMaxFilesPerMergeJob", "nGBPerMergeJob", "site", "includedSite", "excludedSite",
    "taskPriority", "currentPriority", "cliParams", "coreCount", "ramCount", "ramCountUnit", "ramUnit", "baseRamCount", "maxWalltime", "walltime",
    "baseWalltime", "cpuTime", "cpuTimeUnit", "cpuEfficiency", "workDiskCount", "workDiskUnit", "outDiskCount", "outDiskUnit", "architecture", "maxAttempt",
    "maxFailure", "disableAutoRetry", "retryRamStep", "retryRamMax", "goal", "failWhenGoalUnreached", "failGoalUnreached", "useExhausted",
    "disableAutoFinish", "skipScout", "scoutSuccessRate", "respectSplitRule", "noInput", "nEvents", "nFiles", "nSkipFiles", "nEventsPerInputFile",
    "nEventsPerFile", "nEventsPerJob", "nFilesPerJob", "nMaxFilesPerJob", "nGBPerJob", "tgtNumEventsPerJob", "tgtMaxOutputForNG", "totNumJobs",
    "maxNumJobs", "respectLB", "dsForIN", "allowEmptyInput", "ignoreMissingInDS", "waitInput", "reuseSecOnDemand", "orderInputBy", "useRealNumEvents",
    "getNumEventsInMetadata", "runUntilClosed", "useJobCloning", "fineGrainedProc",
})  # fmt: skip
"""Keys that have a field."""
KNOWN = TAKEN | REASONS.keys()
"""Every key that PanDA's clients, production and server are known to use."""


def imported(params: Mapping[str, Any]) -> Imported:
    """The task document of a dictionary of task parameters, and what became of each of its keys.

    The document has the right types; whether it is right as a whole is for `checks.problems`. Raises Invalid for something that is no such dictionary.
    """
    items = _items(params)
    draft = Draft(params)
    _name(draft)
    limits.resources(draft)
    streams = files.inputs(draft, items)
    splitting.split(draft)
    program.outputs(draft, items, streams)
    program.program(draft, items, streams)
    program.build(draft)
    program.merge(draft)
    limits.retries(draft)
    limits.goal(draft)
    limits.routing(draft)
    cloning.cloning(draft)
    clustering.clustering(draft)
    _fit(draft)
    _rest(draft)
    return Imported(_in_order(draft.document), draft.mapped, draft.unmapped, draft.notes)


def _items(params: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
        raise Invalid("these are no task parameters", code="malformed", field="params", allowed="a mapping of keys to values", hint="give the JSON dictionary")
    given = params.get("jobParameters")
    if given is None or not isinstance(given, (list, tuple)) or not all(isinstance(item, Mapping) for item in given):
        raise Invalid(
            "jobParameters is missing or no list of items", code="missing_field", field="jobParameters", allowed="a list of mappings with type and value",
            hint="give the dictionary that the client sends as task_parameters",
        )  # fmt: skip
    return dict(enumerate(given))


def _name(draft: Draft) -> None:
    given = str(draft.given("taskName") or "imported")
    name = words.task_name(given)
    draft.put("name", name)
    if draft.given("taskName") is not None:
        draft.map("taskName", "name")
        if name != given.rstrip("/"):
            draft.note("taskName", f"written as {name}")
    if draft.given("uniqueTaskName") is not None:
        draft.map("uniqueTaskName", "name")
        draft.note("uniqueTaskName", "names of tasks are always unique")


def _fit(draft: Draft) -> None:
    """Makes room for parts that are larger than their whole."""
    need = draft.document.get("resources", {})
    if need.get("work_mb", 0) > need.get("disk_mb", 1000):
        need["disk_mb"] = need["work_mb"]
        draft.note("workDiskCount", "resources.disk_mb is raised to it")
    limit = need.get("wall_seconds", 3600)
    per_job = draft.document.get("split", {}).get("events_per_job") or 1
    rate = need.get("wall_seconds_per_event")
    if rate is not None and need.get("base_seconds", 0) + per_job * rate > limit:
        need["wall_seconds"] = min(limits.MAX_WALL_SECONDS, int(need.get("base_seconds", 0) + per_job * rate) + 1)
        draft.note("cpuTime", "resources.wall_seconds is raised so that a job has time for its events")
        if need.get("base_seconds", 0) + per_job * rate > need["wall_seconds"]:
            need.pop("wall_seconds_per_event")
            draft.unmapped["cpuTime"] = "a job with so many events would run for more than 30 days"
            draft.mapped.pop("cpuTime", None)
    size, each = draft.document.get("split", {}).get("output_mb_per_job"), need.get("output_mb_per_event")
    if size is not None and each is not None and per_job * each > size:
        draft.document["split"].pop("output_mb_per_job")
        draft.mapped.pop("tgtMaxOutputForNG", None)
        draft.drop("tgtMaxOutputForNG", "the output of a job with so many events is larger")


def _rest(draft: Draft) -> None:
    """Says of every key that nobody took why."""
    for key, value in draft.params.items():
        if key in draft.mapped or key in draft.unmapped:
            continue
        if value is None:
            draft.drop(key, "null: PanDA reads it as not given")
        else:
            draft.drop(key, REASONS.get(key) or ("another key says more" if key in TAKEN else "no key that PanDA is known to use: it would be ignored"))


def _in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    order = (
        "name", "description", "program", "build", "inputs", "split", "outputs", "merge", "resources", "scouts", "cloning", "goal", "retry", "priority",
        "queues", "exclude_queues",
    )  # fmt: skip
    return {key: document[key] for key in order if document.get(key) not in (None, {}, [])}
