"""Retry rules: seen by users, made and changed by operators, and tried on the past before they act."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, RequestBody

from pandawms.api.call import Call
from pandawms.api.once import once
from pandawms.api.paging import whole
from pandawms.api.policies import Action
from pandawms.api.views_of_rules import rule_view, simulation
from pandawms.domain.errors import Conflict, NotFound, did_you_mean
from pandawms.domain.retry_rule import Rule
from pandawms.engine.aggregate.retries.defaults import BUILT_IN
from pandawms.engine.aggregate.retries.past import try_rules
from pandawms.store import retry_rules
from pandawms.store.database import Connection
from pandawms.store.retry_rules import RuleRow
from pandawms.wire.page import Page
from pandawms.wire.retry_rule import RetryRule, RetryRulePatch, RetryRuleSpec, RuleSet, Simulation
from pandawms.wire.retry_rule_checks import checked_rule, patched, spec_of

LOOK, OPERATE = {"policy": Action.LOOK}, {"policy": Action.OPERATE}
STANDARD = {rule.name: rule for rule in BUILT_IN}
MOST_RULES = 1_000
"""Rules of the operators: each failure is put to all of them."""


@get("/retry-rules", opt=LOOK)
async def page(request: Call) -> Page[RetryRule]:
    """All rules in the order of their names: those of the operators, and the built-in ones that none of these replaces."""
    async with request.core.pool.acquire() as connection:
        return whole(list((await _all(connection)).values()))


async def _all(connection: Connection) -> dict[str, RetryRule]:
    own = {row.rule.name: rule_view(row.rule, row, replaces=row.rule.name in STANDARD) for row in await retry_rules.rules(connection)}
    return dict(sorted(({name: rule_view(rule) for name, rule in STANDARD.items()} | own).items()))


@get("/retry-rules/{name:str}", opt=LOOK)
async def get_rule(request: Call, name: FromPath[str]) -> RetryRule:
    """One rule."""
    async with request.core.pool.acquire() as connection:
        known = await _all(connection)
    if name not in known:
        raise _unknown(name, known)
    return known[name]


@post("/retry-rules", opt=OPERATE | {"is_repeatable": True}, status_code=201)
async def create(request: Call, data: RequestBody[RetryRuleSpec]) -> Response[RetryRule]:
    """Makes a rule, which acts on the failures that are judged from now on. One with the name of a built-in rule stands in its place."""
    rule = checked_rule(data)

    async def work(connection: Connection) -> dict[str, Any]:
        if len(await retry_rules.rules(connection)) >= MOST_RULES:
            raise _too_many()
        if await retry_rules.add(connection, rule, request.who.user_id) is None:
            raise Conflict(
                f"there is a rule {rule.name}", code="rule.exists", field="name", value=rule.name, allowed="a name that no rule of the operators has",
                hint=f"change it: PATCH /retry-rules/{rule.name}, or `panda rules edit {rule.name}`",
            )  # fmt: skip
        return {"name": rule.name}

    done = await once(request, work)
    return Response(await _seen(request, rule.name), status_code=201 if done.is_new else 200)


async def _seen(request: Call, name: str) -> RetryRule:
    async with request.core.pool.acquire() as connection:
        known = await _all(connection)
    if name not in known:
        raise _unknown(name, known)
    return known[name]


@patch("/retry-rules/{name:str}", opt=OPERATE)
async def change(request: Call, name: FromPath[str], data: RequestBody[RetryRulePatch]) -> RetryRule:
    """Changes a rule; what is not given stays. A built-in rule is replaced by one of the operators with its name."""
    async with request.core.pool.acquire() as connection, connection.transaction():
        row = await retry_rules.hold(connection, name)
        before = row.rule if row is not None else STANDARD.get(name)
        if before is None:
            raise _unknown(name, await _all(connection))
        if data.version is not None and data.version != before.version:
            raise Conflict(
                f"rule {name} was changed meanwhile", code="rule.changed", field="version", value=data.version, allowed=str(before.version),
                hint="read it again, then change it",
            )  # fmt: skip
        rule = checked_rule(patched(spec_of(before), data))
        await _put(connection, row, replace(rule, version=before.version), request.who.user_id)
    return await _seen(request, name)


async def _put(connection: Connection, row: RuleRow | None, rule: Rule, user_id: int) -> None:
    if row is not None:
        await retry_rules.change(connection, rule, user_id)
    elif await retry_rules.add(connection, rule, user_id) is None:
        raise Conflict(f"rule {rule.name} was made meanwhile", code="rule.changed", field="name", value=rule.name, hint="read it again, then change it")


@delete("/retry-rules/{name:str}", opt=OPERATE, status_code=204)
async def remove(request: Call, name: FromPath[str]) -> None:
    """Removes a rule of the operators; a built-in one of its name acts again. What it did stays known."""
    async with request.core.pool.acquire() as connection, connection.transaction():
        if await retry_rules.remove(connection, name, request.who.user_id):
            return
        if name in STANDARD:
            raise Conflict(
                f"{name} is a built-in rule", code="rule.built_in", field="name", value=name, allowed="rules of the operators",
                hint=f"switch it off: `panda rules edit {name} --mode off`",
            )  # fmt: skip
        raise _unknown(name, await _all(connection))


@post("/retry-rules/simulate", opt=OPERATE, status_code=200)
async def simulate(request: Call, data: RequestBody[RuleSet]) -> Simulation:
    """What rules would have done to the failures of the last days, were they in the table; nothing is changed."""
    rules = [checked_rule(spec, f"rules[{n}].") for n, spec in enumerate(data.rules)]
    since = datetime.now(UTC) - timedelta(days=data.days)
    async with request.core.reading() as connection:
        tried = await try_rules(connection, rules, since)
    return simulation(tried, since)


def _too_many() -> Conflict:
    return Conflict(
        f"there are {MOST_RULES} rules", code="rule.too_many", field="name", allowed=f"at most {MOST_RULES}", hint="remove those that match nothing any more"
    )


def _unknown(name: str, known: dict[str, RetryRule]) -> NotFound:
    near = did_you_mean(name, known)
    return NotFound(
        f"there is no retry rule {name[:100]}", code="rule.unknown", field="name", value=name[:100], allowed="the name of a rule",
        hint=f"did you mean {near}?" if near else "`panda rules ls` lists them",
    )  # fmt: skip


ROUTES = (page, get_rule, create, change, remove, simulate)
