"""Whatever stands behind a port, real or fake, has the port's methods with the port's parameters."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

from ohlcache import ports

STANDS_BEHIND = [
    (ports.Clock, "ohlcache.adapters.clock:SystemClock"),
    (ports.Clock, "ohlcache.testing:FakeClock"),
    (ports.Telemetry, "ohlcache.adapters.telemetry:StandardTelemetry"),
    (ports.Telemetry, "ohlcache.testing:RecordingTelemetry"),
    (ports.CandleVendor, "ohlcache.adapters.vendors.tiingo:TiingoVendor"),
    (ports.CandleVendor, "ohlcache.adapters.vendors.finnhub:FinnhubVendor"),
    (ports.CandleVendor, "ohlcache.adapters.vendors.sample:SampleVendor"),
    (ports.CandleVendor, "ohlcache.testing:FakeVendor"),
    (ports.CandleStore, "ohlcache.adapters.stores.memory:MemoryStore"),
    (ports.CandleStore, "ohlcache.adapters.stores.sqlite:SqliteStore"),
    (ports.CandleStore, "ohlcache.adapters.stores.dynamodb:DynamoStore"),
    (ports.CandleStore, "service.faulty_store:FaultyStore"),
    (ports.LeaseTable, "ohlcache.adapters.stores.memory:MemoryStore"),
    (ports.LeaseTable, "ohlcache.adapters.stores.sqlite:SqliteStore"),
    (ports.LeaseTable, "ohlcache.adapters.stores.dynamodb:DynamoStore"),
    (ports.LeaseTable, "service.faulty_store:FaultyStore"),
]


def methods_of(port: type) -> dict[str, Any]:
    return {
        name: member for name, member in vars(port).items() if not name.startswith("_") and inspect.isfunction(member)
    }


def shape(function: Any) -> tuple[bool, list[tuple[str, Any, Any]]]:
    """Return whether a function is asynchronous, and its parameters with kind and default."""
    parameters = inspect.signature(function).parameters.values()
    return inspect.iscoroutinefunction(function), [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]


@pytest.mark.parametrize(
    ("port", "home"), STANDS_BEHIND, ids=[f"{p.__name__}-{h.split(':')[1]}" for p, h in STANDS_BEHIND]
)
def test_a_stand_in_has_the_signature_of_what_it_replaces(port: type, home: str) -> None:
    """Q5: same methods, same parameters of the same kind with the same defaults, asynchronous where the port is."""
    module, name = home.split(":")
    stand_in = getattr(import_module(module), name)
    for method, promised in methods_of(port).items():
        assert shape(getattr(stand_in, method)) == shape(promised), f"{name}.{method}"
    properties = [n for n, member in vars(port).items() if isinstance(member, property)]
    for attribute in properties:
        assert hasattr(stand_in, attribute) or attribute in inspect.get_annotations(stand_in), f"{name}.{attribute}"


def test_every_port_is_stood_behind_by_something_real_and_something_fake() -> None:
    """Q5: a port that this module does not check would drift unseen."""
    declared = {
        member for member in vars(ports).values() if inspect.isclass(member) and getattr(member, "_is_protocol", False)
    } - {__import__("typing").Protocol}
    assert {port for port, _ in STANDS_BEHIND} == declared
