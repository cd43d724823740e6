"""Both vendors' HTTP APIs on a local socket, made of a generated market, with faults on demand.

In an event loop::

    async with FakeVendors() as fake:
        TiingoVendor(base_url=fake.tiingo_url, ...)

``with FakeVendors() as fake`` runs it in a thread, ``python -m ohlcache.testing.fake_vendors --port 0`` as a process
that prints its addresses as one line of JSON and takes orders under ``/_fake/`` (see fake_control).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from aiohttp import web

from ohlcache.adapters.clock import SystemClock
from ohlcache.testing import fake_control
from ohlcache.testing.clock import instant_of
from ohlcache.testing.fake_sides import Answer, FinnhubSide, TiingoSide
from ohlcache.testing.faults import Fault
from ohlcache.testing.market import Market
from ohlcache.testing.misconduct import misbehave

if TYPE_CHECKING:
    from types import TracebackType

    from ohlcache.ports import Clock
    from ohlcache.testing.fake_sides import VendorSide
    from ohlcache.testing.faults import Drawn

HOST = "127.0.0.1"


@dataclass(slots=True)
class ServedCall:
    """One request that arrived. ``span`` is as the vendor was asked, in its own words; ``key`` how the key was sent."""

    vendor: str
    path: str
    ticker: str
    resolution: str
    span: tuple[str, str]
    instant: float
    key: str
    outcome: str = "in flight"
    query: dict[str, str] = field(default_factory=dict)


class FakeVendors:
    """Serves Tiingo's and Finnhub's paths on one port.

    ``tiingo`` and ``finnhub`` are the two sides: each has ``faults``, and ``key`` (None: any). ``calls`` is everything
    that arrived, in order. ``market`` and ``clock`` are the vendors' own; ``latency_seconds`` is real time. ``canned``
    holds answers by path (without the query) that are given instead of generated ones: recordings, for example.
    """

    def __init__(
        self,
        market: Market | None = None,
        clock: Clock | None = None,
        *,
        port: int = 0,
        latency_seconds: float = 0.0,
    ) -> None:
        self.market = market or Market()
        self.clock: Clock = clock or SystemClock()
        self.latency_seconds = latency_seconds
        self.calls: list[ServedCall] = []
        self.canned: dict[str, Answer] = {}
        self.tiingo = TiingoSide()
        self.finnhub = FinnhubSide()
        self._port = port
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._thread: threading.Thread | None = None
        self._thread_loop: asyncio.AbstractEventLoop | None = None
        self._thread_failure: OSError | None = None

    # --- where it is and what it saw -------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._port}"

    @property
    def tiingo_url(self) -> str:
        """What to use as ``TIINGO_BASE_URL``."""
        return self.url

    @property
    def finnhub_url(self) -> str:
        """What to use as ``FINNHUB_BASE_URL``."""
        return self.url

    def sides(self) -> dict[str, VendorSide]:
        """Return the two sides by name."""
        return {side.name: side for side in (self.tiingo, self.finnhub)}

    def calls_of(self, vendor: str) -> list[ServedCall]:
        """Return the calls that one of the vendors got."""
        return [call for call in self.calls if call.vendor == vendor]

    def reset(self) -> None:
        """Forget every call, every fault and every canned answer."""
        self.calls.clear()
        self.canned.clear()
        for side in self.sides().values():
            side.faults.clear()

    # --- starting and stopping -------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="fake-vendors", daemon=True)
        self._thread.start()
        ready.wait()
        if self._thread_failure is not None:
            self._thread.join()
            raise self._thread_failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._thread is not None, "it was entered"
        assert self._thread_loop is not None, "it was ready"
        self._thread_loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def start(self) -> None:
        """Listen in the running event loop."""
        self._stopping = asyncio.Event()
        app = web.Application()
        fake_control.add_routes(app, self)
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Let go of every request and stop listening."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def until_stopped(self) -> None:
        """Wait until somebody asks it to stop."""
        await self._stopping.wait()

    def ask_to_stop(self) -> None:
        """Make ``until_stopped`` return; from within its event loop."""
        self._stopping.set()

    def _run(self, ready: threading.Event) -> None:
        async def serve() -> None:
            self._thread_loop = asyncio.get_running_loop()
            try:
                await self.start()
            except OSError as exc:  # the port is taken
                self._thread_failure = exc
                await self.stop()
                return
            finally:
                ready.set()
            await self.until_stopped()
            await self.stop()

        asyncio.run(serve())

    # --- serving ---------------------------------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        side = self.finnhub if request.path.startswith("/api/v1/") else self.tiingo
        faults = side.faults.draw()
        asked = side.read(request.path, dict(request.query))
        call = ServedCall(
            vendor=side.name,
            path=request.path,
            ticker=asked.ticker,
            resolution=asked.resolution,
            span=asked.span,
            instant=self.clock.now(),
            key=side.key_sent(request.headers, request.query)[1],
            query={name: value for name, value in request.query.items() if name != "token"},
        )
        self.calls.append(call)
        try:
            response, call.outcome = await self._answer(request, side, faults)
        except asyncio.CancelledError:
            call.outcome = "gone"
            raise
        return response

    async def _answer(self, request: web.Request, side: VendorSide, faults: Drawn) -> tuple[web.StreamResponse, str]:
        await self._wait(self.latency_seconds + faults.get(Fault.LATENCY, 0.0))
        if Fault.HANG in faults:
            await self._stopping.wait()
        answer = side.refused_key(request.headers, request.query) or side.fault_answer(faults)
        answer = answer or self.canned.get(request.path)
        if answer is None:
            answer = side.answer(request.path, dict(request.query), self.market, self.clock.now(), faults)
        misbehaved = await misbehave(request, answer, faults)
        if misbehaved is not None:
            return misbehaved
        return _response(answer), "ok" if answer.status == web.HTTPOk.status_code else str(answer.status)

    async def _wait(self, seconds: float) -> None:
        """Wait in real time, but not beyond the end."""
        if seconds > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()


def _response(answer: Answer) -> web.Response:
    return web.Response(
        status=answer.status, body=answer.body, content_type=answer.content_type, headers=answer.headers
    )


def main(arguments: list[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m ohlcache.testing.fake_vendors", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="before every answer")
    parser.add_argument("--seed", type=int, default=1, help="of the market")
    parser.add_argument("--clock", metavar="INSTANT", help="ISO instant at which the vendors' clock starts")
    parser.add_argument("--tiingo-key", help="refuse every other key")
    parser.add_argument("--finnhub-key", help="refuse every other key")
    parser.add_argument("--fault", action="append", default=[], metavar="VENDOR:FAULT[:NUMBER]", help="on every call")
    chosen = parser.parse_args(arguments)
    clock = SystemClock(None if chosen.clock is None else instant_of(chosen.clock))
    fake = FakeVendors(Market(chosen.seed), clock, port=chosen.port, latency_seconds=chosen.latency)
    fake.tiingo.key, fake.finnhub.key = chosen.tiingo_key, chosen.finnhub_key
    for entry in chosen.fault:
        vendor, fault, number = (*entry.split(":"), "0")[:3]
        fake.sides()[vendor].faults.set(Fault(fault), float(number))
    asyncio.run(_serve_until_told(fake))


async def _serve_until_told(fake: FakeVendors) -> None:
    await fake.start()
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, fake.ask_to_stop)
    addresses = {"tiingo_url": fake.tiingo_url, "finnhub_url": fake.finnhub_url, "port": fake.port}
    sys.stdout.write(json.dumps(addresses) + "\n")
    sys.stdout.flush()
    await fake.until_stopped()
    await fake.stop()


if __name__ == "__main__":
    main()
