"""What is DynamoDB's own about the store: consistency, batches, truncation, foreign items, expiry, test runs."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from botocore.exceptions import ConnectionClosedError

from aws.holdings import OBSERVED_AT, chunks, series
from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.adapters.stores.dynamodb import BATCH_ITEMS_MAX, DynamoStore
from ohlcache.adapters.stores.dynamodb_items import QUERY_CANDLES_MAX, sort_key_ranges
from ohlcache.domain.chunks import ChunkName
from ohlcache.domain.coverage import SessionState
from ohlcache.domain.errors import StoreError
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.ports import FailureNote, Lease, LeaseTaken, Level, Metric
from ohlcache.testing import FakeClock, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from contracts.dynamodb_engines import Table

pytestmark = pytest.mark.asyncio

WEEK = [date(2024, 5, day) for day in (20, 21, 22, 23, 24)]
SPAN = Span(WEEK[0], WEEK[-1])
LIFE_SECONDS = 90 * 86_400.0
LOCK = "LOCK#AAPL#D#1W#2024-05-24"


class Bench:
    """A store on a table, with everything around it at hand."""

    def __init__(self, table: Table, key_prefix: str = "") -> None:
        self.clock = FakeClock()
        self.telemetry = RecordingTelemetry()
        self.table = table
        self.store = DynamoStore(
            table.name,
            region=table.region,
            endpoint_url=table.endpoint_url,
            telemetry=self.telemetry,
            clock=self.clock,
            final_life_seconds=LIFE_SECONDS,
            key_prefix=key_prefix,
        )

    @property
    def client(self) -> Any:
        """The client that the store uses, to hook into."""
        return client_of(ClientKey("dynamodb", self.table.region, self.table.endpoint_url))

    def sent(self, operation: str) -> list[dict[str, Any]]:
        """Return a list that fills with the parameters of every later ``operation``."""
        seen: list[dict[str, Any]] = []

        def remember(params: dict[str, Any], **_: object) -> None:
            seen.append(params)

        self.client.meta.events.register(f"provide-client-params.dynamodb.{operation}", remember)
        return seen

    def answer(self, operation: str, change: Any) -> None:
        """Change what the engine answers to every later ``operation``."""

        def after(parsed: dict[str, Any], **_: object) -> None:
            change(parsed)

        self.client.meta.events.register(f"after-call.dynamodb.{operation}", after)

    def items(self) -> list[dict[str, Any]]:
        return list(self.client.scan(TableName=self.table.name, ConsistentRead=True)["Items"])

    def put(self, sort: str, **attributes: Any) -> None:
        key = {"PK": {"S": "AAPL#tiingo"}, "SK": {"S": sort}}
        self.client.put_item(TableName=self.table.name, Item={**key, **attributes})


@pytest_asyncio.fixture
async def bench(moto_table: Table) -> AsyncIterator[Bench]:
    made = Bench(moto_table)
    yield made
    await made.store.close()


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strongly", [False, True])
async def test_one_query_per_range_and_strong_only_when_asked(bench: Bench, strongly: bool) -> None:
    """S2: a range is one Query, eventually consistent (half price) unless the walk holds or awaits a lease."""
    await bench.store.write(chunks(*WEEK))
    queries = bench.sent("Query")
    found = await bench.store.read(series(), SPAN, strongly=strongly)
    assert len(found) == 1
    assert [query["ConsistentRead"] for query in queries] == [strongly]


async def test_a_truncated_query_is_counted_logged_and_never_looks_complete(bench: Bench) -> None:
    """S3: LastEvaluatedKey means a warning, a metric, and an answer that does not cover the span."""
    await bench.store.write(chunks(*WEEK))

    def truncate(parsed: dict[str, Any]) -> None:
        parsed["LastEvaluatedKey"] = {"PK": {"S": "AAPL#tiingo"}, "SK": {"S": "D#2024-05-20"}}
        parsed["Items"] = []

    bench.answer("Query", truncate)
    assert list(await bench.store.read(series(), SPAN)) == []
    assert bench.telemetry.total(Metric.CACHE_PAGINATION_TRUNCATION) == 1
    assert bench.telemetry.events(Level.WARNING) == ["query truncated"]


async def test_a_real_page_over_the_limit_is_seen_as_truncated(bench: Bench) -> None:
    """S3: an engine's own cut at 1 MB raises the alarm, too."""
    for number in range(3):
        bench.put(f"D#2024-05-2{number}#{number:016x}", Payload={"B": b"x" * 390_000})
    await bench.store.read(series(), SPAN)
    assert bench.telemetry.total(Metric.CACHE_PAGINATION_TRUNCATION) == 1


