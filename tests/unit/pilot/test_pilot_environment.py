"""What installers say (pip 23 and 24, uv 0.4 and 0.9) is understood and told in one line."""

from __future__ import annotations

import pytest

from pandawms.domain.codes import Code
from pandawms.pilot.environment import understood

_PIP_PARSE = """ERROR: Invalid requirement: 'not a requirement!': Expected end or semicolon (after name and no valid version specifier)
    not a requirement!
        ^
"""
_UV_PARSE = """error: Failed to parse: `numpy>=x`
  cause: expected version to start with a number, but no leading ASCII digits were found
         numpy>=x
              ^^^
"""
_UV_OLD_PARSE = """error: Failed to parse: `numpy>=x`
  Caused by: expected version to start with a number
numpy>=x
     ^^^
"""
_UV_NONE = """Using Python 3.11.7 environment at: env
error: No solution found when resolving dependencies
  cause: Because nope was not found in the package registry and you require nope, we can conclude that your requirements are unsatisfiable.
"""
_UV_OLD_NONE = """  \u00d7 No solution found when resolving dependencies:
  ╰─▶ Because nope was not found in the package registry and you require nope, we can
      conclude that your requirements are unsatisfiable.
"""
_PIP_NONE = """Looking in indexes: https://pypi.org/simple
ERROR: Could not find a version that satisfies the requirement numpy==99 (from versions: 1.3.0, 2.4.6)
ERROR: No matching distribution found for numpy==99
"""
_PIP_AWAY = """WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(refused)': /simple/numpy/
ERROR: Could not find a version that satisfies the requirement numpy (from versions: none)
ERROR: No matching distribution found for numpy
"""
_UV_AWAY = """error: Failed to fetch: `https://127.0.0.1:9/numpy/`
  Caused by: Could not connect, are you offline?
  Caused by: Connection refused (os error 111)
"""
_PIP_FULL = """ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device
"""


@pytest.mark.parametrize(
    ("said", "code", "message"),
    [
        (_PIP_PARSE, Code.ENVIRONMENT_IMPOSSIBLE, _PIP_PARSE.splitlines()[0][7:]),
        (
            _UV_PARSE,
            Code.ENVIRONMENT_IMPOSSIBLE,
            "Failed to parse: `numpy>=x`: expected version to start with a number, but no leading ASCII digits were found",
        ),
        (_UV_OLD_PARSE, Code.ENVIRONMENT_IMPOSSIBLE, "Failed to parse: `numpy>=x`: expected version to start with a number"),
        (_UV_NONE, Code.ENVIRONMENT_IMPOSSIBLE, "No solution found when resolving dependencies: " + _UV_NONE.splitlines()[2][9:]),
        (
            _UV_OLD_NONE,
            Code.ENVIRONMENT_IMPOSSIBLE,
            "No solution found when resolving dependencies: Because nope was not found in the package registry and you require nope, we can",
        ),
        (_PIP_NONE, Code.ENVIRONMENT_IMPOSSIBLE, "No matching distribution found for numpy==99"),
        (
            _PIP_AWAY,
            Code.ENVIRONMENT_NOT_BUILT,
            "No matching distribution found for numpy: connection broken by 'NewConnectionError(refused)': /simple/numpy/",
        ),
        (
            _UV_AWAY,
            Code.ENVIRONMENT_NOT_BUILT,
            "Failed to fetch: `https://127.0.0.1:9/numpy/`: Could not connect, are you offline?: Connection refused (os error 111)",
        ),
        (_PIP_FULL, Code.NO_LOCAL_SPACE, _PIP_FULL.strip()[7:]),
        ("Fatal: it broke\n\n", Code.ENVIRONMENT_NOT_BUILT, "Fatal: it broke"),
        ("", Code.ENVIRONMENT_NOT_BUILT, ""),
    ],
)
def test_an_installers_words_become_a_code_and_one_line(said: str, code: Code, message: str) -> None:
    assert understood(said) == (code, message)
