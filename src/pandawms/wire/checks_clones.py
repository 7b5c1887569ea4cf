"""What copies of jobs must not be asked for together with. Pure.

Scouts are no contradiction: they are made once each, and the jobs after them in copies. Nor are merges: what is merged is what the winners wrote.
"""

from __future__ import annotations

from collections.abc import Iterator

from pandawms.domain.errors import Invalid
from pandawms.wire.document import TaskDocument
from pandawms.wire.findings import clash


def cloning(document: TaskDocument) -> Iterator[Invalid]:
    """All that cannot work with copies of jobs."""
    wanted = document.cloning
    if wanted is None:
        return
    if document.build is not None:
        why = "what is built is for one queue, and the copies of a job are in several"
        yield clash("cloning.mode", wanted.mode, "build", why, hint="build in the command of the program, or leave out cloning")
    if document.program.each is not None:
        why = "payloads are done one by one, and of copies one counts as a whole"
        yield clash("cloning.mode", wanted.mode, "program.each", why)
    n_queues = len(set(document.queues))
    if document.queues and wanted.copies > n_queues:
        why = f"each copy is in another queue, and {n_queues} {'is' if n_queues == 1 else 'are'} named"
        hint = "name more queues, or none"
        allowed = f"at most {n_queues}" if n_queues > 1 else "more queues"
        yield clash("cloning.copies", wanted.copies, "queues", why, allowed=allowed, hint=hint, code="impossible")
