"""The schemas of documents that users write."""

from typing import Any

from litestar import Response, get

from pandawms.api.call import Call
from pandawms.api.policies import Action
from pandawms.wire.schema import document_schema_text


@get("/schemas/task", opt={"policy": Action.PUBLIC, "answer": dict[str, Any], "media_type": "application/schema+json"}, sync_to_thread=False)
def task_schema(request: Call) -> Response[bytes]:
    """The JSON Schema of a task document, as editors use it."""
    return Response(document_schema_text().encode(), media_type="application/schema+json", headers={"Cache-Control": "public, max-age=300"})


ROUTES = (task_schema,)
