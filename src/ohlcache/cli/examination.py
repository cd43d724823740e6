"""What the doctor looks at: each check finds ok, warn or fail, and says what to do. No secret is ever in a finding."""

from __future__ import annotations

import asyncio
import math
import platform
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ohlcache.adapters.calendar import load_xnys
from ohlcache.adapters.clock import SystemClock
from ohlcache.assembly import build_clock, build_telemetry, build_vendors, open_store
from ohlcache.cli.running import command_settings
from ohlcache.cli.stats import place_of, size
from ohlcache.domain.errors import OhlcacheError
from ohlcache.domain.market_time import NEW_YORK, market_date
from ohlcache.ports import Lease
from ohlcache.settings import Settings, Source, StoreEngine, unknown_variables
from ohlcache.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ohlcache.ports import CandleVendor

CALENDAR_DAYS_LEFT_MIN = 180
DISK_BYTES_FREE_MIN = 256 * 1024 * 1024
EARLIEST_HONEST_CLOCK = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
EXTRAS = {"pandas": "pandas", "polars": "polars", "arrow": "pyarrow", "dynamodb": "boto3"}
CHECK_LEASE_SECONDS = 5.0


class Verdict(StrEnum):
    """How something is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's."""

    verdict: Verdict
    subject: str
    found: str
    hint: str = ""


def ok(subject: str, found: str) -> Finding:
    """Return that all is well."""
    return Finding(Verdict.OK, subject, found)


def warn(subject: str, found: str, hint: str) -> Finding:
    """Return that something is worth knowing."""
    return Finding(Verdict.WARN, subject, found, hint)


def fail(subject: str, error: OhlcacheError | str, hint: str = "") -> Finding:
    """Return that something does not work."""
    if isinstance(error, OhlcacheError):
        return Finding(Verdict.FAIL, subject, error.message, error.hint)
    return Finding(Verdict.FAIL, subject, error, hint)


async def examine() -> list[Finding]:
    """Return every finding, in the order in which a person would mend things."""
    findings = [ok("version", f"ohlcache {__version__} on Python {platform.python_version()}")]
    try:
        settings = command_settings()
    except OhlcacheError as exc:
        return [*findings, fail("settings", exc), *_extras()]
    findings += _settings(settings)
    findings += await asyncio.to_thread(lambda: list(_disk(settings)))
    findings += [finding async for finding in _store(settings)]
    findings += [finding async for finding in _vendors(settings)]
    findings += [*_terms(settings), _calendar(settings), _clock(settings)]
    findings += _extras()
    return findings


def _unforeseen(subject: str, error: Exception) -> Finding:
    """Return a fail that names the kind of error only: nobody has checked what else is in its words."""
    return fail(subject, f"It fails with {type(error).__name__}.", "`ohlcache --debug get AAPL` shows where.")


def _settings(settings: Settings) -> Iterator[Finding]:
    for name, meant in unknown_variables().items():
        probably = f"Probably {meant} is meant; " if meant else ""
        yield warn("settings", f"{name} is no setting, so it does nothing", f"{probably}`ohlcache settings` lists all.")
    source = settings.chosen_source
    if source is Source.SAMPLE:
        yield warn(
            "source",
            "sample: AAPL, MSFT, IBM, BRK.A and ZEN, ending in 2014",
            "For live data set TIINGO_API_KEY to a Tiingo token.",
        )
    else:
        fallback = source is Source.TIINGO and settings.finnhub_api_key is not None
        yield ok("source", f"{source}, its key is set" + (", finnhub stands in" if fallback else ""))
    try:
        settings.check_serving()
    except OhlcacheError as exc:
        yield fail("serving", exc)
        return
    keys = f"{len(settings.api_keys)} API keys" if settings.api_keys else "no API key needed on loopback"
    yield ok("serving", f"{settings.host}:{settings.port}, {keys}")


def _disk(settings: Settings) -> Iterator[Finding]:
    if settings.store is not StoreEngine.SQLITE:
        return
    folder = _existing(settings.data_dir)
    free = shutil.disk_usage(folder).free
    if free < DISK_BYTES_FREE_MIN:
        yield warn("disk", f"{size(free)} free at {folder}", "Make room, or set OHLCACHE_DATA_DIR to a larger disk.")
    else:
        yield ok("disk", f"{size(free)} free at {folder}")


