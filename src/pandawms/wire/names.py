"""Names and words that cross the wire, as annotated types: what may be in them and how long they may be.

Every pattern ends in `$(?!\\n)`, because Python's `$` alone would accept a line end after the name.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Name = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)",
        min_length=1,
        max_length=100,
        description="Letters, digits, dot, underscore and hyphen; starts with a letter or a digit.",
    ),
]
StreamName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9_-]*$(?!\n)",
        min_length=1,
        max_length=50,
        description="Name of an input or output inside a task: lower-case letters, digits, underscore and hyphen.",
    ),
]
DatasetName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)",
        min_length=3,
        max_length=300,
        description="A dataset as scope:name.",
    ),
]
ScopeName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)",
        min_length=1,
        max_length=100,
        description="The first half of a dataset name.",
    ),
]
DatasetLocalName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)",
        min_length=1,
        max_length=200,
        description="The second half of a dataset name.",
    ),
]
FileName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+=@,-]*$(?!\n)",
        min_length=1,
        max_length=250,
        description="A plain file name without folder; no blanks, no characters that a shell would read.",
    ),
]
FilePattern = Annotated[
    str,
    Meta(
        pattern=r"^[^/\x00-\x1f]+$(?!\n)",
        min_length=1,
        max_length=250,
        description="A pattern for file names as shells have it: * any letters, ? one letter, [abc] one of these.",
    ),
]
InputFileName = Annotated[
    str,
    Meta(
        pattern=r"^[^/\x00-\x1f]+$(?!\n)",
        min_length=1,
        max_length=250,
        description="The name of a file as its dataset has it.",
    ),
]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)", description="SHA-256 in 64 lower-case hexadecimal digits.")]
Adler32 = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}$(?!\n)", description="Adler-32 in 8 lower-case hexadecimal digits.")]
Guid = Annotated[str, Meta(pattern=r"^[0-9A-Fa-f-]{32,36}$(?!\n)", description="A globally unique id, with or without hyphens.")]
VariableName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)",
        min_length=1,
        max_length=200,
        description="Name of an environment variable.",
    ),
]
Command = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=65_536,
        description="Run by /bin/sh in the job's work folder, after its placeholders were replaced.",
    ),
]

FILE_NAME_RULE = "begins with a letter, a digit or _; then letters, digits and . _ + = @ , -; at most 250 characters"
"""What FileName takes, in words, for errors about names of files."""

PATTERN_MEANINGS = {
    r"^[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)": "letters, digits and . _ - after a first letter or digit",
    r"^[a-z][a-z0-9_-]*$(?!\n)": "lower-case letters, digits and _ - after a first letter",
    r"^[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._-]*$(?!\n)": "a dataset as scope:name",
    r"^[A-Za-z0-9_][A-Za-z0-9._+=@,-]*$(?!\n)": "a plain file name without folder, blanks or shell characters",
    r"^[^/\x00-\x1f]+$(?!\n)": "a file name or pattern without folder and control characters",
    r"^[0-9a-f]{64}$(?!\n)": "64 lower-case hexadecimal digits",
    r"^[0-9a-f]{8}$(?!\n)": "8 lower-case hexadecimal digits",
    r"^[0-9A-Fa-f-]{32,36}$(?!\n)": "a GUID of 32 hexadecimal digits, with or without hyphens",
    r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)": "letters, digits and _ after a first letter or _",
}
"""What each pattern means in words, for people who read an error."""
