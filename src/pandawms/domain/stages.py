"""The stages of the flow: what each takes and what it leaves. Every event of every machine belongs to exactly one of them."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self  # Python 3.11; the pilot runs on 3.9


class Stage(str, Enum):
    """One stage of the flow; `takes` and `leaves` say in one line what it finds in the database and what it writes there."""

    takes: str
    leaves: str

    def __new__(cls, word: str, takes: str = "", leaves: str = "") -> Self:
        """Make the member: its value is the word alone. With a word only this is the look-up of a member."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.takes = takes
        member.leaves = leaves
        return member

    DEFINE = "define", "submitted tasks and datasets that still grow", "ready tasks with their inputs listed, or tasks that wait or are broken, with the reason"
    BROKER = "broker", "ready and running tasks, a picture of the queues", "allocations: which queue may take how much, and why the others were rejected"
    GENERATE = "generate", "allocations, open inputs, mergeable groups", "jobs sized for their queue, their inputs marked as taken"
    PLACE = "place", "new and waiting jobs", "activated jobs whose input data and predecessors are there"
    DISPATCH = "dispatch", "claims of pilots, activated jobs", "leased jobs; heartbeats renew the lease and carry commands back"
    REPORT = "report", "what pilots say about their jobs", "ended jobs, their files and counters, in one transaction"
    AGGREGATE = "aggregate", "files that settled", "retries, merge groups, registered outputs, verdicts, children released"
    COMMAND = "command", "what users and operators ask for", "the asked change applied to tasks, jobs, files and queues, in sets"
    WATCH = "watch", "leases, limits and the clock", "expired leases ended, waiting things woken, stuck things reported"
    PROVISION = "provision", "the work that waits for each queue", "workers: the right number of pilots in the batch systems"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return str.__format__(str(self.value), spec)