@pytest.mark.parametrize("resolution", list(Resolution))
async def test_large_reads_are_several_bounded_queries(resolution: Resolution) -> None:
    """S3: ranges are disjoint, cover every first day of the span and its first cell, and none holds a page's worth."""
    span = Span(date(2020, 2, 29), date(2024, 5, 24))
    ranges = list(sort_key_ranges(series(resolution=resolution), span))
    assert ranges == sorted(ranges)
    for day in (date(2020, 2, 1), span.start, date(2022, 12, 31), date(2023, 1, 1), span.end):
        for name in (ChunkName(resolution, day, "f" * 16, forming=True), ChunkName(resolution, day, "0" * 16)):
            assert sum(low <= str(name) <= high for low, high in ranges) == 1
    for low, high in ranges:
        days = (date.fromisoformat(high.split("#")[1]) - date.fromisoformat(low.split("#")[1])).days + 1
        candles_a_day = 1 if resolution.is_daily else 390 * 60 // resolution.seconds
        assert days * 252 / 365 * candles_a_day <= QUERY_CANDLES_MAX
    assert (len(ranges) == 1) == (resolution in {Resolution.DAY, Resolution.HOUR, Resolution.MINUTES_30})


async def test_every_query_of_a_large_read_is_made(bench: Bench) -> None:
    """A year of minutes is read by several Queries, and everything found is returned."""
    queries = bench.sent("Query")
    await bench.store.read(series(resolution=Resolution.MINUTE), Span(date(2023, 5, 25), date(2024, 5, 24)))
    assert len(queries) == 6


async def test_foreign_items_are_ignored_counted_and_left_alone(bench: Bench) -> None:
    """What somebody else wrote into our partition is no chunk, no failure, and not ours to delete."""
    bench.put("D#2024-05-21 by hand", Payload={"S": "hello"})
    await bench.store.write(chunks(*WEEK))
    assert len(await bench.store.read(series(), SPAN)) == 1
    assert bench.telemetry.total(Metric.CORRUPT_CHUNKS) == 1
    await bench.store.write(chunks(date(2024, 5, 28)))
    assert await bench.store.delete_ticker("AAPL") == 2
    assert "D#2024-05-21 by hand" in {item["SK"]["S"] for item in bench.items()}


@pytest.mark.parametrize("payload", [{"B": b"not a chunk"}, {"B": b""}, {"S": "text"}, None], ids=str)
async def test_corrupt_items_are_ignored_counted_and_dropped_by_the_next_write(
    bench: Bench, payload: dict[str, Any] | None
) -> None:
    """A chunk that cannot be decoded is a gap: refetched, and the remains are cleared away with that write."""
    name = f"D#2024-05-21#{'ab' * 8}"
    bench.put(name, **({"Payload": payload} if payload is not None else {}))
    assert list(await bench.store.read(series(), SPAN)) == []
    assert bench.telemetry.total(Metric.CORRUPT_CHUNKS) == 1
    assert bench.telemetry.events() == ["chunk ignored"]
    await bench.store.write(chunks(*WEEK))
    assert name not in {item["SK"]["S"] for item in bench.items()}
    assert len(await bench.store.read(series(), SPAN)) == 1
    assert bench.telemetry.total(Metric.CORRUPT_CHUNKS) == 1


# --- writing -------------------------------------------------------------------------------------------------------


