"""GPUs: whether those of a slot are what a job asks for."""

from __future__ import annotations

from fnmatch import fnmatchcase

ANY_MODEL = "any"
"""What a job asks for that takes every model; a slot whose model nobody told has an empty one."""


def is_model(wanted: str, offered: str) -> bool:
    """Whether a model fits a pattern such as `*A100*` (*, ? and [...] as in file names, capitals or not). An unknown model fits nothing but `any`."""
    return wanted == ANY_MODEL or (offered != "" and fnmatchcase(offered.lower(), wanted.lower()))
