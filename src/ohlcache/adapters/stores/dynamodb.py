"""The store of a fleet: many instances, one DynamoDB table, and none of them waits for another.

A read is one Query per range and costs half price, unless strong consistency is asked for. A chunk is one item, so
it is whole or absent to any reader whenever its writer is killed. What the table holds that is not ours, or cannot
be decoded, is left out, logged and counted; what had one of our names is dropped by the next write beside it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ohlcache.adapters.chunk_codec import CorruptChunk, decode, encode
from ohlcache.adapters.stores.dynamodb_items import (
    LISTING_PARTITION,
    LISTING_SLACK_SECONDS,
    chunk_item,
    key_of,
    listing_item,
    partition_of,
    sort_key_ranges,
)
from ohlcache.adapters.stores.dynamodb_leases import LEASE_SORT_KEY, DynamoLeases
from ohlcache.adapters.stores.dynamodb_table import PARTITION_KEY, SORT_KEY, DynamoTable
from ohlcache.domain.chunks import ChunkName
from ohlcache.domain.errors import StoreError
from ohlcache.ports import Level, Metric, StoreUsage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from ohlcache.adapters.stores.dynamodb_table import Item
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span
    from ohlcache.ports import Clock, FailureNote, Lease, LeaseTaken, Telemetry

    Request = Mapping[str, Any]
    """One put or delete of a BatchWriteItem."""

BATCH_ITEMS_MAX = 25
UNPROCESSED_RETRIES_MAX = 3
UNPROCESSED_BACKOFF_SECONDS = 0.05
CORRUPT_REMEMBERED_MAX = 1000


class DynamoStore:
    """A CandleStore and LeaseTable on one DynamoDB table; see ``dynamodb_items`` for how things lie in it."""

    def __init__(
        self,
        table: str,
        *,
        region: str | None,
        endpoint_url: str | None,
        telemetry: Telemetry,
        clock: Clock,
        final_life_seconds: float,
        key_prefix: str = "",
    ) -> None:
        self._table = DynamoTable(table, region=region, endpoint_url=endpoint_url, clock=clock)
        self._leases = DynamoLeases(self._table, key_prefix=key_prefix)
        self._telemetry = telemetry
        self._clock = clock
        self._final_life_seconds = final_life_seconds
        self._prefix = key_prefix
        self._listed_at: dict[str, float] = {}
        self._corrupt: set[tuple[str, str]] = set()

    @property
    def name(self) -> str:
        """The tier's name in ``X-Cache-Source``."""
        return "dynamodb"

    # --- chunks ------------------------------------------------------------------------------------------------

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:
        """Return every whole, readable chunk of ``series`` that overlaps ``span``."""
        pages = await asyncio.gather(
            *(self._page(series, low, high, strongly=strongly) for low, high in sort_key_ranges(series, span))
        )
        chunks = await self._chunks_in([item for page in pages for item in page], series)
        return [chunk for chunk in chunks if chunk.name.first_day <= span.end and chunk.last_day >= span.start]

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, then drop ``delete``.

        Raises StoreError when the table did not take all of it; what it took is whole chunks, and harmless.
        """
        await self._list_partitions({partition_of(chunk.series) for chunk in chunks})
        puts = {(partition_of(chunk.series), str(chunk.name)): chunk for chunk in chunks}
        payloads = await asyncio.to_thread(lambda: [encode(chunk) for chunk in puts.values()])
        now = self._clock.now()
        items = [
            chunk_item(chunk, payload, prefix=self._prefix, final_life_seconds=self._final_life_seconds, now=now)
            for chunk, payload in zip(puts.values(), payloads, strict=True)
        ]
        await self._write_all([{"PutRequest": {"Item": item}} for item in items])
        keys = {(partition_of(chunk.series), str(chunk.name)) for chunk in delete}
        written_to = {partition for partition, _ in puts}
        keys |= {key for key in self._corrupt if key[0] in written_to and key not in puts}
        await self._delete_all([key_of(self._prefix + partition, sort) for partition, sort in sorted(keys)])
        self._corrupt -= keys | puts.keys()

    async def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of every series of ``ticker``; return how many there were."""
        removed = 0
        for partition in await self._partitions(ticker):
            keys = [
                {PARTITION_KEY: item[PARTITION_KEY], SORT_KEY: item[SORT_KEY]}
                async for item in self._items(self._prefix + partition, attributes=f"{PARTITION_KEY}, {SORT_KEY}")
                if _name_in(item) is not None
            ]
            await self._delete_all(keys)
            removed += len(keys)
        return removed

    async def tickers(self) -> Sequence[str]:
        """Return the tickers of which something is held, sorted."""
        partitions = await self._partitions()
        held = await asyncio.gather(*(self._holds_anything(partition) for partition in partitions))
        return sorted({_ticker_of(partition) for partition, holds in zip(partitions, held, strict=True) if holds})

    async def usage(self) -> StoreUsage:
        """Return how much is held. Reads everything: for an operator, not for a request."""
        chunks = candles = payload_bytes = 0
        tickers = set()
        for partition in await self._partitions():
            async for item in self._items(self._prefix + partition):
                if _name_in(item) is None:
                    continue
                tickers.add(_ticker_of(partition))
                chunks += 1
                candles += int(item.get("Candles", {}).get("N", 0))
                payload_bytes += _item_bytes(item)
        return StoreUsage(chunks=chunks, candles=candles, bytes=payload_bytes, tickers=len(tickers))

    async def close(self) -> None:
        """Wait for calls under way, then release the threads; idempotent. The client is the process's and stays."""
        await self._table.close()

    # --- leases ------------------------------------------------------------------------------------------------

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease if it is free, released or expired at ``now``, or held with the fence ``displacing``."""
        return await self._leases.acquire(key, holder, now=now, life_seconds=life_seconds, displacing=displacing)

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease (strongly consistent), None when it is free; a released failure is still shown."""
        return await self._leases.look(key, now=now)

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back, if it is still this holder's (holder and fence); otherwise do nothing."""
        await self._leases.release(lease, failure=failure)

    async def drop_test_run(self, lease_keys: Sequence[str]) -> int:
        """Delete everything under the key prefix, and the leases ``lease_keys``; return how many items there were."""
        assert self._prefix, "without a prefix this would empty the table"
        partitions = await self._partitions()
        keys = [key_of(self._prefix + key, LEASE_SORT_KEY) for key in lease_keys]
        for name in (*partitions, LISTING_PARTITION):
            keys += [
                {PARTITION_KEY: item[PARTITION_KEY], SORT_KEY: item[SORT_KEY]}
                async for item in self._items(self._prefix + name, attributes=f"{PARTITION_KEY}, {SORT_KEY}")
            ]
        await self._delete_all(keys)
        return len(keys)

    # --- how ---------------------------------------------------------------------------------------------------

    async def _page(self, series: Series, low: str, high: str, *, strongly: bool) -> Sequence[Item]:
        """Return what one Query finds from ``low`` through ``high``; more than a page is an incident."""
        answer = await self._table.call(
            "Query",
            KeyConditionExpression=f"{PARTITION_KEY} = :partition AND {SORT_KEY} BETWEEN :low AND :high",
            ExpressionAttributeValues={
                ":partition": {"S": self._prefix + partition_of(series)},
                ":low": {"S": low},
                ":high": {"S": high},
            },
            ConsistentRead=strongly,
        )
        if "LastEvaluatedKey" in answer:
            # What came is whole; what did not come is not covered, so the plan fetches it: never a silent hole.
            self._telemetry.count(Metric.CACHE_PAGINATION_TRUNCATION, store=self.name)
            self._telemetry.log(
                Level.WARNING,
                "query truncated",
                store=self.name,
                series=str(series),
                first=low,
                last=high,
                hint="A range holds more than 1 MB: invalidate the ticker; if it comes back, report a bug.",
            )
        items: Sequence[Item] = answer["Items"]
        return items

    async def _chunks_in(self, items: Sequence[Item], series: Series) -> list[Chunk]:
        """Return the chunks that ``items`` hold; what is none is left out, logged and counted."""
        chunks, corrupt = await asyncio.to_thread(_decoded, items, series)
        for name, reason in corrupt:
            if len(self._corrupt) < CORRUPT_REMEMBERED_MAX and reason is not _FOREIGN:
                self._corrupt.add((partition_of(series), name))
            self._telemetry.count(Metric.CORRUPT_CHUNKS, store=self.name)
            self._telemetry.log(
                Level.WARNING, "chunk ignored", store=self.name, series=str(series), chunk=name[:80], reason=reason
            )
        return chunks

    async def _list_partitions(self, partitions: set[str]) -> None:
        """See that the listing has ``partitions``, so that tickers are found without a Scan.

        It is written before the first chunk and never deleted, only left to expire: no order of writers and deleters
        leaves a chunk that ``delete_ticker`` cannot find.
        """
        now = self._clock.now()
        for partition in sorted(partitions):
            if now - self._listed_at.get(partition, -LISTING_SLACK_SECONDS) < LISTING_SLACK_SECONDS / 2:
                continue
            await self._table.call(
                "PutItem",
                Item=listing_item(partition, prefix=self._prefix, final_life_seconds=self._final_life_seconds, now=now),
            )
            self._listed_at[partition] = now

    async def _partitions(self, ticker: str | None = None) -> list[str]:
        """Return the partitions that the listing has, of one ticker or of all, without prefix."""
        beginning = f"{ticker}#" if ticker is not None else None
        listed = self._items(self._prefix + LISTING_PARTITION, beginning=beginning)
        return [str(item[SORT_KEY]["S"]) async for item in listed]

    async def _holds_anything(self, partition: str) -> bool:
        async for item in self._items(self._prefix + partition, attributes=f"{PARTITION_KEY}, {SORT_KEY}"):
            if _name_in(item) is not None:
                return True
        return False

    async def _items(
        self, partition: str, *, beginning: str | None = None, attributes: str | None = None
    ) -> AsyncIterator[Item]:
        """Yield all items of a partition, page after page, strongly consistent; for an operator, not for a request."""
        condition, values = f"{PARTITION_KEY} = :partition", {":partition": {"S": partition}}
        if beginning is not None:
            condition += f" AND begins_with({SORT_KEY}, :beginning)"
            values[":beginning"] = {"S": beginning}
        parameters: dict[str, object] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
        }
        if attributes is not None:
            parameters["ProjectionExpression"] = attributes
        while True:
            answer = await self._table.call("Query", **parameters)
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            parameters["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _delete_all(self, keys: Sequence[Item]) -> None:
        await self._write_all([{"DeleteRequest": {"Key": key}} for key in keys])

    async def _write_all(self, requests: Sequence[Request]) -> None:
        for start in range(0, len(requests), BATCH_ITEMS_MAX):
            await self._write_batch(requests[start : start + BATCH_ITEMS_MAX])

    async def _write_batch(self, requests: Sequence[Request]) -> None:
        """Write one batch; what the table leaves unprocessed is tried three times more, each pause twice the last."""
        for retry in range(UNPROCESSED_RETRIES_MAX + 1):
            if retry:
                await self._clock.sleep(UNPROCESSED_BACKOFF_SECONDS * 2 ** (retry - 1))
            answer = await self._table.call("BatchWriteItem", RequestItems={self._table.name: list(requests)})
            requests = answer.get("UnprocessedItems", {}).get(self._table.name, ())
            if not requests:
                return
        self._telemetry.count(Metric.UNPROCESSED_WRITE_ITEMS, len(requests), store=self.name)
        raise StoreError(
            f"The table {self._table.name!r} left {len(requests)} items of a batch unprocessed,"
            f" also after {UNPROCESSED_RETRIES_MAX} retries.",
            hint="It is being throttled: look at its throttled write requests; on-demand tables grow within minutes.",
        )


_FOREIGN = "not written by this cache"


def _decoded(items: Sequence[Item], series: Series) -> tuple[list[Chunk], list[tuple[str, str]]]:
    """Return the chunks in ``items``, and the sort keys of the others with what is wrong with them."""
    chunks, corrupt = [], []
    for item in items:
        name, payload = _name_in(item), item.get("Payload", {}).get("B")
        if name is None:
            corrupt.append((_sort_key_in(item), _FOREIGN))
        elif not isinstance(payload, bytes):
            corrupt.append((str(name), "it has no binary Payload"))
        else:
            try:
                chunks.append(decode(series, name, payload))
            except CorruptChunk as exc:
                corrupt.append((str(name), str(exc)))
    return chunks, corrupt


def _sort_key_in(item: Item) -> str:
    return str(item[SORT_KEY]["S"])


def _name_in(item: Item) -> ChunkName | None:
    """Return the chunk name that an item has for its sort key; None when somebody else named it."""
    try:
        return ChunkName.parse(_sort_key_in(item))
    except ValueError:
        return None


def _ticker_of(partition: str) -> str:
    return partition.partition("#")[0]


def _item_bytes(item: Item) -> int:
    """Return an item's size as DynamoDB counts it, within a few bytes: names and values in UTF-8."""
    return sum(len(name) + len(value) for name, typed in item.items() for value in typed.values())