async def test_writes_go_out_in_batches_of_25(bench: Bench) -> None:
    """S4: more chunks than fit one BatchWriteItem are several, and each is an item of its own."""
    many = [chunk for year in range(1990, 2020) for chunk in chunks(date(year, 1, 3))]
    batches = bench.sent("BatchWriteItem")
    await bench.store.write(many)
    assert [len(batch["RequestItems"][bench.table.name]) for batch in batches] == [BATCH_ITEMS_MAX, 5]


async def test_cache_writes_carry_no_condition(bench: Bench) -> None:
    """S6: candles are idempotent; only leases are written conditionally."""
    puts, batches, updates = bench.sent("PutItem"), bench.sent("BatchWriteItem"), bench.sent("UpdateItem")
    await bench.store.write(chunks(*WEEK))
    assert not any("ConditionExpression" in call for call in (*puts, *batches))
    await bench.store.acquire(LOCK, "me", now=bench.clock.now(), life_seconds=30)
    assert all("ConditionExpression" in call for call in updates)


async def test_unprocessed_items_are_retried_three_times_with_growing_pauses(bench: Bench) -> None:
    """S4, E14: after three retries the items are counted, and the write is a failure that says the fix."""
    batches = bench.sent("BatchWriteItem")

    def leave(parsed: dict[str, Any]) -> None:
        parsed["UnprocessedItems"] = batches[-1]["RequestItems"]

    bench.answer("BatchWriteItem", leave)
    began = bench.clock.now()
    with pytest.raises(StoreError, match="unprocessed") as failure:
        await bench.clock.drive(bench.store.write(chunks(*WEEK)))
    assert len(batches) == 4
    assert bench.clock.now() - began == pytest.approx(0.05 + 0.1 + 0.2)
    assert bench.telemetry.total(Metric.UNPROCESSED_WRITE_ITEMS) == 1
    assert "throttled" in failure.value.hint


async def test_items_processed_on_a_retry_are_no_failure(bench: Bench) -> None:
    """S4: the retry sends only what was left, and succeeds."""
    batches = bench.sent("BatchWriteItem")

    def leave_one_once(parsed: dict[str, Any]) -> None:
        if len(batches) == 1:
            name = bench.table.name
            parsed["UnprocessedItems"] = {name: batches[0]["RequestItems"][name][:1]}

    bench.answer("BatchWriteItem", leave_one_once)
    two_years = [*chunks(date(2023, 5, 24)), *chunks(*WEEK)]
    await bench.clock.drive(bench.store.write(two_years))
    assert [len(batch["RequestItems"][bench.table.name]) for batch in batches] == [2, 1]
    assert bench.telemetry.total(Metric.UNPROCESSED_WRITE_ITEMS) == 0


async def test_deletes_follow_the_puts(bench: Bench) -> None:
    """S5: what replaces is there before the replaced goes; a kill between the two loses nothing."""
    old = chunks(WEEK[0])
    await bench.store.write(old)
    batches = bench.sent("BatchWriteItem")
    await bench.store.write(chunks(*WEEK), delete=old)
    kinds = [next(iter(request)) for batch in batches for request in batch["RequestItems"][bench.table.name]]
    assert kinds == ["PutRequest", "DeleteRequest"]
    assert [chunk.name for chunk in await bench.store.read(series(), SPAN)] == [chunks(*WEEK)[0].name]


@pytest.mark.parametrize("state", [SessionState.FINAL, SessionState.FORMING])
async def test_items_are_kept_for_the_retention(bench: Bench, state: SessionState) -> None:
    """S7, C1, W1: ExpiresAt is whole epoch seconds, 90 days on; what is forming is fresh for five minutes, but kept."""
    await bench.store.write(chunks(*WEEK, state=state))
    (item,) = [item for item in bench.items() if "Payload" in item]
    assert item["ExpiresAt"] == {"N": str(int(OBSERVED_AT + LIFE_SECONDS))}


