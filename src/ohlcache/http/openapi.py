"""``GET /openapi.json`` and ``GET /docs``: the contract for machines, and the same for people.

The document is written by hand beside this module, with an example of every answer, and tested against the real ones.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ohlcache.http.page import Asset, read_page

if TYPE_CHECKING:
    from ohlcache.http.messages import Request, Response

DOCUMENT_PATH = Path(__file__).parent / "openapi.json"


class OpenApiResource:
    """Serves the document and the page that shows it."""

    def __init__(self, version: str) -> None:
        document = msgspec.json.decode(DOCUMENT_PATH.read_bytes())
        document["info"]["version"] = version
        self._document = Asset.of("openapi.json", msgspec.json.encode(document))
        self._docs = read_page("docs.html")

    async def document(self, request: Request) -> Response:
        """Return the OpenAPI document."""
        return self._document.answer(request)

    async def docs(self, request: Request) -> Response:
        """Return the page that shows it."""
        return self._docs.answer(request)
