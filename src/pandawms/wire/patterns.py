"""Regular expressions that may be given by people and are searched for in messages of payloads: refused unless their worst case is short. Pure.

Python's engine goes back and tries again, so an expression may take a time that grows with any power of the length of a message, or worse. Two refusals keep
it short: a repeat holds nothing that can match in more than one way, and the worst number of steps that is left is bounded.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from math import factorial
from typing import Any

from pandawms.domain.errors import Invalid
from pandawms.domain.outcome import MESSAGE_CHARACTERS

_PARSER = import_module("re._parser")
"""The library's own: it has no public name, and a second one would err."""

MAX_LENGTH = 200
MAX_STEPS = 50_000_000
"""About half a second of Python's engine on a slow core."""
OPEN = 20
"""A repeat of more than so many times counts as one without bound."""

_ONE_CHARACTER = frozenset({"LITERAL", "NOT_LITERAL", "ANY", "IN", "CATEGORY"})
_PLACES = frozenset({"AT"})
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})

Node = tuple[Any, Any]
"""An element of a parsed expression: what it is, and its parts."""


def checked_pattern(pattern: str, field: str) -> re.Pattern[str]:
    """Returns the expression, compiled so that the dot matches line ends; raises Invalid when it is too long, is none, or may take too long."""
    if len(pattern) > MAX_LENGTH:
        raise _invalid(field, pattern, f"at most {MAX_LENGTH} characters", "shorten it, or make two rules", "pattern.long")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what a later Python will read otherwise
            found = re.compile(pattern, re.DOTALL)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        raise _invalid(field, pattern, "a regular expression of Python", f"it is none: {error}", "pattern.bad") from None
    for problem in _problems(_parsed(pattern)):
        raise _invalid(field, pattern, "an expression whose worst case is short", problem, "pattern.slow")
    steps = worst_steps(pattern)
    if steps > MAX_STEPS:
        hint = "use fewer repeats without bound (search needs no .* at either end), or {1,10} in place of +"
        raise _invalid(field, pattern, f"at most {MAX_STEPS} steps at worst; this may take {steps:.0e}", hint, "pattern.slow")
    return found


def worst_steps(pattern: str) -> float:
    """Returns about how many steps a search in a message of full length may take: 500 starts, 500 for each repeat without bound, and all other choices."""
    n_open, choices = _cost(_parsed(pattern))
    return float(MESSAGE_CHARACTERS) ** (n_open + 1) / factorial(n_open + 1) * choices


def _parsed(pattern: str) -> Sequence[Node]:
    return list(_PARSER.parse(pattern, re.DOTALL))


def _problems(nodes: Sequence[Node], *, repeated: bool = False) -> Iterator[str]:
    for kind, parts in nodes:
        name = str(kind)
        if name in _REPEATS:
            _, most, inside = parts
            if repeated:
                yield "a repeat (* + ? {m,n}) stands inside another one: repeat single characters or sets only"
            yield from _problems(list(inside), repeated=repeated or int(most) > 1)
        elif name == "SUBPATTERN":
            yield from _problems(list(parts[3]), repeated=repeated)
        elif name == "ATOMIC_GROUP":
            yield from _problems(list(parts), repeated=repeated)
        elif name == "BRANCH":
            if repeated:
                yield "alternatives (a|b) stand inside a repeat: write a set [ab], or repeat single characters only"
            for branch in parts[1]:
                yield from _problems(list(branch), repeated=repeated)
        elif name not in _ONE_CHARACTER | _PLACES:
            yield "references back and looking around cannot be used"


def _cost(nodes: Sequence[Node]) -> tuple[int, int]:
    """How many repeats without bound there are, and the product of all other choices."""
    n_open, choices = 0, 1
    for kind, parts in nodes:
        name = str(kind)
        if name in _REPEATS:
            least, most, inside = parts
            inner_open, inner_choices = _cost(list(inside))
            n_open += inner_open + (int(most) > OPEN)
            choices *= inner_choices * (1 if int(most) > OPEN else int(most) - int(least) + 1)
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            inner_open, inner_choices = _cost(list(parts[3] if name == "SUBPATTERN" else parts))
            n_open, choices = n_open + inner_open, choices * inner_choices
        elif name == "BRANCH":
            costs = [_cost(list(branch)) for branch in parts[1]]
            n_open += max(cost[0] for cost in costs)
            choices *= sum(cost[1] for cost in costs)
    return n_open, choices


def _invalid(field: str, value: str, allowed: str, hint: str, code: str) -> Invalid:
    return Invalid(f"{field} must be {allowed}", code=code, field=field, value=value[:MAX_LENGTH], allowed=allowed, hint=hint)
