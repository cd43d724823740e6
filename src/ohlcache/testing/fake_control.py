"""Orders to running fake vendors, over their own port; for tests in other processes and other languages.

================================  ==================================================================================
``GET /_fake/calls``              everything that arrived, as JSON
``POST /_fake/reset``             forgets calls and faults
``POST /_fake/faults``            ``{"vendor": "tiingo", "always": {"latency": 2}, "then": ["429", null]}``: ``always``
                                  replaces what always happens, ``then`` is queued
``POST /_fake/market``            ``{"revising": true, "late_seconds": 600}``, each optional
``POST /_fake/latency``           ``{"seconds": 0.2}``
================================  ==================================================================================
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from ohlcache.testing.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from _typeshed import DataclassInstance

    from ohlcache.testing.fake_sides import VendorSide
    from ohlcache.testing.market import Market


class Orderable(Protocol):
    """Fake vendors that take orders."""

    market: Market
    latency_seconds: float

    @property
    def calls(self) -> Sequence[DataclassInstance]:
        """Everything that arrived, in order."""
        ...

    def sides(self) -> Mapping[str, VendorSide]:
        """Return each vendor's side by its name."""
        ...

    def reset(self) -> None:
        """Forget calls and faults."""
        ...


def add_routes(app: web.Application, fake: Orderable) -> None:
    """Serve the orders to ``fake``."""
    orders = _Orders(fake)
    app.router.add_get("/_fake/calls", orders.calls)
    app.router.add_post("/_fake/reset", orders.reset)
    app.router.add_post("/_fake/faults", orders.faults)
    app.router.add_post("/_fake/market", orders.market)
    app.router.add_post("/_fake/latency", orders.latency)


class _Orders:
    def __init__(self, fake: Orderable) -> None:
        self._fake = fake

    async def calls(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(call) for call in self._fake.calls])

    async def reset(self, _: web.Request) -> web.Response:
        self._fake.reset()
        return web.json_response({})

    async def faults(self, request: web.Request) -> web.Response:
        order = await request.json()
        faults = self._fake.sides()[order["vendor"]].faults
        if "always" in order:
            faults.always = {Fault(name): float(number) for name, number in order["always"].items()}
        for entry in order.get("then", []):
            if isinstance(entry, list):
                faults.then((Fault(entry[0]), float(entry[1])))
            else:
                faults.then(None if entry is None else Fault(entry))
        return web.json_response({})

    async def market(self, request: web.Request) -> web.Response:
        order = await request.json()
        self._fake.market.revising = bool(order.get("revising", self._fake.market.revising))
        self._fake.market.late_seconds = float(order.get("late_seconds", self._fake.market.late_seconds))
        return web.json_response({})

    async def latency(self, request: web.Request) -> web.Response:
        self._fake.latency_seconds = float((await request.json())["seconds"])
        return web.json_response({})
