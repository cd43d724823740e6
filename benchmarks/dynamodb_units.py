"""Request units on DynamoDB for a year of daily candles, filled and read, against one item per candle.

The whole walk is counted, leases and the listing of tickers included, on an engine in this process. Its own account of
consumed capacity is a constant, so units follow from the sizes of what went over the wire, by DynamoDB's rules: a write
costs one unit for each begun KB of an item, a read half a unit for each begun 4 KB of what it read together, twice that
where it is strongly consistent.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

from moto import mock_aws

import ohlcache
from benchmarks.table import Row
from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.adapters.stores.dynamodb_schema import create_table

REGION, TABLE, NAIVE_TABLE = "eu-central-1", "candles", "one_item_per_candle"
WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1024, 4096
WRITE_SHARE_MAX, READ_SHARE_MAX = 1 / 20, 1 / 3
BATCH_ITEMS_MAX = 25


@dataclass
class Meter:
    """Counts what requests cost while it is asked to."""

    table_client: Any
    write_units: int = 0
    read_units: float = 0.0
    calls: dict[str, int] = field(default_factory=dict)
    _parameters: dict[str, Any] = field(default_factory=dict)

    def attach(self) -> None:
        """Listen to every call of the client."""
        events = self.table_client.meta.events
        events.register("provide-client-params.dynamodb.*", self._before)
        events.register("after-call.dynamodb.*", self._after)

    def take(self) -> tuple[int, float, str]:
        """Return write units, read units and calls since the last time."""
        calls = ", ".join(f"{count} {name}" for name, count in sorted(self.calls.items()))
        taken = (self.write_units, self.read_units, calls)
        self.write_units, self.read_units, self.calls = 0, 0.0, {}
        return taken

    def _before(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        self._parameters[model.name] = params

    def _after(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        params = self._parameters.pop(model.name, {})
        self.calls[model.name] = self.calls.get(model.name, 0) + 1
        if model.name in {"Query", "GetItem"}:
            items = parsed["Items"] if model.name == "Query" else [parsed.get("Item", {})]
            units = max(1, math.ceil(sum(map(item_bytes, items)) / READ_UNIT_BYTES))
            self.read_units += units if params.get("ConsistentRead") else units / 2
        elif model.name == "BatchWriteItem":
            for requests in params["RequestItems"].values():
                puts = [entry["PutRequest"]["Item"] for entry in requests if "PutRequest" in entry]
                self.write_units += sum(map(write_units, puts)) + len(requests) - len(puts)
        elif model.name == "PutItem":
            self.write_units += write_units(params["Item"])
        elif model.name == "UpdateItem":
            self.write_units += write_units(parsed.get("Attributes", params["Key"]))
        else:
            raise AssertionError(f"how much is {model.name}?")


def item_bytes(item: dict[str, dict[str, Any]]) -> int:
    """Return an item's size as DynamoDB counts it: names and values, a number about a byte for two digits."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def write_units(item: dict[str, dict[str, Any]]) -> int:
    """Return what writing an item costs."""
    return max(1, math.ceil(item_bytes(item) / WRITE_UNIT_BYTES))


def run() -> list[Row]:
    """Fill and read a year both ways."""
    with mock_aws():  # brings credentials of its own
        return asyncio.run(_measured())


async def _measured() -> list[Row]:
    create_table(TABLE, region=REGION, endpoint_url=None)
    create_table(NAIVE_TABLE, region=REGION, endpoint_url=None)
    client = client_of(ClientKey("dynamodb", REGION, None))
    meter = Meter(client)
    options = {"source": "sample", "store": "dynamodb", "table": TABLE, "aws_region": REGION, "memory_bytes": 1}
    async with ohlcache.connect(**options) as cache:  # type: ignore[arg-type]
        await cache.get("MSFT", "1Y")  # the client exists from now on
        meter.attach()
        await cache.get("AAPL", "1Y")
        fill_writes, fill_reads, fill_calls = meter.take()
        table = await cache.get("AAPL", "1Y")
        _, hit_reads, hit_calls = meter.take()
        await asyncio.to_thread(_fill_naively, client, table)
        naive_writes, _, naive_fill_calls = meter.take()
        await asyncio.to_thread(_read_naively, client, table)
        _, naive_reads, naive_hit_calls = meter.take()
    writes, reads = fill_writes / naive_writes, hit_reads / naive_reads
    return [
        Row(
            f"DynamoDB write units, fill of 1Y daily ({len(table)} candles)",
            f"{fill_writes} (and {fill_reads:g} read units; {fill_calls})",
            f"one item per candle: {naive_writes} ({naive_fill_calls})",
            writes,
            better="lower",
            target="<= 1/20",
            met=writes <= WRITE_SHARE_MAX,
        ),
        Row(
            "DynamoDB read units, hit of 1Y daily",
            f"{hit_reads:g} ({hit_calls})",
            f"one item per candle: {naive_reads:g} ({naive_hit_calls})",
            reads,
            better="lower",
            target="<= 1/3",
            met=reads <= READ_SHARE_MAX,
        ),
    ]


def _fill_naively(client: Any, table: ohlcache.CandleTable) -> None:
    items = [
        {
            "PK": {"S": "AAPL#tiingo"},
            "SK": {"S": f"D#{candle.date.isoformat()}"},
            "open": {"N": str(candle.open)},
            "high": {"N": str(candle.high)},
            "low": {"N": str(candle.low)},
            "close": {"N": str(candle.close)},
            "volume": {"N": str(candle.volume)},
            "ttl": {"N": "1790000000"},
        }
        for candle in table
    ]
    for start in range(0, len(items), BATCH_ITEMS_MAX):
        batch = [{"PutRequest": {"Item": item}} for item in items[start : start + BATCH_ITEMS_MAX]]
        client.batch_write_item(RequestItems={NAIVE_TABLE: batch})


def _read_naively(client: Any, table: ohlcache.CandleTable) -> None:
    answer = client.query(
        TableName=NAIVE_TABLE,
        KeyConditionExpression="PK = :pk AND SK BETWEEN :first AND :last",
        ExpressionAttributeValues={
            ":pk": {"S": "AAPL#tiingo"},
            ":first": {"S": f"D#{table.start}"},
            ":last": {"S": f"D#{table.end}"},
        },
    )
    assert len(answer["Items"]) == len(table)


def _value_bytes(value: dict[str, Any]) -> int:
    kind, content = next(iter(value.items()))
    if kind == "N":
        digits = str(content).lstrip("-").replace(".", "").strip("0")
        return math.ceil(len(digits) / 2) + 1
    return len(content if isinstance(content, bytes) else str(content).encode())
