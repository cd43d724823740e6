"""Settings become a running cache: the one place where service and adapters meet.

What a chosen source or store does not need is not imported.
"""

from __future__ import annotations

import asyncio
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.clock import SystemClock
from ohlcache.adapters.telemetry import StandardTelemetry
from ohlcache.domain.errors import StoreError, StoreRefused
from ohlcache.domain.market_time import DAY_SECONDS
from ohlcache.ports import Level, Metric
from ohlcache.service.circuit_breaker import CircuitBreaker
from ohlcache.service.guarded_store import GuardedStore
from ohlcache.service.memory_tier import MemoryTier
from ohlcache.service.read_through import ReadThrough
from ohlcache.settings import LogFormat, Settings, Source, StoreEngine
from ohlcache.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from ohlcache.adapters.stores.sqlite import SqliteStore
    from ohlcache.adapters.vendors.vendor_key import VendorKey
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.http.app import HttpApp
    from ohlcache.ports import CandleStore, CandleVendor, Clock, LeaseTable, Telemetry

DATABASE_NAME = "ohlcache.sqlite3"
PAGE_DIR = Path(__file__).parent / "http" / "static"
"""Where the built page is in an installed package; a source tree has it once it was built."""

MEMORY_BLOCK_BYTES = 16 * 1024 * 1024


def build_telemetry(settings: Settings, clock: Clock) -> StandardTelemetry:
    """Return logs and metrics as the settings say, knowing every secret that must never be written."""
    secrets = [settings.tiingo_api_key, settings.finnhub_api_key, settings.smoke_test_api_key, *settings.api_keys]
    return StandardTelemetry(
        clock,
        level=Level(settings.log_level),
        json_lines=settings.log_format is LogFormat.JSON,
        secrets=tuple(secret.get_secret_value() for secret in secrets if secret is not None),
    )


def build_clock(settings: Settings) -> Clock:
    """Return the machine's clock, or one that starts at ``OHLCACHE_CLOCK`` and runs on."""
    return SystemClock(settings.clock.timestamp() if settings.clock is not None else None)


async def build_cache(
    settings: Settings,
    *,
    telemetry: Telemetry | None = None,
    clock: Clock | None = None,
    vendors: Sequence[CandleVendor] | None = None,
) -> ReadThrough:
    """Return the cache that ``settings`` describe; close it when done.

    ``telemetry``, ``clock`` and ``vendors`` stand in for what the settings would choose. Raises ConfigurationError
    for settings that cannot work, StoreRefused for a database that must not be touched, and StoreError for a folder
    that cannot be had. A folder that cannot be written to, or a full disk, is told and gone around.
    """
    _have_freed_memory_kept()
    clock = clock if clock is not None else build_clock(settings)
    telemetry = telemetry if telemetry is not None else build_telemetry(settings, clock)
    calendar = load_xnys()
    final_life_seconds = settings.retention_days * DAY_SECONDS
    store, leases = await _open_or_go_around(settings, telemetry, clock)
    breaker = CircuitBreaker(f"{store.name}_cache", clock=clock, telemetry=telemetry)
    return ReadThrough(
        calendar=calendar,
        clock=clock,
        telemetry=telemetry,
        store=GuardedStore(store, leases, breaker=breaker, telemetry=telemetry),
        vendors=vendors if vendors is not None else build_vendors(settings, calendar, telemetry, clock),
        memory=MemoryTier(entries_max=settings.memory_entries, bytes_max=settings.memory_bytes),
        final_life_seconds=final_life_seconds,
    )


def build_app(settings: Settings, telemetry: StandardTelemetry, clock: Clock) -> HttpApp:
    """Return the ASGI app of the cache that ``settings`` describe; the cache is opened when the server starts."""
    from ohlcache.http.app import HttpOptions, create_app  # noqa: PLC0415 - a library user needs no server

    return create_app(
        lambda: build_cache(settings, telemetry=telemetry, clock=clock),
        HttpOptions(
            version=__version__,
            api_keys=tuple(key.get_secret_value() for key in settings.api_keys),
            allowed_hosts=settings.allowed_hosts,
            cors_origins=settings.cors_origins,
            page_dir=PAGE_DIR if PAGE_DIR.is_dir() else None,
            metrics=telemetry.registry,
        ),
    )


async def _open_or_go_around(settings: Settings, telemetry: Telemetry, clock: Clock) -> tuple[CandleStore, LeaseTable]:
    """Return the chosen store, also where it cannot be written to at the moment: each use of it tries again."""
    try:
        return await open_store(settings, telemetry, clock)
    except StoreRefused:
        raise
    except StoreError as exc:
        if settings.store is not StoreEngine.SQLITE or not await asyncio.to_thread(settings.data_dir.is_dir):
            raise
        telemetry.count(Metric.CACHE_ERROR, store=str(settings.store), operation="open")
        telemetry.log(
            Level.ERROR,
            "store failed",
            store=str(settings.store),
            operation="open",
            error=exc.message,
            hint=exc.hint,
        )
        unopened = _sqlite_store(settings, telemetry, clock)
        return unopened, unopened


