"""Finds plugins by their entry points, once, in the composition root."""

from importlib.metadata import EntryPoint, entry_points

from pandawms.domain.errors import Invalid
from pandawms.plugins.broker_rule import BrokerRule

BROKER_RULES = "pandawms.broker_rules"
GROUPS = (BROKER_RULES,)


def broker_rules() -> tuple[BrokerRule, ...]:
    """Returns the broker rules that installed distributions bring, by name. Raises Invalid when one has no `judge`."""
    return tuple(_rule(point) for point in sorted(entry_points(group=BROKER_RULES), key=lambda point: point.name))


def _rule(point: EntryPoint) -> BrokerRule:
    loaded = point.load()
    rule = loaded() if isinstance(loaded, type) else loaded
    if not callable(getattr(rule, "judge", None)) or not isinstance(getattr(rule, "name", None), str):
        raise Invalid(
            f"the entry point {point.name} is no broker rule", code="plugin.invalid", field=BROKER_RULES, value=point.value,
            allowed="an object with a name and judge(task, queue)", hint="see examples/plugin",
        )  # fmt: skip
    found: BrokerRule = rule
    return found
