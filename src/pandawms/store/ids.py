"""Ids as they come from outside: whole numbers that the database can hold."""

from pandawms.domain.errors import NotFound

BIGINT = 2**63 - 1


def checked_id(value: int, field: str) -> int:
    """Returns the id when the database can hold it. Raises NotFound otherwise: nothing has such an id."""
    if 0 < value <= BIGINT:
        return value
    raise NotFound(f"there is no {field.removesuffix('_id')} {value}", code="unknown_id", field=field, value=value, hint="ids are positive and of 64 bits")
