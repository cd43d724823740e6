"""The store contract on DynamoDB engines: moto in process, ministack and dynalite as servers, others by setting."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from contracts.dynamodb_engines import _engines_die_with_the_session, server_engines, table_on
from contracts.store_suite import NOW, Engine, StoreContract, StoredBytesContract
from ohlcache.adapters.stores.dynamodb import DynamoStore
from ohlcache.testing import FakeClock, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from contracts.dynamodb_engines import Table
    from ohlcache.domain.chunks import Chunk

__all__ = ["_engines_die_with_the_session"]

FINAL_LIFE_SECONDS = 90 * 86_400.0


def _about_leases(name: str) -> bool:
    # The source, not the names of the code: what is used in a generator expression is in a code object of its own.
    return name.startswith("test_") and "leases" in inspect.getsource(getattr(StoreContract, name))


LEASE_TESTS = [name for name in vars(StoreContract) if name.startswith("test_") and _about_leases(name)]


@pytest.fixture
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with table_on(request.param, monkeypatch) as made:
        yield made


@pytest_asyncio.fixture
async def engine(table: Table) -> AsyncIterator[Engine]:
    telemetry, clock = RecordingTelemetry(), FakeClock(NOW)

    def store(telemetry: RecordingTelemetry) -> DynamoStore:
        return DynamoStore(
            table.name,
            region=table.region,
            endpoint_url=table.endpoint_url,
            telemetry=telemetry,
            clock=clock,
            final_life_seconds=FINAL_LIFE_SECONDS,
        )

    def spoil(chunk: Chunk) -> None:
        client = table.client()
        key = {"PK": {"S": f"{chunk.series.ticker}#{chunk.series.source}"}, "SK": {"S": str(chunk.name)}}
        item = client.get_item(TableName=table.name, Key=key, ConsistentRead=True)["Item"]
        payload = item["Payload"]["B"]
        item["Payload"]["B"] = payload[:-1] + bytes([payload[-1] ^ 1])
        client.put_item(TableName=table.name, Item=item)

    async def corrupt(chunk: Chunk) -> None:
        await asyncio.to_thread(spoil, chunk)

    mine, other = store(telemetry), store(RecordingTelemetry())
    yield Engine(mine, mine, other, other, telemetry, clock, corrupt)
    await mine.close()
    await other.close()


@pytest.mark.parametrize("table", server_engines(), indirect=True)
class TestDynamoStores(StoreContract, StoredBytesContract):
    """All facts, on every engine that serves several callers truthfully."""


class MotoFacts(StoreContract, StoredBytesContract):
    """Facts about chunks only: moto lets two threads win one conditional write, so it proves nothing about leases."""


for lease_test in LEASE_TESTS:
    setattr(MotoFacts, lease_test, None)


@pytest.mark.parametrize("table", ["moto"], indirect=True)
class TestMotoStore(MotoFacts):
    """The facts about chunks, on moto."""


def test_moto_leaves_out_leases_only() -> None:
    """What is left out on moto is what the suite says about leases, and there is such a thing."""
    assert len(LEASE_TESTS) >= 5
    assert "test_what_is_written_is_read_by_any_instance" not in LEASE_TESTS