async def test_kept_forever_means_no_expiry(moto_table: Table) -> None:
    """S7: with retention 0 final chunks and their listing have no TTL attribute at all."""
    bench = Bench(moto_table)
    store = DynamoStore(
        moto_table.name,
        region=moto_table.region,
        endpoint_url=None,
        telemetry=bench.telemetry,
        clock=bench.clock,
        final_life_seconds=float("inf"),
    )
    await store.write(chunks(*WEEK))
    await store.close()
    assert not any("ExpiresAt" in item for item in bench.items())


async def test_items_hold_candles_and_nothing_else(bench: Bench) -> None:
    """K5, S5: keys and items have no secret, token or identity; the holder's name is a random id of the process."""
    await bench.store.write(chunks(*WEEK))
    await bench.store.acquire(LOCK, "3f2a", now=bench.clock.now(), life_seconds=30)
    assert {name for item in bench.items() for name in item} == {
        *("PK", "SK", "Payload", "Candles", "ExpiresAt"),
        *("Holder", "Fence", "LeaseUntil", "Attempt"),
    }
    assert {item["PK"]["S"] for item in bench.items()} == {"AAPL#tiingo", "TICKERS", LOCK}


# --- finding a ticker's partitions ---------------------------------------------------------------------------------


async def test_invalidation_finds_every_source_without_a_scan(bench: Bench) -> None:
    """T4: partitions of all sources go, tickers that begin alike stay, and no Scan is made."""
    for ticker, source in (("AAPL", "tiingo"), ("AAPL", "finnhub"), ("AAP", "tiingo"), ("AAPLX", "tiingo")):
        chunk = chunks(*WEEK)[0]
        await bench.store.write([type(chunk)(series(ticker, source=source), chunk.holding)])
    scans = bench.sent("Scan")
    assert await bench.store.delete_ticker("AAPL") == 2
    assert await bench.store.tickers() == ["AAP", "AAPLX"]
    assert not scans


async def test_a_partition_is_listed_before_its_first_chunk_and_not_again_for_a_day(bench: Bench) -> None:
    """T4: a writer killed after its first request leaves a listing without chunks, never chunks without a listing."""
    puts, batches = bench.sent("PutItem"), bench.sent("BatchWriteItem")
    listed_before: list[int] = []
    bench.client.meta.events.register(
        "before-send.dynamodb.BatchWriteItem", lambda **_: listed_before.append(len(puts))
    )
    await bench.store.write(chunks(*WEEK))
    await bench.store.write(chunks(date(2024, 5, 28)))
    assert (listed_before, len(batches)) == ([1, 1], 2)
    await bench.clock.advance(86_401)
    await bench.store.delete_ticker("AAPL")
    await bench.store.write(chunks(*WEEK))
    assert len(puts) == 2
    assert await bench.store.delete_ticker("AAPL") == 1


async def test_what_an_operator_asks_for_is_read_page_by_page(bench: Bench) -> None:
    """T4: a partition of several pages is deleted whole and counted whole; only a request's read must fit one page."""
    for number in range(5):
        bench.put(f"D#2024-05-2{number}#{number:016x}", Payload={"B": b"x" * 390_000}, Candles={"N": "7"})
    bench.client.put_item(TableName=bench.table.name, Item={"PK": {"S": "TICKERS"}, "SK": {"S": "AAPL#tiingo"}})
    usage = await bench.store.usage()
    assert (usage.chunks, usage.candles, usage.tickers) == (5, 35, 1)
    assert usage.bytes > 5 * 390_000
    assert await bench.store.delete_ticker("AAPL") == 5
    assert bench.telemetry.total(Metric.CACHE_PAGINATION_TRUNCATION) == 0


# --- leases --------------------------------------------------------------------------------------------------------


