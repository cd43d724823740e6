"""The ASGI app: every request's way in and out, in one place, and the life of the cache behind it.

::

    ids ─▶ limits ─▶ host ─▶ key or site ─▶ route ─▶ method ─▶ resource ─▶ common headers ─▶ measured and logged
                         every error ends here as a JSON answer
"""

from __future__ import annotations

import asyncio
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ohlcache.adapters.prometheus import MetricRegistry
from ohlcache.adapters.telemetry import REQUEST_ID
from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.errors import InvalidRequest, OhlcacheError, VendorUnavailable
from ohlcache.http.api_keys import GUARDED_PREFIXES, TIINGO_PREFIXES, ApiKeys, is_guarded
from ohlcache.http.cors import Cors
from ohlcache.http.coverage import CoverageResource
from ohlcache.http.errors import (
    BodyTooLarge,
    MethodNotAllowed,
    NoSuchPath,
    TargetTooLong,
    error_response,
    internal_error,
)
from ohlcache.http.health import HealthResource
from ohlcache.http.hosts import REFUSAL, Hosts
from ohlcache.http.invalidate import InvalidateResource
from ohlcache.http.lifecycle import Lifecycle
from ohlcache.http.messages import Request, Response, merged_headers
from ohlcache.http.metrics import MetricsResource
from ohlcache.http.ohlc import OhlcResource
from ohlcache.http.openapi import OpenApiResource
from ohlcache.http.page import Page
from ohlcache.http.replay import EXTENSION, ReplayBoard
from ohlcache.http.request_ids import RequestIds
from ohlcache.http.routing import Route, RouteTable
from ohlcache.http.status import StatusResource
from ohlcache.http.tickers import TickersResource
from ohlcache.http.tiingo import TiingoResource
from ohlcache.ports import Level, Metric

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from pathlib import Path

    from ohlcache.http.messages import Repeat
    from ohlcache.http.metrics import MetricsText
    from ohlcache.service.read_through import ReadThrough

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

TARGET_BYTES_MAX = 4096
BODY_BYTES_MAX = 4096
PAGE_ROUTE = "page"
UNKNOWN_ROUTE = "unknown"

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
_COMMON = ((b"x-content-type-options", b"nosniff"),)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What carries an answer takes no longer one, and waits no longer for it.

    ``body_bytes_max``: as it stands in the answer, compressed or not; ``seconds_left``: of a request, by its scope.
    """

    body_bytes_max: int
    seconds_left: Callable[[Message], float]


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What the front door must be told.

    ``api_keys``: empty means that none is needed; ``allowed_hosts``: names that are answered in addition to this
    machine's own, ``*`` for all; ``cors_origins``: origins whose pages may call, ``*`` for all;
    ``page_dir``: where the built web page is, None for the small one that ships; ``metrics``: what ``/metrics`` shows.
    ``bounds``: what the carrier of the answers sets, where it sets any.
    """

    version: str
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    page_dir: Path | None = None
    metrics: MetricsText = field(default_factory=MetricRegistry)
    bounds: Bounds | None = None


def create_app(open_cache: Callable[[], Awaitable[ReadThrough]], options: HttpOptions) -> HttpApp:
    """Return the ASGI app; ``open_cache`` is called when the server starts, and the cache closed when it stops."""
    lifecycle = Lifecycle(open_cache)
    return HttpApp(lifecycle, _routes(lifecycle, options), Page(options.page_dir), options)


def _routes(lifecycle: Lifecycle, options: HttpOptions) -> RouteTable:
    health = HealthResource(lifecycle)
    contract = OpenApiResource(options.version)
    tiingo = TiingoResource(lifecycle)
    return RouteTable(
        [
            Route("/api/v2/tickers/{ticker}/ohlc", {"GET": OhlcResource(lifecycle).get}),
            Route("/api/v2/tickers/{ticker}/invalidate", {"POST": InvalidateResource(lifecycle).post}),
            Route("/api/v2/tickers/{ticker}/coverage", {"GET": CoverageResource(lifecycle).get}),
            Route("/api/v2/tickers", {"GET": TickersResource(lifecycle).get}),
            Route("/api/v2/status", {"GET": StatusResource(lifecycle, options.version).get}),
            Route("/tiingo/daily/{ticker}/prices", {"GET": tiingo.daily}),
            Route("/tiingo/daily/{ticker}", {"GET": tiingo.metadata}),
            Route("/iex/{ticker}/prices", {"GET": tiingo.iex}),
            Route("/tiingo/utilities/search", {"GET": tiingo.search}),
            Route("/tiingo/utilities/search/{query}", {"GET": tiingo.search}),
            Route("/api/test", {"GET": tiingo.test}),
            Route("/healthz", {"GET": health.alive}),
            Route("/readyz", {"GET": health.ready}),
            Route("/metrics", {"GET": MetricsResource(lifecycle, options.metrics).get}),
            Route("/openapi.json", {"GET": contract.document}),
            Route("/docs", {"GET": contract.docs}),
        ]
    )


