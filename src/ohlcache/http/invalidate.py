"""``POST /api/v2/tickers/{ticker}/invalidate``: clears every tier of one ticker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.domain.ticker import normalise_ticker
from ohlcache.http.messages import json_response
from ohlcache.http.query import parse_query

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response


class InvalidateResource:
    """Clears tickers."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    async def post(self, request: Request) -> Response:
        """Clear the ticker and say how much went."""
        parse_query(request.query, ())
        ticker = normalise_ticker(request.params[0])
        removed = await self._lifecycle.cache.invalidate_all_caches(ticker)
        return json_response(
            {"ticker": ticker, "removed_chunks": removed.removed_chunks, "removed_answers": removed.removed_answers}
        )
