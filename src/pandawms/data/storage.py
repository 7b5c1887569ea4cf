"""Files on storage endpoints, as the server reaches them; a pilot reaches them by its own code."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pandawms.domain.errors import Unavailable


def local_path(url: str) -> Path:
    """Returns the path of a file:// url. Raises Unavailable for a url that the server cannot reach by itself."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        raise Unavailable(f"the server cannot read {parts.scheme} storage", code="storage.scheme", value=url, allowed="file", hint="fetch it from the storage")
    return Path(unquote(parts.path))
