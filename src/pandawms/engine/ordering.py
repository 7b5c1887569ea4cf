"""What commands set for a task, over its document: queues, priority, attempts. Pure. (Memory and wall time are in `requirements.effective`.)"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pandawms.wire.document import RetrySpec, TaskDocument

MOST_ATTEMPTS = 32_000
"""The column of a unit's attempts is a small integer."""


def applied(document: TaskDocument, ordered: Mapping[str, Any]) -> TaskDocument:
    """Returns the document with what was ordered in its place.

    `queues` replaces the allow list and takes the exclusions of the same queues away; `exclude_queues` adds to the exclusions; `more_attempts` is added to
    what each unit may be tried.
    """
    changes: dict[str, Any] = {}
    if ordered.get("queues"):
        changes["queues"] = tuple(ordered["queues"])
        changes["exclude_queues"] = tuple(queue for queue in document.exclude_queues if queue not in ordered["queues"])
    if ordered.get("exclude_queues"):
        base = changes.get("exclude_queues", document.exclude_queues)
        changes["exclude_queues"] = (*base, *(queue for queue in ordered["exclude_queues"] if queue not in base))
    if ordered.get("priority") is not None:
        changes["priority"] = int(ordered["priority"])
    if ordered.get("more_attempts"):
        changes["retry"] = _raised(document.retry, int(ordered["more_attempts"]))
    return msgspec.structs.replace(document, **changes) if changes else document


def _raised(retry: RetrySpec, more: int) -> RetrySpec:
    failures = retry.max_failures and min(MOST_ATTEMPTS, retry.max_failures + more)
    return msgspec.structs.replace(retry, max_attempts=min(MOST_ATTEMPTS, retry.max_attempts + more), max_failures=failures)
