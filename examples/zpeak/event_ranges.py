"""Which events a result was made from, as short lists of [first, last] ranges: no event missing, none twice."""

import itertools


class EventTwiceError(Exception):
    """An event number came in more than once."""


def from_numbers(numbers):
    """The ranges that cover exactly these event numbers, sorted; raises EventTwiceError when one is there twice."""
    return joined([number, number] for number in numbers)


def joined(ranges):
    """The same events in the fewest ranges, sorted; raises EventTwiceError when two ranges share an event."""
    result = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1]:
            end = min(last, result[-1][1])
            raise EventTwiceError(f"events {first} to {end} are there twice" if end > first else f"event {first} is there twice")
        if result and first == result[-1][1] + 1:
            result[-1][1] = last
        else:
            result.append([first, last])
    return result


def count(ranges):
    """How many events lie in these ranges."""
    return sum(last - first + 1 for first, last in ranges)


def gaps(ranges):
    """The ranges of events that are missing between the first and the last one of `ranges` (sorted, disjoint)."""
    return [[before[1] + 1, after[0] - 1] for before, after in itertools.pairwise(ranges)]
