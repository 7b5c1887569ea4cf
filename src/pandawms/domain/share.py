"""Shares: who gets which part of the running cores, as a tree of weights.

The value of a share is its weight among its siblings; a leaf's fraction is the product of the normalised weights on the way down
to it, so the fractions of all leaves never exceed the whole. Targets are fractions of what runs now, not of what ran before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Share:
    """A node of the tree: `value` is its weight among its siblings, `parent_id` None puts it at the top.

    A throttled share gets no new jobs. A share with `is_test` comes first whatever runs.
    """

    share_id: int
    name: str
    value: float
    parent_id: int | None = None
    community: str | None = None
    is_throttled: bool = False
    is_test: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.value < float("inf"):
            raise ValueError(f"share {self.name}: the value is {self.value}, and must be a finite number of 0 or more")


def fractions(shares: Iterable[Share]) -> dict[int, Fraction]:
    """The fraction of the whole of each share, by id: exact numbers, and those of siblings never add up to more than their parent's.

    Siblings whose values are all 0 get 0. Raises ValueError for a parent that does not exist or a circle.
    """
    children = _children(shares)
    found: dict[int, Fraction] = {}
    level = [(Fraction(1), children[None])]
    while level:
        whole, siblings = level.pop()
        total = sum((Fraction(share.value) for share in siblings), Fraction(0))
        for share in siblings:
            found[share.share_id] = whole * Fraction(share.value) / total if total else Fraction(0)
            level.append((found[share.share_id], children[share.share_id]))
    _require_all(children, found)
    return found


def targets(shares: Iterable[Share], executing: float) -> dict[int, float]:
    """The target of each share in the unit of `executing`, which is all that runs now (cores, or HS23 where it is known)."""
    return {share_id: float(fraction) * executing for share_id, fraction in fractions(shares).items()}


def dispatch_order(shares: Iterable[Share], executing: Mapping[int, float]) -> list[Share]:
    """The leaves in the order in which they should get the next slot.

    `executing` is what runs now for each leaf. At every level the least served child (what runs over its target) comes first, and
    a child without a target last; so what one leaf leaves unused goes to its siblings before it leaves the branch. Test shares
    come first; throttled ones are left out.
    """
    nodes = list(shares)
    children = _children(nodes)
    parts = fractions(nodes)
    running = {share.share_id: _running(share, children, executing) for share in nodes}
    leaves = _walk(None, children, parts, running)
    return sorted(leaves, key=lambda share: not share.is_test)


def _walk(parent_id: int | None, children: Mapping[int | None, list[Share]], parts: Mapping[int, Fraction], running: Mapping[int, float]) -> list[Share]:
    ordered: list[Share] = []
    for share in sorted((child for child in children[parent_id] if not child.is_throttled), key=lambda child: _served(child, parts, running)):
        ordered += _walk(share.share_id, children, parts, running) if children[share.share_id] else [share]
    return ordered


def _served(share: Share, parts: Mapping[int, Fraction], running: Mapping[int, float]) -> tuple[bool, float, int]:
    part = float(parts[share.share_id])
    return (part == 0, running[share.share_id] / part if part else 0.0, share.share_id)


def _running(share: Share, children: Mapping[int | None, list[Share]], executing: Mapping[int, float]) -> float:
    below = children[share.share_id]
    return sum(_running(child, children, executing) for child in below) if below else executing.get(share.share_id, 0.0)


def _children(shares: Iterable[Share]) -> defaultdict[int | None, list[Share]]:
    children: defaultdict[int | None, list[Share]] = defaultdict(list)
    for share in shares:
        children[share.parent_id].append(share)
    return children


def _require_all(children: Mapping[int | None, list[Share]], found: Mapping[int, Fraction]) -> None:
    left = [share.name for siblings in children.values() for share in siblings if share.share_id not in found]
    if left:
        raise ValueError(f"no way from the top to: {', '.join(sorted(left))}")
