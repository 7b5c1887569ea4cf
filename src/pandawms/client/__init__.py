"""The typed Python client of the REST API, for scripts, notebooks and the command line.

Takes an address and a token, gives the types of `wire`, raises the errors of `domain`. It knows nothing of the database or
of the engine: whatever it does, anybody can do over HTTP.
"""

from __future__ import annotations

from pandawms.client.attempts import RetryPolicy
from pandawms.client.client import AsyncClient, Client
from pandawms.client.context import Context, find_context
from pandawms.client.tasks import is_over
from pandawms.domain.errors import Conflict, Denied, Invalid, Limit, NotFound, PandaError, Unavailable

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Context",
    "Denied",
    "Invalid",
    "Limit",
    "NotFound",
    "PandaError",
    "RetryPolicy",
    "Unavailable",
    "find_context",
    "is_over",
]
