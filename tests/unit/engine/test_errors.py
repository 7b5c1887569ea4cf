"""Failures are grouped by what they say, whatever job, host, path or time they name; every job is counted once."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pandawms.engine.aggregate.errors import MOST_GROUPS, SAMPLES, TAKEN_OUT, Failed, as_kept, fingerprint, pattern, summary

START = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("The program ended with exit code 3.", "The program ended with exit code 41.", "The program ended with exit code <n>"),
        ("ran for 3612 s, the limit is 3600 s", "ran for 70.5 s, the limit is 60 s", "ran for <n> s, the limit is <n> s"),
        ("no such file: /data/ada/f000123.root on wn042.cern.ch", "no such file: /scratch/x on n-1.example.org", "no such file: <path> on <host>"),
        ("https://dav.example.org:8443/a?b=1 answered 503", "root://eos.cern.ch//x answered 500", "<url> answered <n>"),
        ("connection to 10.0.0.7:5432 refused", "connection to db.example.org:5432 refused", "connection to <host> refused"),
        ("its checksum is 0a1b2c3d", "its checksum is 99ffee01", "its checksum is <hash>"),
        ("at 2026-11-22T06:35:01.123Z it broke", "at 2025-01-02 03:04:05 it broke", "at <time> it broke"),
        ("lost 6f1e1f3e-1111-4222-8333-123456789abc", "lost 00000000-0000-0000-0000-000000000000", "lost <id>"),
        ("open(file_00012.dat) failed: Permission denied", "open(other-7.dat) failed: Permission denied", "open(<n>) failed: Permission denied"),
        ("src/main.py:42: ValueError", "lib/other.py:7: ValueError", "<path>:<n>: ValueError"),
        ("jobs 12, 13 failed", "jobs 12, 13, 14 and 15 failed", "jobs <n> failed"),
        ("bad   spaces\n\there", "bad spaces here", "bad spaces here"),
    ],
)
def test_messages_that_differ_by_what_they_name_have_one_pattern(one: str, other: str, common: str) -> None:
    assert pattern(one) == pattern(other) == common


@pytest.mark.parametrize("text", ["KeyError: 'pt'", "and/or", "read/write failed", "n/a", "numpy.core.multiarray failed to import", "deadbeef tastes bad"])
def test_words_that_look_a_little_like_names_stay(text: str) -> None:
    assert pattern(text) == text


SCRAPS = [
    "http://a.example.org/x", "2026-11-22T06:35:01Z", "6:35:01", "6f1e1f3e-1111-4222-8333-123456789abc", "/data/x", "C:\\tmp\\x", "./x", "a/b/c", "10.0.0.7:80",
    "db.example.org:5432", "wn042.cern.ch", "n1.local", "0xdeadbeef", "0a1b2c3d", "0A1B2C3D", "12", "1.5e-3", "failed", "on", ",", ":", "-", " ", "\n",
]  # fmt: skip


@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map("".join) | st.lists(st.sampled_from(SCRAPS), max_size=12).map(" ".join) | st.text(max_size=100))
def test_what_is_not_searched_for_want_of_a_sign_would_not_have_been_found(text: str) -> None:
    for _, signs, taken_out in TAKEN_OUT:
        assert any(sign in text for sign in signs) or taken_out.search(text) is None


@given(st.text(max_size=500))
def test_any_message_has_a_pattern_without_digits(text: str) -> None:
    assert not any(character.isascii() and character.isdigit() for character in pattern(text))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=4), st.lists(st.integers(0, 10**9), min_size=1, max_size=4))
def test_numbers_make_no_difference(one: list[int], other: list[int]) -> None:
    assert pattern(f"lost {one[0]} of {one[-1]} files") == pattern(f"lost {other[0]} of {other[-1]} files")


def test_what_failed_otherwise_has_another_fingerprint() -> None:
    prints = {fingerprint("payload", 1305, "a"), fingerprint("payload", 1305, "b"), fingerprint("payload", 1306, "a"), fingerprint("data", 1305, "a")}
    assert len(prints) == 4
    assert fingerprint("payload", 1305, "exit 3") == fingerprint("payload", 1305, "exit 5")


failures = st.lists(
    st.builds(
        lambda code, word, number, queue, n, first, length, job_id: Failed(
            "payload", code, f"{word} {number}", queue, n, START + timedelta(seconds=first), START + timedelta(seconds=first + length), (job_id,)
        ),
        st.sampled_from([1305, 1212]), st.sampled_from(["broke", "died", "stopped"]), st.integers(0, 99), st.sampled_from(["a", "b"]), st.integers(1, 1000),
        st.integers(0, 1000), st.integers(0, 1000), st.integers(1, 10**6),
    ),
    max_size=60,
)  # fmt: skip


@given(failures)
def test_every_job_is_in_one_group_and_each_group_knows_its_queues_and_times(found: list[Failed]) -> None:
    made = summary(found)
    assert made.n == sum(each.n for each in found) == sum(group.n for group in made.groups) + made.n_others
    assert len({group.fingerprint for group in made.groups}) == len(made.groups)
    assert [group.n for group in made.groups] == sorted((group.n for group in made.groups), reverse=True)
    for group in made.groups:
        mine = [each for each in found if fingerprint(each.domain, each.code, each.message) == group.fingerprint]
        assert dict(group.queues) == {queue: sum(each.n for each in mine if each.queue == queue) for queue in {each.queue for each in mine}}
        assert (group.first_at, group.last_at) == (min(each.first_at for each in mine), max(each.last_at for each in mine))
        assert set(group.job_ids) <= {job_id for each in mine for job_id in each.job_ids} and len(group.job_ids) <= SAMPLES


@given(failures)
def test_the_order_in_which_failures_come_makes_no_difference(found: list[Failed]) -> None:
    told = summary(found)
    shuffled = sorted(found, key=lambda each: (each.message, each.n, each.job_ids))
    again = summary(shuffled)
    assert [(g.fingerprint, g.n, g.queues, g.job_ids) for g in again.groups] == [(g.fingerprint, g.n, g.queues, g.job_ids) for g in told.groups]


def test_what_is_told_has_a_bound_and_the_rest_is_counted() -> None:
    words = [chr(97 + i // 26) + chr(97 + i % 26) for i in range(150)]
    made = summary([Failed("payload", 1305, word, "a", 1, START, START, (1,)) for word in words])
    assert (len(made.groups), made.n_others, made.n) == (MOST_GROUPS, 50, 150)
    assert len(as_kept(made)) == 10