def _existing(folder: Path) -> Path:
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def _terms(settings: Settings) -> Iterator[Finding]:
    """Say what has to be known before a vendor's data is stored; whether it is allowed is between user and vendor."""
    if settings.chosen_source is Source.SAMPLE or settings.store is StoreEngine.MEMORY:
        return
    tiingo = (
        "Tiingo's of 2026-08-05 allow no durable storage on Starter and Trial plans, and on paid ones while they run"
    )
    says = tiingo if settings.chosen_source is Source.TIINGO else "read Finnhub's"
    yield ok("terms", f"{says}; your contract decides, OHLCACHE_STORE=memory stores nothing")


async def _store(settings: Settings) -> AsyncIterator[Finding]:
    """Open the store and write to it: a lease of its own is the smallest thing that can be written and taken back."""
    clock = SystemClock()
    try:
        store, leases = await open_store(settings, build_telemetry(settings, clock), clock)
    except ImportError:
        yield fail(
            "store", "boto3, which the store dynamodb needs, is not installed.", "pip install 'ohlcache[dynamodb]'"
        )
        return
    except OhlcacheError as exc:
        yield fail("store", exc)
        return
    except Exception as exc:  # noqa: BLE001 - the doctor must not fall ill itself
        yield _unforeseen("store", exc)
        return
    try:
        now = clock.now()
        lease = await leases.acquire("LOCK#DOCTOR", "doctor", now=now, life_seconds=CHECK_LEASE_SECONDS)
        if isinstance(lease, Lease):
            await leases.release(lease)
        usage = await store.usage()
        yield ok(
            "store",
            f"{store.name} can be written: {place_of(settings)}, {usage.candles:,} candles, {size(usage.bytes)}",
        )
    except OhlcacheError as exc:
        yield fail("store", exc)
    except Exception as exc:  # noqa: BLE001 - as above
        yield _unforeseen("store", exc)
    finally:
        await store.close()


async def _vendors(settings: Settings) -> AsyncIterator[Finding]:
    clock = build_clock(settings)
    vendors = build_vendors(settings, load_xnys(), build_telemetry(settings, clock), clock)
    for vendor in vendors:
        try:
            yield await _vendor(vendor)
        finally:
            await vendor.close()


async def _vendor(vendor: CandleVendor) -> Finding:
    subject = f"vendor {vendor.name}"
    try:
        return ok(subject, await vendor.check())
    except OhlcacheError as exc:
        return fail(subject, exc)
    except Exception as exc:  # noqa: BLE001 - as above
        return _unforeseen(subject, exc)


def _calendar(settings: Settings) -> Finding:
    table = load_xnys()
    today = market_date(build_clock(settings).now())
    days_left = (table.span.end - today).days
    known = f"XNYS {table.version}, {table.span.start} to {table.span.end}"
    hint = "Install a newer ohlcache: its calendar reaches further."
    if days_left < 0:
        return fail("calendar", f"{known}: it has ended", hint)
    if days_left < CALENDAR_DAYS_LEFT_MIN:
        return warn("calendar", f"{known}: {days_left} days left", hint)
    return ok("calendar", known)


def _clock(settings: Settings) -> Finding:
    now = build_clock(settings).now()
    shown = f"{datetime.fromtimestamp(now, NEW_YORK):%Y-%m-%d %H:%M} in New York"
    if settings.clock is not None:
        return warn("clock", f"{shown}, set by OHLCACHE_CLOCK", "Unset OHLCACHE_CLOCK for the real time.")
    if now < EARLIEST_HONEST_CLOCK or not math.isfinite(now):
        return fail("clock", f"{shown}: this cannot be", "Set this machine's clock (NTP).")
    offset = datetime.fromtimestamp(now, NEW_YORK).utcoffset() or timedelta()
    return ok("clock", f"{shown} (UTC{offset.total_seconds() / 3600:+.0f})")


def _extras() -> Iterator[Finding]:
    there = [extra for extra, module in EXTRAS.items() if find_spec(module) is not None]
    absent = [extra for extra in EXTRAS if extra not in there]
    if absent:
        yield ok("extras", f"{', '.join(there) or 'none'}; for more: pip install 'ohlcache[{','.join(absent)}]'")
    else:
        yield ok("extras", ", ".join(there))
