"""The application: all routes under /api/v2, one guard, one place for errors."""

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.openapi.config import OpenAPIConfig

from pandawms.api import openapi, problem
from pandawms.api.call import Call
from pandawms.api.core import Core
from pandawms.api.guard import guard
from pandawms.api.observe import Observed
from pandawms.api.pilot_door import PilotDoor
from pandawms.api.routes import ROUTES

PREFIX = "/api/v2"
NO_SCHEMA: OpenAPIConfig | None = None
"""Ours is made in `openapi.py`: the framework's generator cannot read all of our types, and its pages load scripts from elsewhere."""


def bare_app(state: State | None = None, max_body_bytes: int | None = None) -> Litestar:
    """Returns the application without the parts of a server: enough to describe its routes, not to serve them."""
    return Litestar(
        [Router(PREFIX, route_handlers=list(ROUTES))],
        request_class=Call,
        guards=[guard],
        exception_handlers={Exception: problem.answer},
        state=state,
        openapi_config=NO_SCHEMA,
        logging_config=None,
        request_max_body_size=max_body_bytes,
    )


def create_app(core: Core) -> Litestar:
    """Returns the ASGI application of one server process."""
    app = bare_app(State({"core": core}), core.options.max_body_bytes)
    app.state.openapi = openapi.document(app)
    behind = Observed(app.asgi_handler, core.metrics, core.stopping)
    frequent = {path: (each.opt["policy"], each.opt["through_door"]) for path, each in openapi.handlers(app) if "through_door" in each.opt}
    app.asgi_handler = PilotDoor(behind, core, frequent)
    return app
