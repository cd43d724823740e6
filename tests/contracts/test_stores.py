"""Every store passes one suite: the registry of engines."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from contracts.store_suite import NOW, Engine, EngineFactory, StoreContract, StoredBytesContract
from ohlcache.adapters.stores.memory import MemoryStore
from ohlcache.adapters.stores.sqlite import SqliteStore
from ohlcache.testing.clock import FakeClock
from ohlcache.testing.telemetry import RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ohlcache.domain.chunks import Chunk

FINAL_LIFE_SECONDS = 90 * 86_400.0


@asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[Engine]:
    store = MemoryStore()
    yield Engine(store, store, store, store, RecordingTelemetry(), FakeClock(NOW))


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Engine]:
    path, telemetry, clock = folder / "made" / "ohlcache.db", RecordingTelemetry(), FakeClock(NOW)
    store = await SqliteStore.open(path, telemetry=telemetry, final_life_seconds=FINAL_LIFE_SECONDS, clock=clock)
    other = await SqliteStore.open(
        path, telemetry=RecordingTelemetry(), final_life_seconds=FINAL_LIFE_SECONDS, clock=clock
    )

    async def corrupt(chunk: Chunk) -> None:
        with closing(sqlite3.connect(path)) as connection, connection:
            (payload,) = connection.execute("SELECT payload FROM chunks WHERE name = ?", (str(chunk.name),)).fetchone()
            spoilt = payload[:-1] + bytes([payload[-1] ^ 1])
            connection.execute("UPDATE chunks SET payload = ? WHERE name = ?", (spoilt, str(chunk.name)))

    yield Engine(store, store, other, other, telemetry, clock, corrupt)
    await store.close()
    await other.close()


ENGINES: dict[str, EngineFactory] = {"memory": memory, "sqlite": sqlite}


@pytest_asyncio.fixture(params=ENGINES)
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine]:
    async with ENGINES[request.param](tmp_path) as made:
        yield made


class TestStores(StoreContract):
    """All facts, on every engine of the registry."""


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
class TestStoredBytes(StoredBytesContract):
    """Facts about bytes; the memory store keeps none."""
