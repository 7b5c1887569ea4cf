"""Cursors and filters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.api.paging import after, cursor_of, statuses
from pandawms.domain.errors import Invalid
from pandawms.store.ids import BIGINT
from pandawms.store.lists import DATASETS, FILES, JOBS, TASKS, UNITS, WORKERS, build


@given(st.integers(0, BIGINT))
def test_a_cursor_gives_back_its_id(item_id: int) -> None:
    assert after(cursor_of(item_id)) == item_id


@given(st.text(max_size=100))
def test_any_other_text_is_refused_or_none_of_ours(text: str) -> None:
    try:
        found = after(text)
    except Invalid as error:
        assert error.field == "cursor"
        return
    assert found is not None
    assert after(cursor_of(found)) == found


def test_statuses_are_words_with_commas_between() -> None:
    assert statuses("done, failed", ["done", "failed"]) == ["done", "failed"]
    assert statuses(None, ["done"]) is None
    assert statuses(",", ["done"]) is None
    with pytest.raises(Invalid) as caught:
        statuses("dnoe", ["done", "failed"])
    assert (caught.value.allowed, caught.value.hint) == ("done, failed", "did you mean done?")


def test_only_whitelisted_filters_become_sql_and_values_are_parameters() -> None:
    evil = "'; DROP TABLE task; --"
    statement, parameters = build(TASKS, {"name": evil, "owner": None, "status": ["done"]}, 7, 10)
    assert evil not in statement
    assert parameters == [evil, ["done"], 7]
    assert statement.endswith(" WHERE t.name = $1::text AND t.status = ANY ($2::text[]) AND t.task_id < $3::bigint ORDER BY t.task_id DESC LIMIT 10")
    with pytest.raises(KeyError):
        build(TASKS, {"reason": "x"}, None, 10)


def test_every_filter_takes_exactly_one_parameter_or_none_for_a_yes_or_no() -> None:
    for listing in (TASKS, JOBS, UNITS, DATASETS, FILES, WORKERS):
        for condition in listing.filters.values():
            assert condition.count("{}") == 1 if isinstance(condition, str) else set(condition) == {True, False}


def test_only_tables_that_can_have_the_statuses_are_read() -> None:
    for words, tables in (
        (["failed"], {"job_archive"}),
        (["running"], {"job"}),
        (["running", "failed"], {"job", "job_archive"}),
        (None, {"job", "job_archive"}),
    ):
        statement, _ = build(JOBS, {"status": words}, None, 10)
        assert {table for table in ("job", "job_archive") if f" FROM {table})" in statement} == tables
    assert "standing = 'leased'" in build(JOBS, {"status": ["running", "sent"]}, None, 10)[0]
    assert "standing = 'leased'" not in build(JOBS, {"status": ["running", "activated"]}, None, 10)[0]
    assert "status <> 'finished'" in build(JOBS, {"status": ["failed", "running"]}, None, 10)[0]
    assert "status <> 'finished'" not in build(JOBS, {"status": ["failed", "finished"]}, None, 10)[0]
