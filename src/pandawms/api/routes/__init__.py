"""One module a resource. A handler parses, authorises, makes one call and answers; its `opt` names its policy."""

from litestar.handlers import HTTPRouteHandler

from pandawms.api.routes.pilot import ROUTES as PILOT
from pandawms.api.routes.system import ROUTES as SYSTEM
from pandawms.api.routes.tasks import ROUTES as TASKS
from pandawms.api.routes.tokens import ROUTES as TOKENS

ROUTES: tuple[HTTPRouteHandler, ...] = (*TASKS, *PILOT, *TOKENS, *SYSTEM)
