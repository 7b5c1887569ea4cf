"""The PostgreSQL server that comes with the program, for everybody who does not run one of their own.

Takes a folder; leaves a private PostgreSQL in it, listening on 127.0.0.1 and on a socket in a folder that only its account can
enter, with a random password in a file that only its owner can read. The server is a child of whoever starts it, but outlives a
kill of its parent: the next start adopts it. What a crash left behind is ended before the server starts again.

Run by root, the server runs under an account of its own, in a system folder, from a copy of the binaries that this account can
reach. Permissions of folders that are not ours are never changed.

Must not know what is in the database: it hands out an `Endpoint`, the rest of the program speaks to that.
"""

from pandawms.store.embedded.binaries import Binaries, binaries
from pandawms.store.embedded.options import Endpoint, Options
from pandawms.store.embedded.server import EmbeddedServer

__all__ = ["Binaries", "EmbeddedServer", "Endpoint", "Options", "binaries"]