async def test_a_lost_answer_does_not_lose_the_lease(server_table: Table) -> None:
    """D5: the write worked, its answer did not arrive; our retry finds our own attempt and knows it has won."""
    bench = Bench(server_table)
    calls = bench.sent("UpdateItem")

    def lose_the_first(_: dict[str, Any]) -> None:
        if len(calls) == 1:
            raise ConnectionClosedError(endpoint_url="the answer is lost")

    bench.answer("UpdateItem", lose_the_first)
    lease = await bench.clock.drive(bench.store.acquire(LOCK, "me", now=bench.clock.now(), life_seconds=30))
    assert isinstance(lease, Lease)
    assert (lease.holder, lease.fence, len(calls)) == ("me", 1, 2)
    await bench.store.close()


async def test_what_is_not_a_lease_is_a_failure_that_says_so(server_table: Table) -> None:
    """A foreign item under a lock key raises StoreError with the fix: the walk goes on without a lease."""
    bench = Bench(server_table)
    key = {"PK": {"S": LOCK}, "SK": {"S": "lease"}}
    bench.client.put_item(TableName=bench.table.name, Item={**key, "LeaseUntil": {"S": "for ever"}})
    with pytest.raises(StoreError, match="not a lease") as failure:
        await bench.clock.drive(bench.store.acquire(LOCK, "me", now=bench.clock.now(), life_seconds=30))
    assert "delete the item" in failure.value.hint
    assert await bench.store.look(LOCK, now=bench.clock.now()) is None
    await bench.store.close()


async def test_lease_items_outlive_their_waiters_and_then_expire(server_table: Table) -> None:
    """L5: the item stays a day after the lease, so that the fence keeps rising, and is then DynamoDB's to drop."""
    bench = Bench(server_table)
    now = bench.clock.now()
    lease = await bench.store.acquire(LOCK, "me", now=now, life_seconds=30)
    assert isinstance(lease, Lease)
    await bench.store.release(lease, failure=FailureNote("vendor_error", "No.", "Wait.", 2.5))
    (item,) = bench.items()
    assert item["ExpiresAt"] == {"N": str(int(now + 30 + 86_400))}
    seen = await bench.store.look(LOCK, now=now)
    assert seen == LeaseTaken(LOCK, 1, 0.0, FailureNote("vendor_error", "No.", "Wait.", 2.5))
    await bench.store.close()


# --- test runs -----------------------------------------------------------------------------------------------------


async def test_a_test_run_is_apart_short_lived_and_removable(moto_table: Table) -> None:
    """O5: prefixed items live five minutes at most, are invisible to the cache beside them, and leave no trace."""
    real, trial = Bench(moto_table), Bench(moto_table, key_prefix="TEST#run-7#")
    await real.store.write(chunks(WEEK[0]))
    before = real.items()
    await trial.store.write([*chunks(*WEEK), *chunks(*WEEK, ticker="MSFT")])
    await trial.store.acquire(LOCK, "me", now=trial.clock.now(), life_seconds=30)
    mine = [item for item in real.items() if item not in before]
    assert all(item["PK"]["S"].startswith("TEST#run-7#") for item in mine)
    assert {item["ExpiresAt"]["N"] for item in mine} == {str(int(trial.clock.now()) + 300)}
    assert await real.store.tickers() == ["AAPL"]
    assert await trial.store.tickers() == ["AAPL", "MSFT"]
    assert await trial.store.drop_test_run([LOCK]) == 5
    assert real.items() == before
    with pytest.raises(AssertionError, match="without a prefix"):
        await real.store.drop_test_run([])
    await real.store.close()
    await trial.store.close()


async def test_closing_twice_is_closing_once(moto_table: Table) -> None:
    """Close is idempotent."""
    bench = Bench(moto_table)
    await bench.store.close()
    await bench.store.close()


async def test_usage_counts_what_is_held(bench: Bench) -> None:
    """Usage knows chunks, candles and tickers, and the bytes that DynamoDB bills."""
    await bench.store.write([*chunks(*WEEK), *chunks(WEEK[0], ticker="MSFT")])
    usage = await bench.store.usage()
    assert (usage.chunks, usage.candles, usage.tickers) == (2, 6, 2)
    payloads = sum(len(item["Payload"]["B"]) for item in bench.items() if "Payload" in item)
    assert payloads < usage.bytes < payloads + 400
