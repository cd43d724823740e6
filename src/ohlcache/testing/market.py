"""A market made of a seed: prices by the minute, their sessions, splits, dividends, listings and halts.

Every number follows from (seed, ticker, session), never from the window it is looked at through. The minutes of a
session add up to its daily row exactly: first open, highest high, lowest low, last close, sum of volumes.
Dividends do not move the price here; splits do.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from enum import Enum
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np

from ohlcache.adapters.calendar import load_xnys
from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.freshness import DAILY_DUE, DAILY_FINAL, INTRADAY_FINAL_SECONDS
from ohlcache.domain.market_time import DAY_SECONDS, instant_at, market_date, midnight_utc
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from ohlcache.domain.sessions import Sessions, SessionTable

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

MINUTE_SECONDS = 60
MINUTES_CACHE_SESSIONS = 2048
PRICE_MIN = 0.5
BELL = time(9, 30)
EXTENDED_OPEN = time(4, 0)
EXTENDED_CLOSE = time(20, 0)
EXTENDED_TRADED_SHARE = 0.08


class Hours(Enum):
    """Which part of the day bars are made of."""

    REGULAR = "regular"
    EXTENDED = "extended"


class Labels(Enum):
    """Where wide bars begin: at the bell (09:30, 10:30), or on the clock (09:00, 10:00), which differs for hours."""

    BELL = "bell"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class Halt:
    """Trading stops from ``start`` until before ``end`` (epoch seconds); a session that lies inside leaves no row."""

    start: float
    end: float

    @classmethod
    def of_days(cls, first: date, last: date) -> Halt:
        """Return the halt of whole market dates, both included."""
        return cls(instant_at(first, time()), instant_at(last + timedelta(days=1), time()))


@dataclass(frozen=True, slots=True)
class Stock:
    """What a ticker is like.

    ``listed`` and ``delisted`` are its first and last market date; ``price`` the level at its listing, ``drift`` its
    growth per session (log); ``traded_share`` the part of minutes with a trade; ``splits`` (ex-date, new shares per
    old one) and ``dividends`` (ex-date, cash). An ex-date without a session moves to the next one.
    """

    name: str = ""
    listed: date = date(1995, 1, 3)
    delisted: date | None = None
    price: float = 40.0
    drift: float = 0.0002
    volume: int = 4_000_000
    traded_share: float = 1.0
    splits: tuple[tuple[date, float], ...] = ()
    dividends: tuple[tuple[date, float], ...] = ()
    halts: tuple[Halt, ...] = ()


def _quarterly(first_year: int, last_year: int, cash: float) -> tuple[tuple[date, float], ...]:
    return tuple((date(year, month, 9), cash) for year in range(first_year, last_year + 1) for month in (2, 5, 8, 11))


DEFAULT_STOCKS: Mapping[str, Stock] = {
    "AAPL": Stock(
        "Apple Inc.",
        listed=date(1980, 12, 12),
        price=30.0,
        drift=0.0006,
        volume=60_000_000,
        splits=((date(2000, 6, 21), 2.0), (date(2005, 2, 28), 2.0), (date(2014, 6, 9), 7.0), (date(2020, 8, 31), 4.0)),
        dividends=_quarterly(2012, 2026, 0.24),
    ),
    "MSFT": Stock(
        "Microsoft Corporation",
        listed=date(1986, 3, 13),
        drift=0.0004,
        volume=25_000_000,
        splits=((date(2003, 2, 18), 2.0),),
        dividends=_quarterly(2004, 2026, 0.62),
    ),
    "IBM": Stock("International Business Machines", listed=date(1970, 1, 2), dividends=_quarterly(1990, 2026, 1.1)),
    "GOOGL": Stock(
        "Alphabet Inc. Class A",
        listed=date(2004, 8, 19),
        price=100.0,
        drift=0.0006,
        splits=((date(2022, 7, 18), 20.0),),
    ),
    "F": Stock("Ford Motor Company", listed=date(1972, 6, 1), price=12.0, drift=0.0, volume=45_000_000),
    "BRK.B": Stock(
        "Berkshire Hathaway Class B",
        listed=date(1996, 5, 9),
        price=60.0,
        splits=((date(2010, 1, 21), 50.0),),
        drift=0.001,
    ),
    "SPY": Stock("SPDR S&P 500 ETF", listed=date(1993, 1, 29), price=44.0, drift=0.0003, volume=3_000_000_000),
    "META": Stock("Meta Platforms Inc.", listed=date(2012, 5, 18), price=38.0, drift=0.0006),
    "TWTR": Stock("Twitter Inc.", listed=date(2013, 11, 7), delisted=date(2022, 10, 27), price=45.0),
    "NEWCO": Stock("Newly Listed Company", listed=date(2024, 3, 21), price=50.0),
    "THIN": Stock("Thinly Traded Trust", listed=date(2005, 6, 1), volume=900, traded_share=0.03),
    "HALT": Stock(
        "Halted Holdings",
        listed=date(2010, 1, 4),
        halts=(Halt.of_days(date(2024, 5, 6), date(2024, 5, 8)), Halt(1_717_077_600.0, 1_717_086_000.0)),
    ),
}
"""A plain market: large names, a class share, a delisted one, a new one, a thin one and one with halts."""


@dataclass(frozen=True, slots=True, eq=False)
class DailyRows:
    """Daily candles with the ``dividends`` (else 0) and ``splits`` (else 1) that a vendor sends beside each."""

    candles: Candles
    dividends: Floats
    splits: Floats

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def days(self) -> Ints:
        """The market-date ordinal of every row."""
        return np.asarray(self.candles.time // DAY_SECONDS + date(1970, 1, 1).toordinal())

    @property
    def actions(self) -> Actions:
        """The splits and dividends among the rows."""
        rows = zip(
            self.days.tolist(),
            self.dividends.tolist(),
            self.splits.tolist(),
            self.candles.close.tolist(),
            strict=True,
        )
        return Actions.from_rows(rows)

    def __getitem__(self, part: slice | NDArray[np.bool_] | Ints) -> DailyRows:
        return DailyRows(self.candles[part], self.dividends[part], self.splits[part])


@dataclass(slots=True)
class Market:
    """Everything that ever happens to ``stocks``, from ``seed``; a vendor's view of it depends on the instant.

    ``revising``: daily rows before 20:00 and the minutes of a session before it is final are not yet what they become.
    ``late_seconds``: daily rows appear this much after 17:30 New York.
    """

    seed: int = 1
    stocks: Mapping[str, Stock] = field(default_factory=lambda: dict(DEFAULT_STOCKS))
    calendar: SessionTable = field(default_factory=load_xnys)
    revising: bool = False
    late_seconds: float = 0.0
    _daily: dict[str, tuple[Sessions, DailyRows]] = field(default_factory=dict, repr=False)
    _minutes: OrderedDict[tuple[str, int, Hours], Candles] = field(default_factory=OrderedDict, repr=False)

    def knows(self, ticker: str) -> bool:
        """Whether there is such a ticker."""
        return ticker in self.stocks

    def listing(self, ticker: str, now: float) -> Span | None:
        """Return the first and the newest market date of which a daily row is out at ``now``; None before the first."""
        rows = self._published(ticker, now)
        if not len(rows):
            return None
        return Span(date.fromordinal(int(rows.days[0])), date.fromordinal(int(rows.days[-1])))

    def daily(self, ticker: str, span: Span, now: float) -> DailyRows:
        """Return the raw daily rows of ``span`` that are out at ``now``."""
        rows = self._published(ticker, now)
        return rows[(rows.days >= span.start.toordinal()) & (rows.days <= span.end.toordinal())]

    def actions(self, ticker: str, now: float) -> Actions:
        """Return every split and dividend whose row is out at ``now``."""
        return self._published(ticker, now).actions

    def candles(self, ticker: str, resolution: Resolution, span: Span, now: float) -> Candles:
        """Return what a complete raw answer for ``span`` holds at ``now``: regular hours, bars from the bell."""
        if resolution.is_daily:
            return self.daily(ticker, span, now).candles
        return self.bars(ticker, resolution, span, now)

    def bars(
        self,
        ticker: str,
        resolution: Resolution,
        span: Span,
        now: float,
        *,
        hours: Hours = Hours.REGULAR,
        labels: Labels = Labels.BELL,
    ) -> Candles:
        """Return the raw intraday bars of ``span`` made of the minutes that are over at ``now``."""
        sessions, rows = self._life(ticker)
        first, last = np.searchsorted(sessions.days, [span.start.toordinal(), span.end.toordinal() + 1])
        parts, starts = [], []
        for index in range(int(first), int(last)):
            opens = int(sessions.opens[index])
            if now < instant_at(date.fromordinal(int(sessions.days[index])), EXTENDED_OPEN):
                break
            minutes = self._session_minutes(ticker, sessions, rows, index, hours)
            minutes = minutes[minutes.time + MINUTE_SECONDS <= now]
            if self.revising and now < sessions.closes[index] + INTRADAY_FINAL_SECONDS:
                minutes = _provisional(minutes)
            anchor = opens if labels is Labels.BELL else 0
            parts.append(minutes)
            starts.append((minutes.time - anchor) // resolution.seconds * resolution.seconds + anchor)
        if not parts:
            return Candles.empty()
        return aggregate(Candles.concatenate(parts), np.concatenate(starts))

    # --- how it is made --------------------------------------------------------------------------------------------

    def _published(self, ticker: str, now: float) -> DailyRows:
        rows = self._life(ticker)[1]
        today = market_date(now)
        out_today = now >= instant_at(today, DAILY_DUE) + self.late_seconds
        # Late rows of yesterday may still be due this morning.
        yesterday = today - timedelta(days=1)
        out_yesterday = now >= instant_at(yesterday, DAILY_DUE) + self.late_seconds
        newest = today if out_today else yesterday if out_yesterday else yesterday - timedelta(days=1)
        rows = rows[rows.days <= newest.toordinal()]
        if self.revising and len(rows) and rows.days[-1] == today.toordinal() and now < instant_at(today, DAILY_FINAL):
            final, last = rows.candles[:-1], _provisional(rows.candles[-1:])
            return DailyRows(Candles.concatenate([final, last]), rows.dividends, rows.splits)
        return rows

    def _life(self, ticker: str) -> tuple[Sessions, DailyRows]:
        """Return the sessions of the ticker's life that are not wholly halted, and their daily rows."""
        if ticker not in self._daily:
            self._daily[ticker] = self._make_life(ticker)
        return self._daily[ticker]

    def _make_life(self, ticker: str) -> tuple[Sessions, DailyRows]:
        stock = self.stocks[ticker]
        last = min(stock.delisted or self.calendar.span.end, self.calendar.span.end)
        sessions = self.calendar.between(Span(max(stock.listed, self.calendar.span.start), last))
        count = len(sessions)
        random = np.random.default_rng([self.seed, crc32(ticker.encode())])
        splits = _on_ex_dates(stock.splits, sessions, 1.0)
        dividends = _on_ex_dates(stock.dividends, sessions, 0.0)
        level = np.log(stock.price) + np.cumsum(random.normal(stock.drift, 0.009, count)) - np.cumsum(np.log(splits))
        close = _rounded(np.exp(level))
        before = np.concatenate([[stock.price], close[:-1]]) / splits
        opened = _rounded(before * np.exp(random.normal(0.0, 0.003, count)))
        wide = np.abs(random.normal(0.0, 0.006, (2, count)))
        high = np.maximum(np.maximum(opened, close), np.round(np.maximum(opened, close) * (1 + wide[0]), 4))
        low = np.minimum(np.minimum(opened, close), np.round(np.minimum(opened, close) * (1 - wide[1]), 2))
        volume = np.maximum(1, stock.volume * np.exp(random.normal(0.0, 0.35, count))).astype(np.int64)
        midnights = np.asarray([midnight_utc(int(day)) for day in sessions.days], np.int64)
        candles = Candles.from_columns(midnights, opened, high, np.maximum(low, PRICE_MIN / 2), close, volume)
        traded = np.ones(count, bool)
        for halt in stock.halts:
            traded &= ~((sessions.opens >= halt.start) & (sessions.closes <= halt.end))
        return sessions[traded], DailyRows(candles, dividends, splits)[traded]

    def _session_minutes(self, ticker: str, sessions: Sessions, rows: DailyRows, index: int, hours: Hours) -> Candles:
        key = (ticker, int(sessions.days[index]), hours)
        if key not in self._minutes:
            regular = self._make_minutes(ticker, sessions[index : index + 1], rows.candles[index : index + 1])
            extended = (
                regular if hours is Hours.REGULAR else self._with_extended(ticker, sessions[index : index + 1], regular)
            )
            self._minutes[key] = extended
            while len(self._minutes) > MINUTES_CACHE_SESSIONS:
                self._minutes.popitem(last=False)
        return self._minutes[key]

    def _make_minutes(self, ticker: str, session: Sessions, row: Candles) -> Candles:
        stock = self.stocks[ticker]
        random = np.random.default_rng([self.seed, crc32(ticker.encode()), int(session.days[0])])
        times = session.candle_opens(Resolution.MINUTE)
        possible = np.ones(len(times), bool)
        for halt in stock.halts:
            possible &= ~((times >= halt.start) & (times < halt.end))
        traded = possible & (random.random(len(times)) < stock.traded_share)
        if not traded.any():
            traded[np.flatnonzero(possible)[0]] = True
        times = times[traded]
        count = len(times)
        opened, high, low, close = (float(column[0]) for column in (row.open, row.high, row.low, row.close))
        walk = np.concatenate([[0.0], np.cumsum(random.normal(0.0, 1.0, count))]) / np.sqrt(count)
        share = np.arange(count + 1) / count
        path = opened + (close - opened) * share + (walk - share * walk[-1]) * (high - low) * 0.5
        path = np.clip(np.round(path, 2), low, high)
        path[0], path[-1] = opened, close
        wide = np.abs(random.normal(0.0, 1.0, (2, count))) * (high - low) * 0.02
        tops = np.minimum(high, np.maximum(path[:-1], path[1:]) + np.round(wide[0], 2))
        bottoms = np.maximum(low, np.minimum(path[:-1], path[1:]) - np.round(wide[1], 2))
        tops, bottoms = np.round(tops, 4), np.round(bottoms, 4)
        tops[np.argmax(tops)], bottoms[np.argmin(bottoms)] = high, low
        return Candles(times, path[:-1], tops, bottoms, path[1:], _shares_of(int(row.volume[0]), count, random))

    def _with_extended(self, ticker: str, session: Sessions, regular: Candles) -> Candles:
        """Return the session's minutes with a few flat ones before the bell and after the close."""
        day = date.fromordinal(int(session.days[0]))
        random = np.random.default_rng([self.seed, crc32(ticker.encode()), int(session.days[0]), 1])
        sides = []
        for start, end, near in (
            (int(instant_at(day, EXTENDED_OPEN)), int(session.opens[0]), regular.open[0]),
            (int(session.closes[0]), int(instant_at(day, EXTENDED_CLOSE)), regular.close[-1]),
        ):
            times = np.arange(start, end, MINUTE_SECONDS, dtype=np.int64)
            share = EXTENDED_TRADED_SHARE * self.stocks[ticker].traded_share
            times = times[random.random(len(times)) < share]
            price = _rounded(near * np.exp(random.normal(0.0, 0.001, len(times))))
            sides.append(Candles(times, price, price, price, price, random.integers(1, 500, len(times))))
        return Candles.concatenate([sides[0], regular, sides[1]])


