"""Changes of a task's document by a command: a merge patch (RFC 7396) of what that command may change. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from pandawms.domain.command import Verb
from pandawms.domain.errors import Invalid, did_you_mean
from pandawms.wire.checks import checked, decode_document
from pandawms.wire.document import InputSpec, TaskDocument

_ALWAYS = frozenset({
    "description", "program", "environment", "split", "resources", "scouts", "goal", "retry", "priority", "queues", "exclude_queues",
})  # fmt: skip
CHANGEABLE: Mapping[Verb, frozenset[str]] = {
    Verb.RETRY: _ALWAYS,
    Verb.EXTEND: _ALWAYS | {"inputs", "expires_after_seconds"},
    Verb.FORK: _ALWAYS | {"name", "expires_after_seconds"},
}
"""What a command may change. Outputs stay: what was written is kept beside what will be. The name is the task's, but for a copy."""


def changed(verb: Verb, document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the document after a patch, with what it leaves out as it was. Raises Invalid that names the field for what may not be changed so."""
    before = dict(document)
    if not patch:
        return before
    unknown = sorted(set(patch) - CHANGEABLE[verb])
    if unknown:
        raise _not_changeable(verb, unknown[0])
    after = decode_document(merged(before, patch))
    checked(after, packed=True)
    if "inputs" in patch:
        _check_inputs(decode_document(before), after)
    _check_split(decode_document(before), after, verb)
    found: dict[str, Any] = msgspec.to_builtins(after)
    return found


def merged(value: Any, patch: Any) -> Any:
    """Returns a value after a merge patch: objects are merged key by key, null takes a key away, all else replaces (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(value) if isinstance(value, Mapping) else {}
    for key, part in patch.items():
        if part is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), part)
    return found


def _not_changeable(verb: Verb, name: str) -> Invalid:
    near = did_you_mean(name, CHANGEABLE[verb])
    return Invalid(
        f"a {verb} cannot change {name}", code="changes.field", field=f"changes.{name}", value=name, allowed=", ".join(sorted(CHANGEABLE[verb])),
        hint=f"did you mean {near}?" if near else "submit a new task for that",
    )  # fmt: skip


def _check_inputs(before: TaskDocument, after: TaskDocument) -> None:
    """Inputs may only grow: what is listed stays listed."""
    if list(before.inputs) != list(after.inputs):
        raise _only_grows("inputs", ", ".join(after.inputs), f"the inputs {', '.join(before.inputs)}, in this order")
    for stream, old in before.inputs.items():
        _check_grown(f"inputs.{stream}", old, after.inputs[stream])


def _check_grown(field: str, old: InputSpec, new: InputSpec) -> None:
    if old.is_numbered != new.is_numbered or (old.count is None) != (new.count is None):
        raise _only_grows(field, "another kind of input", "the kind of input that it is")
    if old.first_event != new.first_event:
        raise _only_grows(f"{field}.first", new.first, str(old.first_event))
    for name in ("count", "pieces"):
        was, now = getattr(old, name), getattr(new, name)
        if was is not None and now is not None and now < was:
            raise _only_grows(f"{field}.{name}", now, f"{was} or more")
    missing = sorted(set(datasets_of(old)) - set(datasets_of(new)))
    if missing:
        raise _only_grows(f"{field}.datasets", ", ".join(datasets_of(new)), f"{missing[0]} and others")


def datasets_of(spec: InputSpec) -> tuple[str, ...]:
    """Returns the datasets that an input names."""
    return spec.datasets or ((spec.dataset,) if spec.dataset else ())


def _only_grows(field: str, value: object, allowed: str) -> Invalid:
    return Invalid("inputs can only be added to", code="changes.shrinks", field=field, value=value, allowed=allowed, hint="submit a new task to process less")


def _check_split(before: TaskDocument, after: TaskDocument, verb: Verb) -> None:
    """A copy takes the units of the original as they are, so that its chunks of events must be the same."""
    if verb is Verb.FORK and before.split.events_per_job != after.split.events_per_job:
        raise Invalid(
            "a fork shares the chunks of events of its original", code="changes.chunks", field="changes.split.events_per_job",
            value=after.split.events_per_job, allowed=str(before.split.events_per_job), hint="submit a new task to cut the events otherwise",
        )  # fmt: skip
