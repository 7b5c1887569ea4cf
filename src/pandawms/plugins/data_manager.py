"""Data management behind one seam: where files are and where new ones go."""

from collections.abc import Sequence
from typing import Protocol


class DataManager(Protocol):
    """What the engine asks of a data management system; the built-in catalogue is `data.builtin.BuiltIn`.

    The rows of datasets and files are always in our catalogue, whoever owns the data: `refresh` brings them up to date.
    """

    @property
    def name(self) -> str:
        """The word by which settings and logs call it."""
        ...

    async def refresh(self, did: str) -> None:
        """Brings the catalogue's rows of the dataset `did` (scope:name) up to date with the system that owns it.

        Called outside any transaction, before the files of a dataset are listed. Raises NotFound when it does not exist there, Unavailable when the
        system does not answer; then the task waits and it is asked again.
        """
        ...

    def url(self, root_url: str, scope: str, name: str) -> str:
        """Returns where the file scope:name is, or belongs, on the storage endpoint that begins at `root_url`. Pure and stable."""
        ...

    async def delete(self, urls: Sequence[str]) -> None:
        """Deletes the files at these places, as `url` gave them; one that is not there is deleted already.

        Called outside any transaction, and again for all of them when it fails in the middle. Raises Unavailable when the storage does not answer.
        """
        ...