def aggregate(candles: Candles, starts: Ints) -> Candles:
    """Return one candle per run of equal ``starts`` (one entry per candle, ascending), labelled with it."""
    if not len(candles):
        return candles
    first = np.flatnonzero(np.concatenate([[True], np.diff(starts) != 0]))
    last = np.append(first[1:], len(candles)) - 1
    return Candles(
        starts[first],
        candles.open[first],
        np.maximum.reduceat(candles.high, first),
        np.minimum.reduceat(candles.low, first),
        candles.close[last],
        np.add.reduceat(candles.volume, first),
    )


def _rounded(prices: Floats) -> Floats:
    return np.maximum(PRICE_MIN, np.round(prices, 2))


def _on_ex_dates(events: tuple[tuple[date, float], ...], sessions: Sessions, nothing: float) -> Floats:
    column = np.full(len(sessions), nothing)
    for day, value in events:
        index = int(np.searchsorted(sessions.days, day.toordinal()))
        if index < len(sessions) and day.toordinal() >= sessions.days[0]:
            column[index] = value
    return column


def _shares_of(total: int, count: int, random: np.random.Generator) -> Ints:
    """Return ``count`` volumes that add up to ``total``."""
    weights = random.exponential(1.0, count)
    shares = np.floor(weights / weights.sum() * total).astype(np.int64)
    shares[-1] += total - int(shares.sum())
    return np.asarray(shares)


def _provisional(candles: Candles) -> Candles:
    """Return what a vendor says before its corrections: less volume, another close within the candle's range."""
    close = np.clip(np.round((candles.open + candles.close) / 2, 2), candles.low, candles.high)
    return Candles(candles.time, candles.open, candles.high, candles.low, close, candles.volume * 97 // 100)
