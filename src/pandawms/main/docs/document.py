"""The page docs/reference/task-document.md: every field of a task document."""

from __future__ import annotations

from typing import Any

from pandawms.main.docs.markdown import generated, page, table
from pandawms.wire.placeholders import EVENT_WORDS, FILE_WORDS, NUMBER_WORDS
from pandawms.wire.schema import VERSION, document_schema

HEAD = f"""{generated("src/pandawms/wire/document.py")}

# The task document

A task is written in YAML or TOML. This page is the whole of its form, version {VERSION}; documents of older versions mean what they meant. The same as
JSON Schema is [task.schema.json](task.schema.json), `panda schema`, and `GET /api/v2/schemas/task`. Unknown fields are refused, with the nearest known one.
What fields must fulfil together is checked at submit: every error names the field, the other field, what is allowed, and a way out.
[How definition works](../explanation/definition.md) tells what becomes of inputs.
"""

EXAMPLE = """## An example

```yaml
name: zmumu-2024
program:
  command: python select.py --skip %FIRST_EVENT --events %EVENTS --pileup %{pileup:comma} --out %OUT %IN
  files: [select.py]
inputs:
  data:
    datasets: ["data24:runs.a", "data24:runs.b"]
    include: ["*.root"]
    exclude: ["*.calib.*"]
    if_missing: wait
  pileup: {dataset: "mc24:minbias", per_job: 2, reuse: true}
split: {events_per_job: 50000, mb_per_job: 5000, boundary: {name_field: 3}}
outputs:
  muons: muons.root
  debug: {file: debug.txt, optional: true}
resources: {cores: 4, memory_mb: 6000, disk_mb: 20000, wall_seconds: 14400}
goal: {percent: 99, on_miss: exhaust}
retry: {max_attempts: 5, memory_step_mb: 1000, max_memory_mb: 12000}
```
"""

WORDS = {
    "IN": "all files of the first input of files", "OUT": "the file of the first output", "EVENTS": "how many events the job has",
    "FIRST_EVENT": "its first event: the number of an events input, or how many events of the file are skipped", "SEED": "a random seed of the job",
    "SERIAL": "the number of the job", "ATTEMPT": "which attempt it is", "JOB_ID": "the job", "TASK_ID": "the task", "NODES": "nodes that it has",
    "CORES": "cores that it has on each of them", "GPUS": "GPUs that it has on each of them",
}  # fmt: skip


def document_page() -> str:
    """The page as text."""
    schema = document_schema()
    parts = [HEAD, EXAMPLE, _struct("At the top", schema, schema["required"])]
    defined = schema["$defs"]
    parts += [_struct(_title(name), defined[name], defined[name].get("required", ())) for name in _in_order(schema)]
    return page([*parts, _placeholders()])


def _in_order(schema: dict[str, Any]) -> list[str]:
    """The parts in the order in which they are first named."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.append(name)
                walk(schema["$defs"][name])
            for key, value in node.items():
                if key != "$defs":
                    walk(value)
        elif isinstance(node, (list, tuple)):
            for value in node:
                walk(value)

    walk(schema)
    return found


def _title(name: str) -> str:
    words = {"InputSpec": "inputs.NAME", "OutputSpec": "outputs.NAME", "BoundarySpec": "split.boundary", "ScoutSpec": "scouts", "ResourceSpec": "resources"}
    return words.get(name, name.removesuffix("Spec").lower())


def _struct(title: str, node: dict[str, Any], required: Any) -> str:
    rows = [_row(name, field, name in required) for name, field in node["properties"].items()]
    text = " ".join(str(node.get("description", "")).split())
    return f"## {title}\n\n{text}\n\n" + table(("Field", "Type", "Default", "Meaning"), rows)


def _row(name: str, field: dict[str, Any], is_required: bool) -> tuple[str, ...]:
    kinds = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    text = str(field.get("description", "")) or " ".join(f"See {_title(ref)}." for ref in _refs(field)[:1])
    limits = "; ".join(filter(None, (_limits(kind) for kind in kinds)))
    meaning = " ".join(filter(None, (text, f"({limits})" if limits else "")))
    return (f"`{name}`", " or ".join(map(_kind, kinds)), "required" if is_required else _default(field), meaning)


def _refs(node: dict[str, Any]) -> list[str]:
    return [str(part["$ref"]).rpartition("/")[2] for part in (node, *node.get("anyOf", ())) if "$ref" in part]


def _kind(node: dict[str, Any]) -> str:
    if "$ref" in node:
        return f"mapping, see {_title(str(node['$ref']).rpartition('/')[2])}"
    if "enum" in node:
        return " or ".join(f"`{word}`" for word in node["enum"])
    if node.get("type") == "array":
        return f"list of {_kind(node['items'])}"
    if node.get("type") == "object":
        inner = node.get("additionalProperties")
        parts = inner.get("anyOf", [inner]) if isinstance(inner, dict) else []
        return "mapping" + (f" to {' or '.join(map(_kind, parts))}" if parts else "")
    return {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}.get(str(node.get("type")), "any")


def _limits(node: dict[str, Any]) -> str:
    words = {
        "minimum": "at least {:,}", "exclusiveMinimum": "more than {:,}", "maximum": "at most {:,}", "maxLength": "at most {:,} characters",
        "minItems": "not empty", "maxItems": "at most {:,} entries", "minProperties": "not empty", "maxProperties": "at most {:,} entries",
    }  # fmt: skip
    return ", ".join(filter(None, (text.format(node[key]) for key, text in words.items() if key in node)))


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or value in ("", [], {}, ()):
        return ""
    return "as there" if isinstance(value, dict) else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _placeholders() -> str:
    words = [(f"`%{word}`", WORDS[word]) for word in (*FILE_WORDS, *EVENT_WORDS, *NUMBER_WORDS)]
    streams = [
        ("`%{NAME}`", "all files of that input, or the file of that output"), ("`%{NAME:comma}`", "an input's files with commas between them"),
        ("`%{NAME:file}`", "a text file with one name a line, for long lists"), ("`%%`", "a percent sign"),
    ]  # fmt: skip
    return "## Placeholders in commands\n\n" + table(("Placeholder", "Becomes"), [*words, *streams])
