"""Asking a vendor over HTTP: one connection pool, a time-out, the key in a header, every failure translated.

Whatever goes wrong comes out as a VendorError or TickerNotFound. aiohttp's exceptions are not chained to them: they
carry the request, and with it the header that holds the key.
"""

from __future__ import annotations

import asyncio
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from ohlcache.adapters.vendors.hourly_calls import HourlyCalls, next_hour
from ohlcache.adapters.vendors.retry_after import wait_in
from ohlcache.domain.errors import (
    BadVendorCredentials,
    OhlcacheError,
    QuotaExceeded,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.observation import VendorAnswer
from ohlcache.ports import Level, Metric, QuotaState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import aiohttp

    from ohlcache.adapters.vendors.vendor_key import VendorKey
    from ohlcache.ports import Clock, Telemetry

T = TypeVar("T")

BODY_BYTES_MAX = 64 * 1024 * 1024
CONNECTIONS_MAX = 32
REDIRECTS_MAX = 3
PIECE_BYTES = 64 * 1024
STATUS_OK = 200
STATUS_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the status, the whole body, and the lines of the header ``Retry-After`` where there was one."""

    status: int
    body: bytes
    retry_after: str | None = None


class HttpPool:
    """Connections kept open for every vendor of a process; nothing is imported or opened before it is used."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def prepare(self) -> None:
        """Load the HTTP client, which takes seconds on a busy machine."""
        await self._open()

    async def get(self, url: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        """Return the reply to a GET; redirects are followed on the same origin only.

        Raises VendorUnavailable when no whole reply comes, VendorGarbage when there is no end to it.
        """
        session = await self._open()
        client = importlib.import_module("aiohttp")
        try:
            return await _get(session, url, params, headers)
        except (client.ClientError, OSError, ValueError) as exc:
            # A ValueError is an address that cannot be one, or a header that cannot be read.
            failure = type(exc).__name__
        raise VendorUnavailable(f"The connection to the vendor failed ({failure}).")

    async def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is not None and self._loop is loop and not self._session.closed:
            return self._session
        # Importing takes long enough to hold up a busy loop.
        client = await asyncio.to_thread(importlib.import_module, "aiohttp")
        if self._session is None or self._loop is not loop or self._session.closed:
            if self._session is not None and not self._session.closed:
                self._session.detach()  # its loop has ended, and its connections with it
            connector = client.TCPConnector(limit=CONNECTIONS_MAX)
            session: aiohttp.ClientSession = client.ClientSession(
                connector=connector,
                # The caller's budget covers everything, redirects too.
                timeout=client.ClientTimeout(total=None),
                cookie_jar=client.DummyCookieJar(),
            )
            self._session, self._loop = session, loop
        return self._session


async def _get(
    session: aiohttp.ClientSession, url: str, params: Mapping[str, str], headers: Mapping[str, str]
) -> Reply:
    asked: Mapping[str, str] | None = params
    target = url
    for _ in range(REDIRECTS_MAX + 1):
        async with session.get(target, params=asked, headers=headers, allow_redirects=False) as response:
            if response.status not in STATUS_REDIRECTS:
                lines = "\n".join(response.headers.getall("Retry-After", []))
                return Reply(response.status, await _body(response), lines or None)
            target, asked = _redirected(response), None
    raise VendorUnavailable("The vendor redirects without end.")


def _redirected(response: aiohttp.ClientResponse) -> str:
    """Return the address that a reply redirects to; ValueError if it is none, VendorUnavailable for another host's."""
    following = response.url.join(type(response.url)(response.headers.get("Location", "")))
    if following.origin() != response.url.origin():
        # The key must not travel to anybody else.
        raise VendorUnavailable("The vendor redirects to another host.")
    return str(following)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > BODY_BYTES_MAX:
            raise VendorGarbage("The vendor's answer has no end.")
    return b"".join(pieces)


class Refusal(Protocol):
    """Reads a vendor's reply for a refusal."""

    def __call__(self, reply: Reply, *, ticker: str, now: float) -> OhlcacheError | None:
        """Return the error that ``reply`` means, None where it is an answer."""
        ...


@dataclass(slots=True)
class _Question:
    """One question to the vendor, and how many calls it has taken."""

    path: str
    params: Mapping[str, str]
    ticker: str
    calls: int = 0


class VendorHttp:
    """One vendor's API: adds the key, reads refusals, counts and logs every call, remembers what is blocked."""

    def __init__(
        self,
        *,
        source: str,
        base_url: str,
        key: VendorKey,
        headers_of: Callable[[str], Mapping[str, str]],
        refusal: Refusal,
        clock: Clock,
        telemetry: Telemetry,
        timeout_seconds: float,
        calls_per_hour: int | None,
        pool: HttpPool | None,
    ) -> None:
        self._source = source
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._headers_of = headers_of
        self._refusal = refusal
        self._clock = clock
        self._telemetry = telemetry
        self._timeout_seconds = timeout_seconds
        self._pool = pool or HttpPool()
        self._calls = HourlyCalls(calls_per_hour)
        self._blocked_until: float | None = None
        self._refused_key: str | None = None

    async def ask(
        self,
        path: str,
        params: Mapping[str, str],
        parse: Callable[[bytes], T],
        *,
        ticker: str = "",
        budget_share: float = 1.0,
        **logged: str,
    ) -> T:
        """Return ``parse`` of the body that GET ``path`` yields, within ``budget_share`` of the time-out.

        ``ticker`` and ``logged`` go into the log line. Raises TickerNotFound or a VendorError; QuotaExceeded without a
        call when the calls that this process may make in an hour are made.
        """
        outcome, rows = "cancelled", 0
        started, question = self._clock.now(), _Question(path, params, ticker)
        try:
            result = await self._answered(question, parse, self._timeout_seconds * budget_share)
            outcome, rows = "ok", len(result.candles) if isinstance(result, VendorAnswer) else 0
            self._blocked_until = None
        except OhlcacheError as exc:
            outcome = exc.code
            if isinstance(exc, QuotaExceeded) and exc.retry_after_seconds is not None:
                self._blocked_until = self._clock.now() + exc.retry_after_seconds
            raise
        finally:
            if question.calls:
                self._report(started, outcome, ticker=ticker, **logged, rows=rows)
        return result

    async def prepare(self) -> None:
        """See that nothing but the vendor takes time when it is asked."""
        await self._pool.prepare()

    async def key_replaced(self) -> bool:
        """Return whether the key, read again, is another one than the vendor refused last."""
        if self._refused_key is None:
            return False
        try:
            return await self._key.get(refresh=True) != self._refused_key
        except BadVendorCredentials:
            return False  # it cannot be read; that is logged

    def quota(self) -> QuotaState:
        """Return the calls of this hour, the allowance, and until when the vendor has said to wait."""
        now = self._clock.now()
        blocked = self._blocked_until if self._blocked_until is not None and self._blocked_until > now else None
        if not self._calls.left(now):
            blocked = max(blocked or 0.0, next_hour(now))
        return QuotaState(self._calls.made(now), self._calls.allowance, blocked)

    async def close(self) -> None:
        """Close the connections; vendors that share a pool end together, and a later call opens new ones."""
        await self._pool.close()

    def _report(self, started: float, outcome: str, **logged: object) -> None:
        """Count, time and log a question that was asked since ``started``."""
        seconds = self._clock.now() - started
        self._telemetry.count(Metric.VENDOR_CALLS, source=self._source, outcome=outcome)
        self._telemetry.observe(Metric.VENDOR_SECONDS, seconds, source=self._source)
        timed = {"outcome": outcome, "seconds": round(seconds, 3)}
        self._telemetry.log(Level.INFO, "vendor call", source=self._source, **logged, **timed)

    async def _answered(self, question: _Question, parse: Callable[[bytes], T], budget_seconds: float) -> T:
        await self.prepare()  # on our own time, not on the vendor's
        try:
            async with asyncio.timeout(budget_seconds):
                reply = await self._reply(question)
        except TimeoutError as exc:
            raise VendorUnavailable("The vendor did not answer in time.") from exc
        return parse(reply.body)

    async def _reply(self, question: _Question) -> Reply:
        key = await self._key.get()
        reply, refused = await self._attempt(question, key)
        if isinstance(refused, BadVendorCredentials):
            fresh = await self._key.get()
            if fresh == key:  # else somebody has refreshed it in the meantime
                fresh = await self._key.get(refresh=True)
            if fresh != key and self._calls.left(self._clock.now()):
                key = fresh
                reply, refused = await self._attempt(question, key)
        if isinstance(refused, BadVendorCredentials):
            self._refused_key = key
        if refused is not None:
            raise refused
        return reply

    async def _attempt(self, question: _Question, key: str) -> tuple[Reply, OhlcacheError | None]:
        if not key.strip():
            return Reply(401, b""), BadVendorCredentials("The vendor key is empty.")
        if not key.isprintable():  # aiohttp refuses line ends in a header with a message that repeats them
            return Reply(401, b""), BadVendorCredentials("The vendor key holds characters that no key has.")
        # Checked and counted in one step: of many that ask at once none goes beyond the allowance.
        self._calls.check(self._clock.now())
        self._calls.add(self._clock.now())
        question.calls += 1
        reply = await self._pool.get(self._base_url + question.path, question.params, self._headers_of(key))
        return reply, self._refusal(reply, ticker=question.ticker, now=self._clock.now())


def retry_after_seconds(reply: Reply, now: float) -> float | None:
    """Return the wait that the header ``Retry-After`` asks for, a day at most; None without."""
    return wait_in(reply.retry_after, now)


def refusal_by_status(reply: Reply, now: float) -> VendorError | None:
    """Return what a status means with every vendor alike; None for 200 and for what each vendor words its own way."""
    status = reply.status
    if status == STATUS_OK:
        return None
    if status == 408 or status >= 500:  # noqa: PLR2004 - statuses are their own names
        return VendorUnavailable(
            f"The vendor answers with status {status}.", retry_after_seconds=retry_after_seconds(reply, now)
        )
    return VendorError(f"The vendor refused the question with status {status}.")