async def open_store(settings: Settings, telemetry: Telemetry, clock: Clock) -> tuple[CandleStore, LeaseTable]:
    """Return the chosen store, which is its own lease table."""
    if settings.store is StoreEngine.MEMORY:
        from ohlcache.adapters.stores.memory import MemoryStore  # noqa: PLC0415 - only what is chosen

        memory = MemoryStore()
        return memory, memory
    if settings.store is StoreEngine.DYNAMODB:
        from ohlcache.adapters.stores.dynamodb import DynamoStore  # noqa: PLC0415 - boto3 is heavy

        assert settings.table is not None, "validated with the settings"
        dynamo = DynamoStore(
            settings.table,
            region=settings.aws_region,
            endpoint_url=settings.dynamodb_endpoint_url,
            telemetry=telemetry,
            clock=clock,
            final_life_seconds=_final_life_seconds(settings),
            key_prefix=settings.key_prefix,
        )
        return dynamo, dynamo
    sqlite = _sqlite_store(settings, telemetry, clock)
    await sqlite.connect()
    return sqlite, sqlite


def _sqlite_store(settings: Settings, telemetry: Telemetry, clock: Clock) -> SqliteStore:
    from ohlcache.adapters.stores.sqlite import SqliteStore  # noqa: PLC0415 - only what is chosen

    return SqliteStore(
        settings.data_dir / DATABASE_NAME,
        telemetry=telemetry,
        clock=clock,
        final_life_seconds=_final_life_seconds(settings),
        key_prefix=settings.key_prefix,
    )


def _have_freed_memory_kept() -> None:
    """Teach the C library that blocks of this size come and go: that is what glibc takes a first one freed for.

    It then keeps up to twice as much of what was freed for what comes next, instead of handing every page back and
    fetching it anew, which for a year of minutes takes as long as reading it. The block is never touched, so it costs
    nothing; other C libraries take no notice.
    """
    np.empty(MEMORY_BLOCK_BYTES, np.uint8)


def _final_life_seconds(settings: Settings) -> float:
    return settings.retention_days * DAY_SECONDS or math.inf


def build_vendors(
    settings: Settings, calendar: SessionTable, telemetry: Telemetry, clock: Clock
) -> Sequence[CandleVendor]:
    """Return the chosen source, and after it whoever can stand in."""
    if settings.chosen_source is Source.SAMPLE:
        from ohlcache.adapters.vendors.sample import SampleVendor  # noqa: PLC0415 - only what is chosen

        return (SampleVendor(calendar),)
    from ohlcache.adapters.vendors.finnhub import FinnhubVendor  # noqa: PLC0415
    from ohlcache.adapters.vendors.vendor_http import HttpPool  # noqa: PLC0415

    pool = HttpPool()
    finnhub: list[CandleVendor] = []
    if settings.finnhub_api_key is not None:
        finnhub.append(
            FinnhubVendor(
                base_url=settings.finnhub_base_url,
                key=_key_of(settings.finnhub_api_key, settings, telemetry, clock),
                clock=clock,
                telemetry=telemetry,
                timeout_seconds=settings.vendor_timeout_seconds,
                pool=pool,
            )
        )
    if settings.chosen_source is Source.FINNHUB:
        return finnhub
    from ohlcache.adapters.vendors.tiingo import TiingoVendor  # noqa: PLC0415

    assert settings.tiingo_api_key is not None, "validated with the settings"
    tiingo = TiingoVendor(
        base_url=settings.tiingo_base_url,
        key=_key_of(settings.tiingo_api_key, settings, telemetry, clock),
        clock=clock,
        telemetry=telemetry,
        timeout_seconds=settings.vendor_timeout_seconds,
        calls_per_hour=settings.vendor_calls_per_hour,
        pool=pool,
    )
    return (tiingo, *finnhub)


def _key_of(secret: SecretStr, settings: Settings, telemetry: Telemetry, clock: Clock) -> VendorKey:
    """Return the key a setting holds, or the one in Secrets Manager that it points to, read with the first call."""
    from ohlcache.adapters.secrets import SecretKey, SecretReference  # noqa: PLC0415 - only for vendors with keys
    from ohlcache.adapters.vendors.vendor_key import FixedKey  # noqa: PLC0415

    reference = SecretReference.parse(secret.get_secret_value())
    if reference is None:
        return FixedKey(secret.get_secret_value())
    conceal = telemetry.conceal if isinstance(telemetry, StandardTelemetry) else lambda _: None
    return SecretKey(reference, region=settings.aws_region, clock=clock, telemetry=telemetry, conceal=conceal)
