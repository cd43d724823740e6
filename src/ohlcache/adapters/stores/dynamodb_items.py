"""How things lie in the table: which keys they have, and what a chunk looks like as an item.

::

    PK                                SK                                  what
    AAPL#tiingo                       D#2026-01-02#9f86d081884c7d65       a chunk: Payload, Candles, ExpiresAt
    TICKERS                           AAPL#tiingo                         that the partition exists: ExpiresAt
    LOCK#AAPL#D#1W#2026-02-04         lease                               a lease: see dynamodb_leases

Test runs put ``TEST#{run}#`` before every PK, and their items live five minutes.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import TYPE_CHECKING

from ohlcache.adapters.stores.dynamodb_table import PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE
from ohlcache.domain.chunks import cell_start
from ohlcache.domain.freshness import KNOWN_EMPTY_LIFE_SECONDS_MAX
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.domain.resolution import Resolution

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ohlcache.adapters.stores.dynamodb_table import Item
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span

TEST_LIFE_SECONDS = 300
LISTING_SLACK_SECONDS = 2 * DAY_SECONDS
LISTING_PARTITION = "TICKERS"

QUERY_CANDLES_MAX = 20_000
"""Candles that one Query is sent for: at 10 bytes each, a fifth of DynamoDB's page of 1 MB, with room for a cell that
holds several chunks until they are folded. So a page is never cut in normal operation."""

_SESSION_MINUTES = 390


def partition_of(series: Series) -> str:
    """Return the partition of a series without prefix: one per ticker and source."""
    return f"{series.ticker}#{series.source}"


def key_of(partition: str, sort: str) -> Item:
    """Return an item's primary key."""
    return {PARTITION_KEY: {"S": partition}, SORT_KEY: {"S": sort}}


def chunk_item(chunk: Chunk, payload: bytes, *, prefix: str, final_life_seconds: float, now: float) -> Item:
    """Return ``chunk`` as an item; one that never expires has no TTL attribute."""
    return {
        **key_of(prefix + partition_of(chunk.series), str(chunk.name)),
        "Payload": {"B": payload},
        "Candles": {"N": str(len(chunk.holding.candles))},
        **expiry(chunk.expires_at(final_life_seconds), prefix=prefix, now=now),
    }


def listing_item(partition: str, *, prefix: str, final_life_seconds: float, now: float) -> Item:
    """Return the item that says ``partition`` exists; it outlives every chunk that is written in the next two days."""
    life = max(final_life_seconds, KNOWN_EMPTY_LIFE_SECONDS_MAX) if final_life_seconds else math.inf
    return {
        **key_of(prefix + LISTING_PARTITION, partition),
        **expiry(now + life + LISTING_SLACK_SECONDS, prefix=prefix, now=now),
    }


def expiry(at: float, *, prefix: str, now: float) -> Item:
    """Return the TTL attribute for the instant ``at``, none for never; test items live five minutes at most."""
    if prefix:
        at = min(at, now + TEST_LIFE_SECONDS)
    return {} if math.isinf(at) else {TTL_ATTRIBUTE: {"N": str(math.ceil(at))}}


def sort_key_ranges(series: Series, span: Span) -> Iterator[tuple[str, str]]:
    """Yield the sort key ranges, both ends included, that hold every chunk of ``series`` overlapping ``span``.

    One range, unless it could be more than a page.
    """
    day, days = cell_start(span.start, series.resolution), _days_per_query(series.resolution)
    while day <= span.end:
        last = min(date.fromordinal(min(day.toordinal() + days - 1, date.max.toordinal())), span.end)
        # "~" sorts after every digest and mark of the last day.
        yield f"{series.resolution}#{day.isoformat()}", f"{series.resolution}#{last.isoformat()}#~"
        day = last + timedelta(days=1)


def _days_per_query(resolution: Resolution) -> int:
    candles_a_day = 1 if resolution is Resolution.DAY else _SESSION_MINUTES * 60 / resolution.seconds
    return int(QUERY_CANDLES_MAX / candles_a_day * 365 / 252)
