"""Fakes that ship: a clock, telemetry, a generated market, and vendors made of it, in process or over a real socket.

Nothing heavy is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ohlcache.testing.clock import FakeClock
    from ohlcache.testing.fake_sides import Answer
    from ohlcache.testing.fake_vendor import FakeVendor
    from ohlcache.testing.fake_vendors import FakeVendors
    from ohlcache.testing.faults import Fault, Faults
    from ohlcache.testing.market import Halt, Market, Stock
    from ohlcache.testing.telemetry import RecordingTelemetry

__all__ = [
    "Answer",
    "FakeClock",
    "FakeVendor",
    "FakeVendors",
    "Fault",
    "Faults",
    "Halt",
    "Market",
    "RecordingTelemetry",
    "Stock",
]

_HOMES = {
    "Answer": "fake_sides",
    "FakeClock": "clock",
    "FakeVendor": "fake_vendor",
    "FakeVendors": "fake_vendors",
    "Fault": "faults",
    "Faults": "faults",
    "Halt": "market",
    "Market": "market",
    "RecordingTelemetry": "telemetry",
    "Stock": "market",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
