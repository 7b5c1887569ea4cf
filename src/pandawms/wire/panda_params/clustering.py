"""Jobs of several payloads."""

from __future__ import annotations

import msgspec

from pandawms.wire.document import InputSpec, SplitSpec
from pandawms.wire.document_view import MAX_PAYLOAD_OUTPUTS, MAX_PAYLOADS, most_units
from pandawms.wire.panda_params.draft import Draft

KEY = "fineGrainedProc"


def clustering(draft: Draft) -> None:
    """A payload for each file or piece of a job, where PanDA has an event range for it; called when all that may contradict it is known."""
    if draft.given(KEY) is None:
        return
    if not draft.truth(KEY):
        draft.map(KEY, "program.each")
        return
    reason = _contradiction(draft)
    if reason is not None:
        draft.drop(KEY, reason)
        return
    split = draft.document.get("split", {})
    for name in ("files_per_job", "max_files_per_job"):
        if split.get(name, 0) > MAX_PAYLOADS:
            split[name] = MAX_PAYLOADS
            draft.note(KEY, f"split.{name} is lowered to {MAX_PAYLOADS}, the most payloads that a job has")
    draft.map(KEY, "program.each")
    draft.document["program"]["each"] = {}
    draft.notes.setdefault(KEY, "the command runs once for each file or piece of a job, and asks no event service")


def _contradiction(draft: Draft) -> str | None:
    inputs, split = draft.document["inputs"], draft.document.get("split", {})
    first = next(iter(inputs.values()))
    if "count" in first:
        return "events are units of a job each: write the input as pieces, with split.files_per_job for payloads a job"
    if any("ratio" in spec for spec in inputs.values()):
        return "files that go along by a ratio cannot be shared by the payloads of a job"
    most = most_units(InputSpec(pieces=first.get("pieces")), msgspec.convert(split, SplitSpec))
    if most > MAX_PAYLOADS and not {"files_per_job", "max_files_per_job"} & split.keys():
        return f"a job of payloads has {MAX_PAYLOADS} units at most, and the split says no such number"
    if "cloning" in draft.document:
        return "copies of a job count as a whole (useJobCloning), and payloads one by one"
    merged = draft.document.get("merge", {}).get("files_per_job")
    if merged is not None and merged < most:
        return "what the payloads of a job write is merged together, and nFilesPerMergeJob is smaller"
    if len(draft.document.get("outputs", {})) * min(most, MAX_PAYLOADS) > MAX_PAYLOAD_OUTPUTS:
        return f"one report tells of all files that the payloads of a job write, {MAX_PAYLOAD_OUTPUTS} at most"
    return None