class HttpApp:
    """An ASGI 3 application; ``start_failure`` says why it could not start, if so."""

    def __init__(self, lifecycle: Lifecycle, routes: RouteTable, page: Page, options: HttpOptions) -> None:
        self.lifecycle = lifecycle
        self.routes = routes
        self.version = options.version
        self.start_failure: Exception | None = None
        self._page = page
        self._keys = ApiKeys(options.api_keys)
        self._hosts = Hosts(options.allowed_hosts, has_keys=bool(options.api_keys))
        self._cors = Cors(options.cors_origins)
        self._bounds = options.bounds
        self.ids = RequestIds()
        self.replays = ReplayBoard()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the lifespan; other protocols are refused."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.lifecycle.open()
        except Exception as exc:  # noqa: BLE001 - whatever it is, it ends the start; the server's caller says it
            self.start_failure = exc
            await send({"type": "lifespan.startup.failed", "message": "The cache could not be opened."})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.lifecycle.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = merged_headers(scope["headers"])
        request_id = self.ids.of(headers.get(b"x-request-id"))
        REQUEST_ID.set(request_id)
        request = Request(scope["method"], scope["path"], scope["query_string"], headers)
        route = self.routes.find(request.path)
        self.lifecycle.request_begins()
        try:
            response = await self._answer(request, route, scope, receive, request_id)
            keep = scope.get("extensions", {}).get(EXTENSION)
            await _send(send, response, request_id, keep, empty=request.method == "HEAD")
            self._report(request, route, response, (time.perf_counter() - started))
        finally:
            self.lifecycle.request_ends()

    async def _answer(
        self,
        request: Request,
        route: tuple[Route, tuple[str, ...]] | None,
        scope: Message,
        receive: Receive,
        request_id: str,
    ) -> Response:
        """Return the answer to ``request``, whatever happens on the way."""
        like_tiingo = request.path.startswith(TIINGO_PREFIXES)
        try:
            _check_target(scope.get("raw_path") or request.path.encode(), request.query)
            self._check_caller(request, scope)
            if request.method not in _BODILESS:
                await _skip_body(request, receive)
            if self._bounds is None:
                response = await self._dispatch(request, route)
            else:
                response = await self._bounded(self._dispatch(request, route), self._bounds, scope)
        except OhlcacheError as exc:
            response = error_response(exc, request_id, as_detail=like_tiingo)
        except Exception:  # noqa: BLE001 - a bug becomes a 500 with an id, and a line with its trace
            self._log(Level.ERROR, "request failed", method=request.method, traceback=traceback.format_exc())
            response = error_response(internal_error(), request_id, as_detail=like_tiingo)
        if request.path.startswith(GUARDED_PREFIXES):
            response.headers += self._cors.headers(request.headers)
        return response

    def _check_caller(self, request: Request, scope: Message) -> None:
        """Raise an error unless the caller may ask; a browser that asks first, with OPTIONS, gets no data by it.

        Keys are what protects, where there are any; without them, only this machine's programs and own page may ask.
        """
        refusal: OhlcacheError | None = scope.get("extensions", {}).get(REFUSAL)
        if refusal is not None:
            raise refusal
        self._hosts.check(request.path, request.headers.get(b"host", b""))
        if request.method == "OPTIONS" or not is_guarded(request.path):
            return
        self._keys.check(request.path, request.query, request.headers)
        if not self._keys:
            self._cors.check_site(request.headers)
        elif request.method not in _BODILESS:
            self._cors.check_origin(request.headers)

    async def _bounded(self, answering: Awaitable[Response], bounds: Bounds, scope: Message) -> Response:
        """Return what ``answering`` returns, if it comes in time and can be carried.

        What was being fetched goes on, is written when it is there, and is a hit for whoever asks again.
        """
        seconds = bounds.seconds_left(scope)
        in_time = asyncio.timeout(max(seconds, 0.0))
        try:
            async with in_time:
                response = await answering
        except TimeoutError as exc:
            if not in_time.expired():
                raise
            self._log(Level.ERROR, "request out of time", seconds=round(seconds, 3))
            raise VendorUnavailable("The answer took too long.") from exc
        if len(response.body) > bounds.body_bytes_max:
            raise InvalidRequest(
                f"This answer is longer than the {bounds.body_bytes_max / 1e6:.1f} MB that can be sent at once.",
                hint="Ask for a shorter range, or for a compressed answer (Accept-Encoding: zstd or gzip).",
                field="range",
            )
        return response

    async def _dispatch(self, request: Request, found: tuple[Route, tuple[str, ...]] | None) -> Response:
        if found is None:
            return self._from_page(request)
        route, request.params = found
        if request.method == "OPTIONS":
            methods = ", ".join(route.methods)
            return Response(204, [(b"allow", methods.encode()), *self._cors.preflight(request.headers, methods)])
        handler = route.handler(request.method)
        if handler is None:
            raise MethodNotAllowed(request.method, route.methods)
        return await handler(request)

    def _from_page(self, request: Request) -> Response:
        asset = self._page.find(request.path)
        if asset is None:
            raise NoSuchPath("Nothing is served under this path.")
        if request.method == "OPTIONS":
            return Response(204, [(b"allow", b"GET, HEAD, OPTIONS")])
        if request.method not in _BODILESS:
            raise MethodNotAllowed(request.method, ("GET", "HEAD", "OPTIONS"))
        return asset.answer(request)

    def _report(
        self, request: Request, found: tuple[Route, tuple[str, ...]] | None, response: Response, seconds: float
    ) -> None:
        """Measure and log one answer; the route's template stands for the path, which may hold anything."""
        cache = self.lifecycle.opened
        if cache is None:
            return
        route = found[0].template if found is not None else _other_route(response)
        cache.telemetry.observe(Metric.HTTP_SECONDS, seconds, route=route, status=str(response.status))
        fields: dict[str, object] = {} if response.tier is None else {"tier": response.tier}
        cache.telemetry.log(
            _loudness(response),
            "request",
            method=request.method[:20],
            route=route,
            status=response.status,
            ms=round(seconds * 1000, 3),
            **fields,
        )

    def _log(self, level: Level, event: str, **fields: object) -> None:
        cache = self.lifecycle.opened
        if cache is not None:
            cache.telemetry.log(level, event, **fields)


