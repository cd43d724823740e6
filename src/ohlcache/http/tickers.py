"""``GET /api/v2/tickers``: suggestions for a ticker box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.messages import json_response
from ohlcache.http.query import parse_count, parse_query, parse_searched

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response

PARAMETERS = ("query", "limit")
SUGGESTIONS_DEFAULT = 10
SUGGESTIONS_MAX = 50


class TickersResource:
    """Suggests tickers."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    async def get(self, request: Request) -> Response:
        """Return tickers of the source that match, best first."""
        fields = parse_query(request.query, PARAMETERS)
        text = parse_searched(fields.get("query", ""))
        limit = parse_count(fields.get("limit", str(SUGGESTIONS_DEFAULT)), "limit", SUGGESTIONS_MAX)
        found = await self._lifecycle.cache.suggest(text, limit)
        return json_response({"tickers": [{"ticker": info.ticker, "name": info.name} for info in found[:limit]]})
