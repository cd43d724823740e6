"""``GET /api/v2/tickers``: suggestions for a ticker box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.domain.errors import InvalidRequest
from ohlcache.http.messages import json_response
from ohlcache.http.query import parse_count, parse_query

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response

PARAMETERS = ("query", "limit")
QUERY_CHARACTERS_MAX = 40
SUGGESTIONS_DEFAULT = 10
SUGGESTIONS_MAX = 50


class TickersResource:
    """Suggests tickers."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    async def get(self, request: Request) -> Response:
        """Return tickers of the source that match, best first."""
        fields = parse_query(request.query, PARAMETERS)
        text = fields.get("query", "").strip()
        if len(text) > QUERY_CHARACTERS_MAX:
            raise InvalidRequest(
                f"query is longer than {QUERY_CHARACTERS_MAX} characters.", hint="Write query=AA.", field="query"
            )
        limit = parse_count(fields.get("limit", str(SUGGESTIONS_DEFAULT)), "limit", SUGGESTIONS_MAX)
        found = await self._lifecycle.cache.suggest(text, limit)
        return json_response({"tickers": [{"ticker": info.ticker, "name": info.name} for info in found[:limit]]})
