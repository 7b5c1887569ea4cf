"""The command, the outputs and the merge."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from pandawms.wire.panda_params import words
from pandawms.wire.panda_params.draft import Draft

_PAYLOAD = {True: re.compile(r'-j "([^"]*)"'), False: re.compile(r'-p "([^"]*)"')}
_OUTPUTS = re.compile(r"""-o "(\{.*?\})\"""", re.DOTALL)
_WRAPPERS = re.compile(r"run(Gen|Athena|container|Merge)|buildGen|buildJob")
_SANDBOX = re.compile(r"-a (\S+)")
LIBRARY = "lib.tgz"
OUTPUT_KEYS = {"allowNoOutput": "optional", "transient": "transient"}
OUTPUT_REASONS = {
    "token": "outputs go to the storage of the queue", "destination": "outputs go to the storage of the queue", "mergeOnly": "a merge has outputs of its own",
    "es_only": "event service is not part of a task document", "container": "a dataset is named after its task and stream",
    "dataset": "a dataset is named after its task and stream", "offset": "numbers begin with split.first_serial",
}  # fmt: skip


def arguments(items: Mapping[int, Mapping[str, Any]]) -> str:
    """The argument text of a job: all values in their order, a blank after each unless padding is false, without the hidden ones."""
    shown = [item for item in items.values() if not item.get("hidden")]
    return "".join(str(item.get("value", "")) + ("" if item.get("padding") is False else " ") for item in shown).rstrip()


def outputs(draft: Draft, items: Mapping[int, Mapping[str, Any]], streams: dict[str, str]) -> None:
    """Fills `outputs`, and adds PanDA's streams OUTPUT0 … to `streams`."""
    local = _local_names(arguments(items))
    made: dict[str, Any] = {}
    taken = set(draft.document.get("inputs", {}))
    templates = [(n, item) for n, item in items.items() if item.get("type") == "template" and item.get("param_type") == "output"]
    for n, item in templates[:100]:
        template = str(item.get("value", "")).rpartition("=")[2]
        wanted = local.get(template, _plain(template))
        name = words.file_name(wanted if "*" not in wanted else _plain(template))
        if "*" in wanted:
            draft.note(f"jobParameters[{n}].value", f"{wanted} is a pattern: let the program write {name}")
        while name in {_file(spec) for spec in made.values()}:
            name = f"_{name}"[:250]
        stream = _free(words.stream_name(name.split(".")[0]), {*taken, *made})
        made[stream] = _output(draft, n, item, name)
        streams[f"OUTPUT{len(made) - 1}"] = stream
        if "${" in template or "$JEDITASKID" in template:
            streams[template] = stream
        draft.mapped[f"jobParameters[{n}].value"] = f"outputs.{stream}"
    for n, _ in templates[100:]:
        draft.drop(f"jobParameters[{n}].value", "a task has at most 100 outputs")
    if made:
        draft.document["outputs"] = made


def _file(spec: Any) -> str:
    return str(spec["file"]) if isinstance(spec, dict) else str(spec)


def _free(stream: str, taken: set[str]) -> str:
    found, number = stream, 2
    while found in taken:
        found, number = f"{stream[:46]}{number}", number + 1
    return found


def _plain(template: str) -> str:
    """A file name of a template, without what makes it different in each job."""
    last = template.rpartition("${SN/P}.")[2] if "${SN/P}." in template else template
    bare = re.sub(r"\$\{[^}]*\}|\$JEDITASKID", "", last)
    return re.sub(r"[._-]*\.[._-]*", ".", bare).strip("._-") or "output"


def _output(draft: Draft, n: int, item: Mapping[str, Any], name: str) -> Any:
    flags = {ours: True for theirs, ours in OUTPUT_KEYS.items() if item.get(theirs)}
    for key in OUTPUT_KEYS:
        if item.get(key) is not None:
            draft.map(f"jobParameters[{n}].{key}", OUTPUT_KEYS[key])
    for key, why in OUTPUT_REASONS.items():
        if item.get(key) is not None:
            draft.drop(f"jobParameters[{n}].{key}", why)
    return {"file": name, **flags} if flags else name


def _local_names(text: str) -> dict[str, str]:
    """What the wrapper is told: the file in the work folder for each template."""
    match = _OUTPUTS.search(text)
    try:
        tree = ast.literal_eval(match[1]) if match else {}
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    found: dict[str, str] = {}
    for name, template in tree.items() if isinstance(tree, dict) else ():
        pairs = template if isinstance(template, (list, tuple)) else [(name, template)]
        found |= {str(pair[1]): str(pair[0]) for pair in pairs if isinstance(pair, (list, tuple)) and len(pair) == 2}
    return found


