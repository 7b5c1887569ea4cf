"""What every handler is given: the database, the engine's doors, the blobs and the limits. Made once in the composition root."""

import asyncio
from dataclasses import dataclass, field

from joserfc.jwk import OKPKey

from pandawms.api.metrics import Metrics
from pandawms.api.tokens import LocalIssuer
from pandawms.data.blobs import Blobs
from pandawms.engine.dispatch.gather import Dispatcher
from pandawms.engine.report.gather import Reporter
from pandawms.engine.services import Services
from pandawms.plugins.authenticator import Authenticator
from pandawms.store.database import Pool

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """Limits of the API; sizes in bytes, times in seconds.

    `longest_wait_seconds` caps a pilot's long poll (a proxy often gives up after 60 s), `claim_poll_seconds` is how often a waiting
    claim looks again when no bell was heard, `list_seconds` limits the query of a list, `token_cache_seconds` how
    long a token is believed before the database is asked again, `event_silence_seconds` how often a silent stream says that it lives.
    """

    max_body_bytes: int = 16 * MIB
    max_sandbox_bytes: int = 100 * MIB
    max_log_bytes: int = 10 * MIB
    max_upload_bytes: int = 10_240 * MIB
    max_log_member_bytes: int = 16 * MIB
    longest_wait_seconds: float = 50
    claim_poll_seconds: float = 5
    list_seconds: float = 10
    token_cache_seconds: float = 5
    event_poll_seconds: float = 0.5
    event_silence_seconds: float = 15
    pilot_token_days: int = 30


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of one server process. `stopping` is set when the process is to end: long polls and streams then end at once."""

    pool: Pool
    services: Services
    blobs: Blobs
    dispatcher: Dispatcher
    reporter: Reporter
    key: OKPKey
    authenticators: tuple[Authenticator, ...]
    options: Options = field(default_factory=Options)
    metrics: Metrics = field(default_factory=Metrics)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def make_core(pool: Pool, services: Services, blobs: Blobs, key: OKPKey, options: Options | None = None, others: tuple[Authenticator, ...] = ()) -> Core:
    """Makes the core of a server over these parts; `others` are asked for tokens that are not our own."""
    options = options or Options()
    issuer = LocalIssuer(pool, key, options.token_cache_seconds)
    return Core(pool, services, blobs, Dispatcher(pool, services), Reporter(pool, services), key, (issuer, *others), options)
