"""``GET /api/v2/tickers/{ticker}/coverage``: what is held, session by session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.encodings import instant_text
from ohlcache.http.messages import json_response
from ohlcache.http.query import parse_query

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response

PARAMETERS = ("resolution", "range", "start_date", "end_date")


class CoverageResource:
    """Shows what is known of each session."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle

    async def get(self, request: Request) -> Response:
        """Return the state of every session of the span; the last month's when none is given."""
        fields = parse_query(request.query, PARAMETERS)
        cache = self._lifecycle.cache
        wanted = cache.parse(
            request.params[0],
            range=fields.get("range"),
            start_date=fields.get("start_date"),
            end_date=fields.get("end_date"),
            resolution=fields.get("resolution", "D"),
        )
        sessions = await cache.coverage(wanted.ticker, wanted.resolution, wanted.span)
        return json_response(
            {
                "ticker": wanted.ticker,
                "resolution": wanted.resolution.value,
                "source": cache.status().source,
                "sessions": [
                    {
                        "date": session.day.isoformat(),
                        "state": session.state,
                        "candles": session.candles,
                        "observed_at": instant_text(session.observed_at),
                    }
                    for session in sessions
                ],
            }
        )
