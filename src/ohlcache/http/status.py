"""``GET /api/v2/status``: the cache at work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.encodings import instant_text
from ohlcache.http.messages import json_response
from ohlcache.http.query import parse_query

if TYPE_CHECKING:
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Request, Response


class StatusResource:
    """Shows tiers, breaker and vendor allowance."""

    def __init__(self, lifecycle: Lifecycle, version: str) -> None:
        self._lifecycle = lifecycle
        self._version = version

    async def get(self, request: Request) -> Response:
        """Return the status of this process's cache."""
        parse_query(request.query, ())
        status = self._lifecycle.cache.status()
        return json_response(
            {
                "version": self._version,
                "source": status.source,
                "market_date": status.market_date.isoformat(),
                "data_until": instant_text(status.data_until),
                "resolutions": {
                    resolution.value: {"adjustments": facts.adjustments, "synthetic": facts.synthetic}
                    for resolution, facts in status.resolutions.items()
                },
                "memory": status.memory,
                "store": {
                    "name": status.store,
                    "breaker": {
                        "state": status.breaker.state,
                        "failures": status.breaker.failures,
                        "open_until": instant_text(status.breaker.open_until),
                    },
                },
                "vendor": {
                    "name": status.source,
                    "calls": status.quota.calls,
                    "allowance": status.quota.allowance,
                    "blocked_until": instant_text(status.quota.blocked_until),
                    "calls_saved": status.calls_saved,
                },
            }
        )
