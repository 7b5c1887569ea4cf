"""The page docs/reference/error-codes.md: how a job may end."""

from __future__ import annotations

from pandawms.domain.codes import Code, Domain
from pandawms.main.docs.markdown import generated, page, sentence, table

CODES_HEAD = f"""{generated('src/pandawms/domain')}

# Error codes

How a job ended is an outcome: a domain, a code, the program's exit code or signal, and a message. Numbers below 2000 are PanDA's. The
same number may appear in two domains, so a code is always named with its domain. *Again* says whether another attempt may succeed.
"""


def codes_page() -> str:
    """The page docs/reference/error-codes.md."""
    parts = [CODES_HEAD]
    for domain in Domain:
        rows = [_code_row(code) for code in sorted(Code, key=lambda code: code.number) if code.domain is domain]
        parts.append(f"## {domain.value}\n\n{sentence(domain.meaning)}\n\n" + table(("Code", "Name", "Meaning", "Owner", "Again", "What would help"), rows))
    return page(parts)


def _code_row(code: Code) -> tuple[str, ...]:
    return (str(code.number), f"`{code.name.lower()}`", code.meaning, code.owner.value, "yes" if code.retryable else "no", code.advice)
