"""Caches to ask: on a world whose clock moves when told, and on vendors behind a real socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.adapters.clock import SystemClock
from ohlcache.library.cache import Cache
from ohlcache.testing import FakeVendors
from ohlcache.testing.clock import instant_of
from service.world import MONDAY_9_PM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from service.world import World


@pytest.fixture
def library(cache: Callable[..., World]) -> Callable[..., tuple[Cache, World]]:
    """Make a library cache and the world it is in."""

    def make(start: float | str = MONDAY_9_PM, **wishes: Any) -> tuple[Cache, World]:
        world = cache(start, **wishes)
        return Cache(world.first.cache), world

    return make


@pytest.fixture
def vendors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeVendors]:
    """Run fake vendors on a socket, and let the environment point to them; it is Monday evening there."""
    for name in ("OHLCACHE_SOURCE", "OHLCACHE_STORE", "FINNHUB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with FakeVendors(clock=SystemClock(instant_of(MONDAY_9_PM))) as fake:
        monkeypatch.setenv("TIINGO_API_KEY", "invented-key")
        monkeypatch.setenv("TIINGO_BASE_URL", fake.tiingo_url)
        monkeypatch.setenv("OHLCACHE_CLOCK", MONDAY_9_PM)
        monkeypatch.setenv("OHLCACHE_DATA_DIR", str(tmp_path))
        yield fake


@pytest.fixture
def sample(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the environment choose the bundled sample and an empty folder, which is returned."""
    for name in ("OHLCACHE_STORE", "TIINGO_API_KEY", "FINNHUB_API_KEY", "OHLCACHE_CLOCK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OHLCACHE_SOURCE", "sample")
    monkeypatch.setenv("OHLCACHE_DATA_DIR", str(tmp_path))
    return tmp_path