def _loudness(response: Response) -> Level:
    """Memory hits are counted, not written: a line each would cost more than the answer."""
    if response.status >= 500:  # noqa: PLR2004 - the class of server errors
        return Level.ERROR
    return Level.DEBUG if response.tier == IN_MEMORY else Level.INFO


def _other_route(response: Response) -> str:
    return PAGE_ROUTE if response.status < 400 else UNKNOWN_ROUTE  # noqa: PLR2004 - the class of errors


def _check_target(path: bytes, query: bytes) -> None:
    if len(path) + len(query) > TARGET_BYTES_MAX:
        raise TargetTooLong(f"Path and query are longer than {TARGET_BYTES_MAX} bytes.")


async def _skip_body(request: Request, receive: Receive) -> None:
    """Read the body, which nothing here needs; BodyTooLarge as soon as it is longer than any sense."""
    declared = request.headers.get(b"content-length", b"0").lstrip(b"0")
    too_large = len(declared) > len(str(BODY_BYTES_MAX)) or (declared.isdigit() and int(declared) > BODY_BYTES_MAX)
    received, more = 0, not too_large
    while more and received <= BODY_BYTES_MAX:
        message = await receive()
        received += len(message.get("body", b""))
        more = message.get("more_body", False)
    if too_large or received > BODY_BYTES_MAX:
        raise BodyTooLarge(f"The body is longer than {BODY_BYTES_MAX} bytes.")


async def _send(
    send: Send, response: Response, request_id: str, keep: Callable[[Repeat], None] | None, *, empty: bool
) -> None:
    headers = [*response.headers, *_COMMON, (b"x-request-id", request_id.encode())]
    if keep is not None and response.replay is not None:
        response.replay.settle(headers)
        keep(response.replay)
    if response.status not in {204, 304}:
        headers.append((b"content-length", b"%d" % len(response.body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if empty else response.body})
