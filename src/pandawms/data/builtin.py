"""The built-in data manager: our catalogue is the truth, and places follow from names."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5
from urllib.parse import quote

from pandawms.data.storage import local_path
from pandawms.domain.errors import Unavailable

_PLAIN = re.compile(r"[A-Za-z0-9._-]*")
"""Names that a URL takes as they are."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """The DataManager for data that nobody else manages."""

    name: str = "builtin"

    async def refresh(self, did: str) -> None:
        """Does nothing: the catalogue is the truth for its own datasets."""

    def url(self, root_url: str, scope: str, name: str) -> str:
        """Returns root/scope/aa/bb/name with two bytes of the md5 of scope:name, as Rucio's `hash` algorithm places files: folders stay small.

        As there, the dots of a user's or group's scope become folders (user.ada gives user/ada).
        """
        digest = md5(f"{scope}:{name}".encode(), usedforsecurity=False).hexdigest()
        return f"{_folder(root_url, scope)}/{digest[:2]}/{digest[2:4]}/{name if _PLAIN.fullmatch(name) else quote(name)}"

    async def delete(self, urls: Sequence[str]) -> None:
        """Deletes files of storage that the server reaches by itself; the folders stay."""
        await asyncio.to_thread(_delete, [*urls])


def _delete(urls: Sequence[str]) -> None:
    for url in urls:
        try:
            local_path(url).unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"a file cannot be deleted: {error.strerror}", code="storage.delete", value=url, hint="look at the storage") from error


@lru_cache(maxsize=10_000)
def _folder(root_url: str, scope: str) -> str:
    folder = scope.replace(".", "/") if scope.startswith(("user", "group")) else scope
    return f"{root_url.rstrip('/')}/{quote(folder)}"