def program(draft: Draft, items: Mapping[int, Mapping[str, Any]], streams: Mapping[str, str]) -> None:
    """Fills `program.command`: what a client's wrapper would run, or the transformation with its arguments."""
    text = arguments(items)
    lost: dict[str, str] = {}
    payload = _PAYLOAD["--trf" in text].search(text)
    path = str(draft.given("transPath") or "")
    if payload and payload[1].strip():
        found = words.command(words.unquoted(payload[1]), streams, lost, comma=True)
        if path:
            draft.drop("transPath", "the wrapper is not needed: the program runs as it is")
        draft.note("jobParameters", "the program of the client's wrapper is taken, its other arguments are not needed")
    else:
        name = path.rstrip("/").rpartition("/")[2]
        found = words.command(f"{name} {_with_streams(text, streams)}", streams, lost)
        if path:
            draft.map("transPath", "program.command")
            if "://" in path:
                draft.note("transPath", f"{name} is not fetched: put it beside the task file and into program.files")
    sandbox = _SANDBOX.search(text)
    if sandbox:
        draft.drop("jobParameters: sandbox", f"the content of {sandbox[1]} is not in the dictionary: unpack it and list its files under program.files")
    for token, why in lost.items():
        draft.drop(f"jobParameters: {token}", why)
    draft.map("jobParameters", "program.command", None)
    draft.put("program.command", words.printable(found)[:65_536] or "true")
    _serials(draft, items)


def build(draft: Draft) -> None:
    """Fills `build` with what prun compiles; jobs unpack it first."""
    given = draft.given("buildSpec")
    made = re.search(r'--bexec "([^"]+)"', str(given.get("jobParameters", ""))) if isinstance(given, Mapping) else None
    if made is None or not words.unquoted(made[1]).strip():
        return
    compiled = words.printable(words.unquoted(made[1]).replace("%", "%%"))
    draft.put("build", {"command": f"{compiled} && tar -czf {LIBRARY} *", "output": LIBRARY})
    draft.map("buildSpec", "build")
    draft.put("program.command", f"tar -xzf %{{build}} && {draft.document['program']['command']}"[:65_536])


def _with_streams(text: str, streams: Mapping[str, str]) -> str:
    """The arguments with a placeholder where the name of an output stands."""
    numbers = {stream: name for name, stream in streams.items() if name.startswith("OUTPUT")}
    for template, stream in streams.items():
        if stream in numbers and "$" in template:
            text = text.replace(template, f"${{{numbers[stream]}}}")
    return text


def _serials(draft: Draft, items: Mapping[int, Mapping[str, Any]]) -> None:
    """Counters and seeds: where they begin."""
    for n, item in items.items():
        kind = item.get("param_type")
        if kind not in ("number", "random_seed") or item.get("offset") is None:
            continue
        try:
            offset = int(item["offset"])
        except (TypeError, ValueError, OverflowError):
            offset = -1
        where, field = f"jobParameters[{n}].offset", "split.first_serial" if kind == "number" else "split.seed_offset"
        if not 0 <= offset <= 1_000_000_000:
            draft.drop(where, f"{item['offset']!r} is not a number that fits")
        elif kind == "number" and offset < 1:
            draft.map(where, field)
        else:
            draft.map(where, field, offset)


def merge(draft: Draft) -> None:
    """Fills `merge` over the first output."""
    if draft.given("mergeOutput") is None:
        return
    made = draft.document.get("outputs", {})
    if not draft.truth("mergeOutput"):
        draft.map("mergeOutput", "merge")
        return
    if not made:
        draft.drop("mergeOutput", "the task has no outputs")
        return
    stream, spec = next(iter(made.items()))
    draft.map("mergeOutput", "merge")
    draft.document["merge"] = {
        "inputs": stream, "command": _merge_command(draft), "outputs": {_free(f"{stream[:43]}_merged", set(made) | set(draft.document["inputs"])): _file(spec)},
    }  # fmt: skip
    if len(made) > 1:
        draft.note("mergeOutput", f"only {stream} is merged; add a task that merges the others")
    if isinstance(spec, dict) and spec.pop("transient", None):
        draft.note("mergeOutput", f"{stream} is transient as it is merged")
    if draft.whole("nFilesPerMergeJob", "merge.files_per_job", 2, 10_000) is None:
        draft.whole("nMaxFilesPerMergeJob", "merge.files_per_job", 2, 10_000)
    elif draft.given("nMaxFilesPerMergeJob") is not None:
        draft.drop("nMaxFilesPerMergeJob", "nFilesPerMergeJob is stronger")
    draft.whole("nGBPerMergeJob", "merge.mb_per_job", 1, 1_000_000_000, 1024)


def _merge_command(draft: Draft) -> str:
    given = draft.given("mergeSpec")
    text = str(given.get("jobParameters", "")) if isinstance(given, Mapping) else ""
    script = re.search(r'-j "([^"]+)"', text)
    if given is not None:
        draft.map("mergeSpec", "merge.command")
    if script is not None and words.unquoted(script[1]).strip():
        found = words.unquoted(script[1])
        parts = re.split(r"(%IN\b|%OUT\b)", found)
        return words.printable("".join(part if part in ("%IN", "%OUT") else part.replace("%", "%%") for part in parts))[:65_536]
    draft.note("mergeOutput", "hadd is taken to merge ROOT files: write another command for others")
    return "hadd -f %OUT %IN"
