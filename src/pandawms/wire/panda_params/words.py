"""Small translations: names, datasets, patterns, placeholders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

_REGEX_MEANING = re.compile(r"[\\^$*+?{}\[\]|()]")
TAIL_OF_NUMBERS = r"(\.\d+)*"
TOKEN = re.compile(
    r"\$\{(?P<name>[A-Z][A-Z0-9_]*)(?P<index>:[A-Za-z0-9_]+|\[[^\]]*\])?(?:/(?P<style>[A-Z])(?P<more>\[[^\]]*\])?)*\}|\$JEDITASKID|%(?P<word>IN\d*)\b"
)
STYLES = {"L": ":comma", "T": ":comma", "A": ":comma", "F": ":file"}
NUMBERS = {
    "SN": "%SERIAL", "SEQNUMBER": "%SERIAL", "RNDMSEED": "%SEED", "MAXEVENTS": "%EVENTS", "SKIPEVENTS": "%FIRST_EVENT", "FIRSTEVENT": "%FIRST_EVENT",
    "ATTEMPTNR": "%ATTEMPT",
}  # fmt: skip


def task_name(text: str) -> str:
    """A name that a task may have: letters, digits and . _ -, at most 100 of them."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text.rstrip("/")).lstrip("._-")[:100]
    return name or "imported"


def stream_name(text: str) -> str:
    """A name that a stream may have."""
    name = re.sub(r"[^a-z0-9_-]+", "_", text.lower()).strip("_-")[:50]
    return name if name[:1].isalpha() else f"s{name}"[:50]


def file_name(text: str) -> str:
    """A name that a file may have."""
    name = re.sub(r"[^A-Za-z0-9._+=@,-]+", "_", text).lstrip(".-+=@,")[:250]
    return name or "output"


def did(text: str) -> str | None:
    """A dataset as scope:name. Without a scope it is the first part of the name, and the first two for users and groups. None when it cannot be one."""
    scope, colon, name = text.strip().rstrip("/").partition(":")
    if not colon:
        name, parts = scope, scope.split(".")
        scope = ".".join(parts[:2]) if parts[0] in ("user", "group") else parts[0]
    ok = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,98}", scope) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", name)
    return f"{scope}:{name}" if ok else None


def globs(regexes: str) -> list[str] | None:
    """A comma list of regular expressions (found anywhere in a name) as patterns; None when one of them says more than patterns can."""
    found: list[str] = []
    for regex in filter(None, (part.strip() for part in regexes.split(","))):
        tail = regex.endswith((f"{TAIL_OF_NUMBERS}$", TAIL_OF_NUMBERS))
        text = regex.removesuffix("$").removesuffix(TAIL_OF_NUMBERS) if tail else regex
        head = "" if text.startswith("^") else "*"
        end = "" if text.endswith("$") or (tail and regex.endswith("$")) else "*"
        middle = text.removeprefix("^").removesuffix("$").replace(".*", "\0").replace(r"\.", "\1").replace(".", "\2")
        if _REGEX_MEANING.search(middle):
            return None
        plain = middle.replace("\0", "*").replace("\1", ".").replace("\2", "?")
        pattern = re.sub(r"\*+", "*", f"{head}{plain}{end}")
        found += [pattern, f"{pattern}.*"] if tail and end == "" else [pattern]
    return found


def command(text: str, streams: Mapping[str, str], lost: dict[str, str], *, comma: bool = False) -> str:
    """A command with our placeholders; `streams` gives ours for PanDA's, `lost` takes what has none here. With `comma`, %IN is a comma list, as prun has it."""
    parts, end = [], 0
    for match in TOKEN.finditer(text):
        parts += [text[end : match.start()].replace("%", "%%"), _token(match, streams, lost, comma=comma)]
        end = match.end()
    return " ".join("".join([*parts, text[end:].replace("%", "%%")]).split(" ")).strip()


def _token(match: re.Match[str], streams: Mapping[str, str], lost: dict[str, str], *, comma: bool) -> str:
    if match[0] == "$JEDITASKID":
        return "%TASK_ID"
    name = match["word"] or match["name"]
    if name in NUMBERS and not match["index"]:
        return NUMBERS[name]
    if name not in streams or match["more"] or (match["index"] or "").startswith("["):
        lost[match[0]] = "there is no placeholder like it"
        return match[0].replace("%", "%%")
    stream = streams[name]
    if not stream.startswith("in:"):
        return f"%{{{stream}}}"
    style = ":comma" if match["word"] and comma else STYLES.get(match["style"] or "", "")
    if match["style"] == "T":
        lost[match[0]] = "a Python list is written as names with commas"
    return f"%{{{stream.removeprefix('in:')}{style}}}"


def unquoted(text: str) -> str:
    """The text that a client wrote in URL quotes."""
    return unquote(text)


def printable(text: str) -> str:
    """The text without the character NUL, which no document may hold."""
    return text.replace("\0", "")
