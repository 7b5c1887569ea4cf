"""What a requirement of a Python package may look like (PEP 508): one name, then extras, versions or an address, then a marker. Pure.

Stricter than pip in what it does not need: no options, no paths, no parentheses in markers, no environment variables in addresses.
"""

from __future__ import annotations

import re

ALLOWED = 'a requirement of one package: name[extra]>=1.0,<2; python_version < "3.12"'
HINT = 'write for example "numpy==2.4.6"; options of pip, paths and commands cannot be given'

_BLANK = r"[ \t]*"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_EXTRAS = rf"\[{_BLANK}{_NAME}{_BLANK}(?:,{_BLANK}{_NAME}{_BLANK})*\]"
_CLAUSE = rf"(?:===|==|~=|!=|<=|>=|<|>){_BLANK}v?[0-9][A-Za-z0-9.!+_*-]*"
_CLAUSES = rf"{_CLAUSE}(?:{_BLANK},{_BLANK}{_CLAUSE})*"
_VERSIONS = rf"(?:{_CLAUSES}|\({_BLANK}{_CLAUSES}{_BLANK}\))"
_ADDRESS = rf"@{_BLANK}(?:https?|file|git\+(?:https?|ssh|file))://[A-Za-z0-9._~:/?#@!&+,=%-]+"
_VARIABLE = (
    r"(?:python_version|python_full_version|os_name|sys_platform|platform_release|platform_system|platform_version|platform_machine"
    r"|platform_python_implementation|implementation_name|implementation_version|extra)"
)
_WORD = r"""(?:"[A-Za-z0-9 ._*+!-]*"|'[A-Za-z0-9 ._*+!-]*')"""
_COMPARED = rf"{_VARIABLE}{_BLANK}(?:(?:===|==|~=|!=|<=|>=|<|>){_BLANK}|[ \t](?:not[ \t]+)?in[ \t]+){_WORD}"
_MARKER = rf";{_BLANK}{_COMPARED}(?:[ \t]+(?:and|or)[ \t]+{_COMPARED})*"
_REQUIREMENT = re.compile(rf"{_NAME}{_BLANK}(?:{_EXTRAS})?{_BLANK}(?:(?:{_VERSIONS})?(?:{_BLANK}{_MARKER})?|{_ADDRESS}(?:[ \t]+{_MARKER})?){_BLANK}")


def is_requirement(text: str) -> bool:
    """Whether a text names one package as PEP 508 has it, in the shape that ALLOWED tells."""
    return _REQUIREMENT.fullmatch(text) is not None
