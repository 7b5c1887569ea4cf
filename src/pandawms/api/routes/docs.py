"""The API about itself: its description for programs, and a page for people that loads nothing from elsewhere."""

from typing import Any

import msgspec
from litestar import Response, get

from pandawms.api.call import Call
from pandawms.api.docs_page import render
from pandawms.api.policies import Action

PUBLIC = {"policy": Action.PUBLIC}
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@get("/openapi.json", opt={**PUBLIC, "answer": dict[str, Any]}, sync_to_thread=False)
def description(request: Call) -> Response[bytes]:
    """The description of this API in OpenAPI 3.1."""
    return Response(msgspec.json.encode(request.app.state.openapi), media_type="application/json")


@get("/docs", opt={**PUBLIC, "answer": str, "media_type": "text/html"}, sync_to_thread=False)
def page(request: Call) -> Response[str]:
    """This API as a page to read."""
    return Response(render(request.app.state.openapi), media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


ROUTES = (description, page)
