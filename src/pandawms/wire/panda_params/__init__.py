"""From a dictionary of PanDA task parameters to a task document: every key is mapped to a field, or it is said why not. Pure."""

from pandawms.wire.panda_params.draft import Imported
from pandawms.wire.panda_params.importing import KNOWN, imported

__all__ = ["KNOWN", "Imported", "imported"]
