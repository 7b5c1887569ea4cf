"""The API's description and its page."""

import re
from pathlib import Path

from openapi_spec_validator import validate

from pandawms.api import openapi
from pandawms.api.app import bare_app
from tests.api.conftest import Api

COMMITTED = Path(__file__).parents[2] / openapi.COMMITTED


def test_the_committed_description_is_what_the_code_says() -> None:
    assert COMMITTED.read_bytes() == openapi.text(bare_app()), "run python -m pandawms.api.openapi --write"


def test_the_check_fails_on_another_description(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert openapi.main(["--check", str(path)]) == 1
    assert openapi.main(["--write", str(path)]) == 0
    assert openapi.main(["--check", str(path)]) == 0


def test_the_description_is_valid_and_says_something_of_every_route() -> None:
    document = openapi.document(bare_app())
    validate(document)
    names = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["summary"].endswith("."), operation
            names.add(operation["operationId"])
    assert len(names) == sum(len(operations) for operations in document["paths"].values())


async def test_the_page_shows_every_route_and_loads_nothing(api: Api) -> None:
    page = await api.nobody.get("/docs")
    description = (await api.nobody.get("/openapi.json")).json()
    for path in description["paths"]:
        assert path in page.text
    assert not re.search(r"<script|<link|<img|url\(|@import", page.text)
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
