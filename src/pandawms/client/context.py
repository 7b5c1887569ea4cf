"""Which system a client talks to, and as whom: the only place on the client's side that reads environment and files.

Asked in this order: what the caller gives, PANDA_URL and PANDA_TOKEN, ~/.config/panda/config.toml, the data folder of the
local system (PANDA_DATA, else ~/.local/share/panda) with its run/endpoint.json and tokens/user.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pandawms.domain.errors import Denied, Invalid, Unavailable, did_you_mean

CONFIG_KEYS = ("url", "token", "token_file")


@dataclass(frozen=True, slots=True)
class Context:
    """An address, a token for it, and where both were found."""

    url: str
    token: str | None
    source: str


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    url: str | None
    token: str | None


def find_context(
    url: str | None = None,
    token: str | None = None,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Context:
    """The first address of all sources, with a token that was given for it.

    A token is only ever sent to the address of its own source, or of a source without an address of its own. Raises
    Unavailable when there is no address at all, Invalid for a bad address or configuration file.
    """
    sources = list(_sources(url, token, data, os.environ if environment is None else environment))
    found = next((source for source in sources if source.url), None)
    if found is None or found.url is None:
        raise Unavailable(
            "no system is known here",
            code="no_system",
            hint="start one with `panda up`, or name one with --url or PANDA_URL",
        )
    address = checked_url(found.url)
    tokens = [source.token for source in sources if source.token and _plain_url(source.url or address) == address]
    return Context(address, tokens[0] if tokens else None, found.name)


def checked_url(url: str) -> str:
    """The address without a slash at its end; raises Invalid unless it is http or https with a host."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_good = False
    if not is_good:
        hint = "write for example http://127.0.0.1:8123"
        raise Invalid(
            f"{url} is not the address of a server",
            code="bad_url",
            field="url",
            value=url,
            allowed="http://… or https://…",
            hint=hint,
        )
    return _plain_url(url)


def _plain_url(url: str) -> str:
    return url.rstrip("/").removesuffix("/api/v2")


def data_folder(environment: Mapping[str, str]) -> Path:
    """The data folder of the local system."""
    return Path(environment.get("PANDA_DATA") or Path.home() / ".local/share/panda")


def _sources(url: str | None, token: str | None, data: Path | None, environment: Mapping[str, str]) -> Iterator[_Source]:
    yield _Source("--url", url, token)
    if data is not None:
        yield _local(data)
        if url is None:
            return
    yield _Source("PANDA_URL", environment.get("PANDA_URL"), environment.get("PANDA_TOKEN"))
    config_home = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    yield _configured(config_home / "panda/config.toml")
    yield _local(data_folder(environment))


def _configured(path: Path) -> _Source:
    text = _read(path)
    if text is None:
        return _Source(str(path), None, None)
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path} is not TOML: {error}", code="malformed", field=str(path), hint='write for example url = "http://…"') from None
    for key, value in settings.items():
        if key not in CONFIG_KEYS or not isinstance(value, str):
            near = did_you_mean(key, CONFIG_KEYS)
            hint = f"did you mean {near}?" if near else "only text values of " + ", ".join(CONFIG_KEYS)
            raise Invalid(f"{key} in {path} is not understood", code="unknown_field", field=key, value=str(value), hint=hint)
    token = settings.get("token")
    if token is None and "token_file" in settings:
        token = (_read(path.parent / Path(settings["token_file"]).expanduser()) or "").strip() or None
    return _Source(str(path), settings.get("url"), token)


def _local(data: Path) -> _Source:
    text = _read(data / "run/endpoint.json")
    try:
        endpoint = json.loads(text) if text else {}
    except json.JSONDecodeError:
        endpoint = {}
    url = endpoint.get("url") if isinstance(endpoint, dict) else None
    token = (_read(data / "tokens/user") or "").strip() if url else ""
    return _Source(str(data), url, token or None)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        hint = "it belongs to another user: use your own system or token"
        raise Denied(f"{path} may not be read", code="forbidden", field=str(path), hint=hint) from None
