"""The page docs/reference/settings.md: every key of panda.toml."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import msgspec

from pandawms.main.docs.markdown import generated, page, table
from pandawms.main.settings import SECTIONS, Settings

HEAD = f"""{generated("src/pandawms/main/settings.py")}

# Settings

A data folder may have a file `panda.toml`. Every key can also be given in the environment, which wins: `PANDA_SERVER_PORT=8443` over `port` in `[server]`.
An unknown key or a wrong value is refused when a program starts, with the key, the value and what is allowed.
"""

EXAMPLE = """## An example

```toml
[database]
url = "postgresql://panda@db.example.org/panda"

[server]
host = "0.0.0.0"
port = 8443
tls_certificate = "/etc/panda/server.pem"
tls_key = "/etc/panda/server.key"
public_url = "https://panda.example.org:8443"

[engine]
lease_seconds = 300
```
"""


def settings_page() -> str:
    """The page as text."""
    top = [field for field in msgspec.structs.fields(Settings) if field.name not in SECTIONS]
    parts = [HEAD, *(f"## [{name}]\n\n{kind.__doc__ or ''}\n\n{_table(name, msgspec.structs.fields(kind))}" for name, kind in SECTIONS.items())]
    return page([*parts, f"## At the top\n\n{_table('', top)}", EXAMPLE])


def _table(section: str, fields: Any) -> str:
    return table(("Key", "Type", "Default", "Environment", "Meaning"), [_row(section, field) for field in fields])


def _row(section: str, field: Any) -> tuple[str, ...]:
    kind, meta = _parts(field.type)
    variable = f"`PANDA_{section.upper()}_{field.name.upper()}`" if section else ""
    return (f"`{field.name}`", kind, f"`{field.default!r}`", variable, " ".join(filter(None, (meta.description, _limits(meta)))))


def _parts(kind: Any) -> tuple[str, msgspec.Meta]:
    metas = [extra for extra in get_args(kind)[1:] if isinstance(extra, msgspec.Meta)]
    base = get_args(kind)[0] if metas else kind
    name = base.__name__ if get_origin(base) is None else str(base).replace("typing.", "")
    return name, metas[0] if metas else msgspec.Meta()


def _limits(meta: msgspec.Meta) -> str:
    bounds = [f"at least {meta.ge}" if meta.ge is not None else "", f"more than {meta.gt}" if meta.gt is not None else "", f"at most {meta.le}" if meta.le is not None else ""]
    given = [bound for bound in bounds if bound]
    return f"({', '.join(given)})" if given else ""
