"""One module a resource. A handler parses, authorises, makes one call and answers; its `opt` names its policy."""

from litestar.handlers import HTTPRouteHandler

from pandawms.api.routes.commands import ROUTES as COMMANDS
from pandawms.api.routes.datasets import ROUTES as DATASETS
from pandawms.api.routes.docs import ROUTES as DOCS
from pandawms.api.routes.events import ROUTES as EVENTS
from pandawms.api.routes.files import ROUTES as FILES
from pandawms.api.routes.jobs import ROUTES as JOBS
from pandawms.api.routes.pilot import ROUTES as PILOT
from pandawms.api.routes.queues import ROUTES as QUEUES
from pandawms.api.routes.retry_rules import ROUTES as RETRY_RULES
from pandawms.api.routes.sandboxes import ROUTES as SANDBOXES
from pandawms.api.routes.schemas import ROUTES as SCHEMAS
from pandawms.api.routes.sites import ROUTES as SITES
from pandawms.api.routes.system import ROUTES as SYSTEM
from pandawms.api.routes.task_errors import ROUTES as TASK_ERRORS
from pandawms.api.routes.tasks import ROUTES as TASKS
from pandawms.api.routes.tokens import ROUTES as TOKENS
from pandawms.api.routes.workers import ROUTES as WORKERS

ROUTES: tuple[HTTPRouteHandler, ...] = (
    *TASKS,
    *COMMANDS,
    *TASK_ERRORS,
    *JOBS,
    *DATASETS,
    *FILES,
    *QUEUES,
    *SITES,
    *WORKERS,
    *RETRY_RULES,
    *PILOT,
    *SANDBOXES,
    *TOKENS,
    *EVENTS,
    *SYSTEM,
    *SCHEMAS,
    *DOCS,
)
