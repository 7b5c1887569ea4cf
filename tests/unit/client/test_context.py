"""Which system and which token: the order of the sources, and no token to a foreign address."""

from __future__ import annotations

from pathlib import Path

import pytest

from pandawms.client.context import find_context
from pandawms.domain.errors import Invalid, Unavailable

LOCAL = "http://127.0.0.1:8123"


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    for folder in ("data/run", "data/tokens", "config/panda"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "data/run/endpoint.json").write_text(f'{{"url": "{LOCAL}"}}')
    (tmp_path / "data/tokens/user").write_text("local-token\n")
    return {"PANDA_DATA": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_the_local_system_is_found_with_its_token(home: dict[str, str]) -> None:
    context = find_context(environment=home)
    assert (context.url, context.token, context.source) == (LOCAL, "local-token", home["PANDA_DATA"])


def test_configuration_then_environment_then_options_win(home: dict[str, str]) -> None:
    config = Path(home["XDG_CONFIG_HOME"]) / "panda/config.toml"
    config.write_text('url = "https://c.example"\ntoken_file = "secret"\n')
    (config.parent / "secret").write_text("c-token\n")
    assert find_context(environment=home).token == "c-token"
    home |= {"PANDA_URL": "https://e.example/", "PANDA_TOKEN": "e-token"}
    assert find_context(environment=home).url == "https://e.example"
    given = find_context("https://o.example/api/v2/", "o", environment=home)
    assert (given.url, given.token) == ("https://o.example", "o")


def test_a_token_never_goes_to_an_address_that_it_was_not_given_for(home: dict[str, str]) -> None:
    assert find_context("https://foreign.example", environment=home).token is None
    assert find_context(LOCAL + "/", environment=home).token == "local-token"
    assert find_context("https://foreign.example", environment=home | {"PANDA_TOKEN": "mine"}).token == "mine"


def test_a_data_folder_that_is_named_is_the_only_one_asked(home: dict[str, str], tmp_path: Path) -> None:
    assert find_context(data=Path(home["PANDA_DATA"]), environment={}).token == "local-token"
    with pytest.raises(Unavailable, match="no system"):
        find_context(data=tmp_path / "nothing", environment=home)


@pytest.mark.parametrize("text", ["url = 5", 'ulr = "x"', "url"])
def test_a_configuration_with_a_mistake_is_refused(home: dict[str, str], text: str) -> None:
    (Path(home["XDG_CONFIG_HOME"]) / "panda/config.toml").write_text(text)
    with pytest.raises(Invalid):
        find_context(environment=home)


@pytest.mark.parametrize("url", ["127.0.0.1:80", "ftp://x", "http://", "http://h:99999"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        find_context(url, environment={})
