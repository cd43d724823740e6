"""ohlcache: a read-through cache for OHLC candles.

::

    async with ohlcache.connect() as cache:
        candles = await cache.get("AAPL", "1Y")

    with ohlcache.connect_sync() as cache:
        frame = cache.get("AAPL", "1Y").to_pandas()

Importing this costs next to nothing: what is named here is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ohlcache.version import __version__

if TYPE_CHECKING:
    from ohlcache.domain.answer import Certificate
    from ohlcache.domain.baseline import Split
    from ohlcache.domain.errors import (
        BadVendorCredentials,
        ConfigurationError,
        IncompleteData,
        IncompleteDataWarning,
        InvalidRequest,
        NotCleared,
        NotEntitled,
        OhlcacheError,
        QuotaExceeded,
        StoreError,
        StoreRefused,
        TickerNotFound,
        VendorError,
        VendorGarbage,
        VendorUnavailable,
    )
    from ohlcache.library.cache import Cache
    from ohlcache.library.candle_table import Candle, CandleTable, Provenance
    from ohlcache.library.connecting import connect, connect_sync
    from ohlcache.library.extras import MissingExtra
    from ohlcache.library.sync_cache import SyncCache
    from ohlcache.ports import TickerInfo
    from ohlcache.service.reports import Backfilled, CacheStatus, Invalidated, SessionReport

__all__ = [
    "Backfilled",
    "BadVendorCredentials",
    "Cache",
    "CacheStatus",
    "Candle",
    "CandleTable",
    "Certificate",
    "ConfigurationError",
    "IncompleteData",
    "IncompleteDataWarning",
    "InvalidRequest",
    "Invalidated",
    "MissingExtra",
    "NotCleared",
    "NotEntitled",
    "OhlcacheError",
    "Provenance",
    "QuotaExceeded",
    "SessionReport",
    "Split",
    "StoreError",
    "StoreRefused",
    "SyncCache",
    "TickerInfo",
    "TickerNotFound",
    "VendorError",
    "VendorGarbage",
    "VendorUnavailable",
    "__version__",
    "connect",
    "connect_sync",
]

_HOMES = {
    "Backfilled": "service.reports",
    "Cache": "library.cache",
    "CacheStatus": "service.reports",
    "Candle": "library.candle_table",
    "CandleTable": "library.candle_table",
    "Certificate": "domain.answer",
    "Invalidated": "service.reports",
    "MissingExtra": "library.extras",
    "Provenance": "library.candle_table",
    "SessionReport": "service.reports",
    "Split": "domain.baseline",
    "SyncCache": "library.sync_cache",
    "TickerInfo": "ports",
    "connect": "library.connecting",
    "connect_sync": "library.connecting",
}
_ERRORS = "domain.errors"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, _ERRORS)}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
