"""The issuer's key on disk."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pandawms.api.tokens import load_or_create_key, unverified_claims


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "issuer.json"
    first = load_or_create_key(path)
    assert load_or_create_key(path).as_dict(private=True) == first.as_dict(private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["issuer.json"]


def test_programs_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    path = tmp_path / "issuer.json"
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: load_or_create_key(path).as_dict(private=True)["x"], range(8)))
    assert len(set(map(str, keys))) == 1


def test_what_is_no_token_claims_nothing() -> None:
    for text in ("", "a", "a.b", "a.b.c", "a.!!.c", "a.W10.c", "ä.ö.ü"):
        assert unverified_claims(text) == {}
