"""The cache for coroutines: ask by ticker and range, get a table of candles."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from threading import Lock
from typing import TYPE_CHECKING, Self

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.errors import IncompleteDataWarning, InvalidRequest
from ohlcache.domain.market_time import market_date
from ohlcache.domain.resolution import Resolution
from ohlcache.library.backfilling import backfill_steps
from ohlcache.library.candle_table import CandleTable
from ohlcache.library.shortcuts import Shortcuts
from ohlcache.library.wording import in_python
from ohlcache.ports import Metric
from ohlcache.service.reports import Backfilled

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from types import TracebackType

    from ohlcache.domain.request import CandleRequest
    from ohlcache.domain.span import Span
    from ohlcache.ports import TickerInfo
    from ohlcache.service.read_through import ReadThrough
    from ohlcache.service.reports import CacheStatus, Invalidated, SessionReport

GET_MANY_AT_ONCE_MAX = 32
"""Tickers that one ``get_many`` has in flight at a time."""


class Cache:
    """A read-through cache of candles; belongs to one event loop. Every method may raise an ``OhlcacheError``.

    Dates are market dates (New York). ``range`` is one of ``1D 1W 1M 3M 6M 1Y 5Y YTD``; ``start`` and ``end`` are both
    included, as ``YYYY-MM-DD`` or ``date``; without an end the span ends today, without anything the range is ``1M``.
    """

    def __init__(self, read_through: ReadThrough) -> None:
        self.read_through = read_through
        self.shortcuts = Shortcuts()
        self._entries = self.shortcuts.entries
        self._now = read_through.clock.now
        self._shortcut_hits = 0
        self._counted_hits = 0
        self._counting = Lock()
        self._closed = False

    async def get(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
        adjust: str | None = None,
        partial: bool = False,
    ) -> CandleTable:
        """Return the candles of ``ticker``, from the nearest tier that has them.

        ``resolution``: ``1 5 15 30 60`` (minutes) or ``D``. ``adjust``: ``splits``, ``all`` (splits and dividends) or
        ``none``; by default what the source can do best. Where the vendor does not deliver, what is held of the span is
        returned: the table says that it is stale and which sessions are missing, and IncompleteDataWarning is issued.
        Raised when nothing is held: TickerNotFound, VendorError, IncompleteData; also InvalidRequest. ``partial`` is
        accepted and changes nothing.
        """
        call = (ticker, range, start, end, resolution, adjust, partial)
        asked_at = self._now()
        try:
            table, since, until = self._entries[call]
        except (KeyError, TypeError):  # TypeError: an argument that is no argument; parsing says which
            pass
        else:
            if since <= asked_at < until:
                self._shortcut_hits += 1
                return table
        return await self._ask(call, asked_at, self.parse(ticker, range, start, end, resolution, adjust))

    async def get_many(
        self,
        tickers: str | Iterable[str],
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
        adjust: str | None = None,
        partial: bool = False,
    ) -> dict[str, CandleTable]:
        """Return the candles of several tickers by the spelling they were asked with; asked concurrently.

        A text is one ticker, whatever its length.

        If any fails, the first failure in the order of ``tickers`` is raised after the others have arrived: they are
        cached by then, so asking again costs only what failed.
        """
        names = _distinct(tickers)
        turn = asyncio.Semaphore(GET_MANY_AT_ONCE_MAX)

        async def one(ticker: str) -> CandleTable:
            async with turn:
                return await self.get(
                    ticker, range, start=start, end=end, resolution=resolution, adjust=adjust, partial=partial
                )

        tables: dict[str, CandleTable] = {}
        outcomes = await asyncio.gather(*map(one, names), return_exceptions=True)
        for name, outcome in zip(names, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                raise outcome
            tables[name] = outcome
        return tables

    async def coverage(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
    ) -> tuple[SessionReport, ...]:
        """Return what is held, session by session, oldest first; asks no vendor."""
        width, span = self._span(ticker, range, start, end, resolution)
        return await self.read_through.coverage(ticker, width, span)

    async def backfill(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        *,
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
    ) -> Backfilled:
        """Fetch what is missing of the span into the store, newest first, and say what is held of it now.

        What was fetched stays, also when a later call fails: doing it again goes on from there.
        """
        width, span = self._span(ticker, range, start, end, resolution)
        steps = [step async for step in backfill_steps(self.read_through, ticker, width, span)]
        calls = sum(step.vendor_calls for step in steps)
        return Backfilled(steps[-1].ticker, calls, steps[-1].held, steps[-1].candles)

    async def invalidate(self, ticker: str) -> Invalidated:
        """Clear every tier of ``ticker``. Raises StoreError when the store cannot."""
        self._check_open()
        self.shortcuts.forget(self.parse(ticker).ticker)
        return await self.read_through.invalidate_all_caches(ticker)

    async def suggest(self, text: str, limit: int = 10) -> Sequence[TickerInfo]:
        """Return tickers that the source knows and that match ``text``, best first."""
        self._check_open()
        return await self.read_through.suggest(text, limit)

    def status(self) -> CacheStatus:
        """Return the cache at work: source, tiers, allowance, and how many vendor calls it has saved."""
        self._count_shortcut_hits()
        status = self.read_through.status()
        hits = self._shortcut_hits
        memory = replace(status.memory, hits=status.memory.hits + hits)
        return replace(status, memory=memory, calls_saved=status.calls_saved + hits)

    async def close(self) -> None:
        """Let what is in flight end and release store and vendors; idempotent."""
        if self._closed:
            return
        self._closed = True
        self._count_shortcut_hits()
        self.shortcuts.clear()
        await self.read_through.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- inside --------------------------------------------------------------------------------------------------

    def parse(
        self,
        ticker: str,
        range: str | None = None,  # noqa: A002 - the API's own word
        start: str | date | None = None,
        end: str | date | None = None,
        resolution: str = "D",
        adjust: str | None = None,
    ) -> CandleRequest:
        """Return the request that the arguments of ``get`` make, or raise InvalidRequest in their names."""
        self._check_open()
        _check_texts(ticker=ticker, range=range, resolution=resolution, adjust=adjust)
        try:
            return self.read_through.parse(
                ticker,
                range=range,
                start_date=_market_day(start, "start"),
                end_date=_market_day(end, "end"),
                resolution=resolution,
                adjust=adjust,
            )
        except InvalidRequest as exc:
            raise in_python(exc) from None

    async def _ask(self, call: Hashable, asked_at: float, request: CandleRequest) -> CandleTable:
        served = await self.read_through.get(request)
        table = CandleTable(served, self._now)
        if served.answer.shortfall is not None:
            warnings.warn(f"{table!r}: {served.answer.shortfall.reason}", IncompleteDataWarning, stacklevel=3)
        # A hit of the memory tier came without a single suspension, so nothing was invalidated since.
        if served.tier == IN_MEMORY and not served.degraded:
            self.shortcuts.keep(call, table, served.answer, asked_at)
        return table

    def _span(
        self,
        ticker: str,
        range: str | None,  # noqa: A002 - the API's own word
        start: str | date | None,
        end: str | date | None,
        resolution: str,
    ) -> tuple[Resolution, Span]:
        """Return resolution and span of something that gives no candles, and so may be of any length."""
        width = Resolution.parse(resolution) if isinstance(resolution, str) else resolution
        return width, self.parse(ticker, range, start, end).span

    def count_shortcut_hit(self) -> None:
        """Count a hit that another thread made of the shortcuts."""
        with self._counting:
            self._shortcut_hits += 1

    def _count_shortcut_hits(self) -> None:
        uncounted = self._shortcut_hits - self._counted_hits
        if uncounted:
            self._counted_hits += uncounted
            self.read_through.telemetry.count(Metric.REQUESTS, uncounted, tier=IN_MEMORY)

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("This cache is closed: connect again.")


def _check_texts(**arguments: object) -> None:
    for name, value in arguments.items():
        if not (isinstance(value, str) or (value is None and name in {"range", "adjust"})):
            raise InvalidRequest(
                f"{name} must be text, not {type(value).__name__}.",
                hint='For example get("AAPL", "1Y", resolution="D"); get_many takes several tickers.',
                field=name,
            )


def _distinct(tickers: str | Iterable[str]) -> list[str]:
    """Return the tickers that were asked for, each once; a text is one ticker, not its letters."""
    if isinstance(tickers, str):
        return [tickers]
    if not isinstance(tickers, Iterable) or isinstance(tickers, (bytes, bytearray, memoryview)):
        raise InvalidRequest(
            f"tickers must be text or several texts, not {type(tickers).__name__}.",
            hint='For example get_many(["AAPL", "MSFT"], "1Y").',
            field="tickers",
        )
    names = list(tickers)
    for name in names:
        _check_texts(ticker=name)
    return list(dict.fromkeys(names))


def _market_day(when: str | date | None, name: str) -> str | date | None:
    """Return a date as the domain takes it: of an aware datetime the market date, of a naive one its own."""
    if when is None or isinstance(when, str):
        return when
    if isinstance(when, datetime):
        return when.date() if when.tzinfo is None else market_date(when.timestamp())
    if isinstance(when, date):
        return when
    raise InvalidRequest(
        f"{name} must be a date, not {type(when).__name__}.", hint=f'For example {name}="2024-01-02".', field=name
    )
