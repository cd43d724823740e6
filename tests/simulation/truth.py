"""What the market really had, when each row was out, and what the prices are when adjusted: the oracle of every check.

It shares the generated market and the session table with what is tested, and nothing else: publication, revisions and
adjustment are computed here in the plainest way.

Rows of a session change until ``REVISIONS_END_SECONDS`` before the session is final: the margin in the documented final
instants that allows for clocks that are five minutes ahead.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ohlcache.domain.adjustment import Actions
from ohlcache.domain.candles import Candles
from ohlcache.domain.market_time import instant_at
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing.market import Halt, Market, Stock

if TYPE_CHECKING:
    from numpy.typing import NDArray

REVISIONS_END_SECONDS = 300.0
STAGE_SECONDS = 1200.0
LATE_SHARE = 0.12
LATE_HOURS_MAX = 30.0
FAR_FUTURE = 1.85e9
UNIX_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()

DAILY_PUBLISHED = time(17, 30)
DAILY_SETTLED = time(20, 0)
MINUTES_SETTLED_SECONDS = 20 * 60


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch of market history worth living through."""

    start: date
    why: str


ERAS = (
    Era(date(2024, 2, 27), "summer time begins on 10 March"),
    Era(date(2024, 10, 22), "summer time ends on 3 November"),
    Era(date(2024, 11, 20), "half-day after Thanksgiving"),
    Era(date(2024, 12, 16), "half-day on 24 December, turn of the year"),
    Era(date(2024, 6, 24), "half-day on 3 July"),
    Era(date(2025, 1, 2), "unscheduled closure on 9 January"),
    Era(date(2024, 2, 20), "leap day"),
)

TICKERS = ("ALFA", "BRV.B", "NOVA", "GONE", "THIN")
UNKNOWN_TICKER = "NIL"


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """The final candles of one session: ``days`` and ``candles`` columns cut by ``bounds``."""

    days: list[int]
    bounds: list[int]
    candles: Candles


@dataclass(frozen=True, slots=True)
class Action:
    """One split or dividend as its daily row tells it."""

    day: int
    dividend: float
    split: float
    close: float


class Truth:
    """One era of one market."""

    def __init__(self, number: int) -> None:
        dice = random.Random(f"market {number}")
        self.era = ERAS[number % len(ERAS)]
        self.start = self.era.start
        self.market = Market(seed=number, stocks=_stocks(dice, self.start))
        self.calendar = self.market.calendar
        self.days: list[int] = [int(day) for day in self.calendar.days]
        self._late: dict[tuple[str, int], float] = {}
        self._seed = number
        self._rows: dict[tuple[str, Resolution], Row] = {}
        self._actions: dict[str, list[Action]] = {}
        self._life: dict[str, tuple[int, int]] = {}
        self._settled: dict[tuple[int, bool], float] = {}
        self._views: dict[tuple[str, Resolution, int, float], Candles] = {}

    # --- instants ------------------------------------------------------------------------------------------------

    def opens_at(self, day: int) -> float:
        """Return the opening bell of the session on ``day``."""
        return float(self.calendar.opens[bisect_left(self.days, day)])

    def closes_at(self, day: int) -> float:
        """Return the closing bell of the session on ``day``."""
        return float(self.calendar.closes[bisect_left(self.days, day)])

    def final_at(self, day: int, resolution: Resolution) -> float:
        """Return the documented instant from which the session's candles do not change."""
        key = (day, resolution is Resolution.DAY)
        if key not in self._settled:
            if resolution is Resolution.DAY:
                self._settled[key] = instant_at(date.fromordinal(day), DAILY_SETTLED)
            else:
                self._settled[key] = self.closes_at(day) + MINUTES_SETTLED_SECONDS
        return self._settled[key]

    def due_at(self, day: int, resolution: Resolution) -> float:
        """Return the instant from which the session has to be in an answer."""
        if resolution is Resolution.DAY:
            return instant_at(date.fromordinal(day), DAILY_PUBLISHED)
        return self.opens_at(day) + min(resolution.seconds, 300)

    def published_at(self, ticker: str, day: int, resolution: Resolution) -> float:
        """Return when the session's row came out; of a session without one, never."""
        row = self.rows(ticker, resolution)
        index = bisect_left(row.days, day)
        if index == len(row.days) or row.days[index] != day:
            return FAR_FUTURE
        if resolution is not Resolution.DAY:
            return self.opens_at(day)
        return instant_at(date.fromordinal(day), DAILY_PUBLISHED) + self.late_seconds(ticker, day)

    def late_seconds(self, ticker: str, day: int) -> float:
        """Return how long after its time the daily row of ``day`` came out."""
        key = (ticker, day)
        if key not in self._late:
            dice = random.Random(f"late {self._seed} {ticker} {day}")
            old = day < self.start.toordinal() - 7
            late = not old and dice.random() < LATE_SHARE
            self._late[key] = dice.choice((600.0, 7200.0, 3600 * LATE_HOURS_MAX * dice.random())) if late else 0.0
        return self._late[key]

    def newest_published(self, ticker: str, now: float) -> int | None:
        """Return the newest day whose daily row is out at ``now``."""
        days = self.rows(ticker, Resolution.DAY).days
        for index in range(bisect_left(days, int(now // 86_400) + UNIX_EPOCH_ORDINAL + 1) - 1, -1, -1):
            if self.published_at(ticker, days[index], Resolution.DAY) <= now:
                return days[index]
        return None

    def sessions_between(self, first: int, last: int) -> list[int]:
        """Return the days of all sessions from ``first`` through ``last``."""
        return self.days[bisect_left(self.days, first) : bisect_left(self.days, last + 1)]

    # --- what there is in the end --------------------------------------------------------------------------------

    def rows(self, ticker: str, resolution: Resolution) -> Row:
        """Return every final session of the era with candles."""
        key = (ticker, resolution)
        if key not in self._rows:
            first = self.start - timedelta(days=500 if resolution is Resolution.DAY else 150)
            span = Span(
                first if resolution is not Resolution.DAY else date(2020, 1, 2), self.start + timedelta(days=75)
            )
            if not self.market.knows(ticker):
                candles = Candles.empty()
            else:
                candles = self.market.candles(ticker, resolution, span, FAR_FUTURE)
            days = _market_days(candles.time)
            distinct, starts = np.unique(days, return_index=True)
            self._rows[key] = Row(distinct.tolist(), [*starts.tolist(), len(candles)], candles)
        return self._rows[key]

    def first_minute_day(self) -> int:
        """Return the first day of which this oracle keeps minutes."""
        return (self.start - timedelta(days=150)).toordinal()

    def final(self, ticker: str, resolution: Resolution, first: int, last: int) -> Candles:
        """Return the final raw candles of the sessions from ``first`` through ``last``."""
        row = self.rows(ticker, resolution)
        low, high = bisect_left(row.days, first), bisect_left(row.days, last + 1)
        return row.candles[row.bounds[low] : row.bounds[high]]

    def final_days(self, ticker: str, resolution: Resolution, first: int, last: int) -> NDArray[np.int64]:
        """Return the day of each candle that ``final`` returns."""
        row = self.rows(ticker, resolution)
        low, high = bisect_left(row.days, first), bisect_left(row.days, last + 1)
        bounds = np.asarray(row.bounds[low : high + 1])
        return np.repeat(np.asarray(row.days[low:high], np.int64), np.diff(bounds))

    def listed(self, ticker: str) -> tuple[int, int]:
        """Return the first and last day of the ticker's life; of an unknown one, an empty life."""
        if ticker not in self._life:
            row = self.rows(ticker, Resolution.DAY)
            self._life[ticker] = (row.days[0], row.days[-1]) if row.days else (1, 0)
        return self._life[ticker]

    def actions(self, ticker: str) -> list[Action]:
        """Return every split and dividend of the era, oldest first."""
        if ticker not in self._actions:
            stock = self.market.stocks.get(ticker)
            found: dict[int, list[float]] = {}
            days = self.rows(ticker, Resolution.DAY).days
            sessions = [day for day in self.days if not days or days[0] <= day <= days[-1]]
            for events, column in ((stock.dividends, 0), (stock.splits, 1)) if stock else ():
                for ex_date, value in events:
                    index = bisect_left(sessions, ex_date.toordinal())
                    if index < len(sessions):
                        found.setdefault(sessions[index], [0.0, 1.0])[column] = value
            self._actions[ticker] = [
                Action(day, dividend, split, float(self.final(ticker, Resolution.DAY, day, day).close[0]))
                for day, (dividend, split) in sorted(found.items())
                if day in set(days)
            ]
        return self._actions[ticker]

    # --- what a vendor shows at an instant -----------------------------------------------------------------------

    def view(self, ticker: str, resolution: Resolution, span: Span, now: float) -> Candles:
        """Return what of ``span`` is out at the true instant ``now``, as it then is."""
        today = int(now // 86_400) + UNIX_EPOCH_ORDINAL
        last = min(span.end.toordinal(), today)
        row = self.rows(ticker, resolution)
        recent = [day for day in row.days[bisect_left(row.days, today - 6) :] if span.start.toordinal() <= day <= last]
        old = self.final(ticker, resolution, span.start.toordinal(), min(last, today - 7))
        return Candles.concatenate([old, *(self.session_view(ticker, resolution, day, now) for day in recent)])

    def session_view(self, ticker: str, resolution: Resolution, day: int, now: float) -> Candles:
        """Return what is out of one session at ``now``."""
        if now < self.published_at(ticker, day, resolution):
            return Candles.empty()
        settled = self.final_at(day, resolution) - REVISIONS_END_SECONDS
        if now >= settled:
            return self.final(ticker, resolution, day, day)
        key = (ticker, resolution, day, now // STAGE_SECONDS if resolution is Resolution.DAY else now)
        if key not in self._views:
            if resolution is Resolution.DAY:
                whole = self.final(ticker, resolution, day, day)
            else:
                session = Span(date.fromordinal(day), date.fromordinal(day))
                whole = self.market.bars(ticker, resolution, session, now)
            self._views[key] = _provisional(whole, int(now // STAGE_SECONDS) % 7)
        return self._views[key]

    def actions_view(self, ticker: str, span: Span, now: float) -> list[Action]:
        """Return the actions of ``span`` whose rows are out at ``now``, with the close those rows show."""
        shown = []
        for action in self.actions(ticker):
            if span.start.toordinal() <= action.day <= span.end.toordinal():
                row = self.session_view(ticker, Resolution.DAY, action.day, now)
                if len(row):
                    shown.append(Action(action.day, action.dividend, action.split, float(row.close[0])))
        return shown


@lru_cache(maxsize=32)
def truth_of(number: int) -> Truth:
    """Return the truth of market ``number``; it is the same whoever asks, so runs may share it."""
    return Truth(number)


def as_actions(actions: list[Action]) -> Actions:
    """Return the actions as the columns a vendor's answer carries."""
    return Actions.from_rows((action.day, action.dividend, action.split, action.close) for action in actions)


def adjusted(
    candles: Candles, days: NDArray[Any], actions: list[Action], *, dividends: bool, splits: bool = True
) -> Candles:
    """Return raw ``candles`` adjusted the plain way: walk the ex-dates from the newest to the oldest."""
    if not splits or not len(candles):
        return candles
    split, kept = np.ones(len(candles)), np.ones(len(candles))
    split_so_far = kept_so_far = 1.0
    for action in sorted(actions, key=lambda action: -action.day):
        split_so_far = split_so_far * action.split
        if dividends:
            kept_so_far = kept_so_far * (action.close / (action.close + action.dividend))
        before = np.asarray(days) < action.day
        split[before] = split_so_far
        kept[before] = kept_so_far
    return Candles(
        candles.time,
        *(column * kept / split for column in (candles.open, candles.high, candles.low, candles.close)),
        np.where(split == 1.0, candles.volume, np.rint(candles.volume * split)).astype(np.int64),
    )


def _market_days(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the market date ordinal of each candle; a session lies within one UTC date."""
    return np.asarray(times // 86_400 + UNIX_EPOCH_ORDINAL)


def _provisional(candles: Candles, stage: int) -> Candles:
    """Return what a vendor says before its corrections; each stage says something else."""
    share = (stage + 1) / 9.0
    close = np.clip(np.round(candles.open * share + candles.close * (1 - share), 2), candles.low, candles.high)
    return Candles(
        candles.time, candles.open, candles.high, candles.low, close, candles.volume * (90 + stage) // 100 + stage
    )


def _stocks(dice: random.Random, start: date) -> dict[str, Stock]:
    """Return tickers to whom everything happens within some weeks of ``start``."""

    def soon(first: int, last: int) -> date:
        return start + timedelta(days=dice.randint(first, last))

    old = start - timedelta(days=430)
    halted = soon(1, 20)
    return {
        "ALFA": Stock(
            listed=old,
            price=120.0,
            splits=((soon(-200, -30), 2.0), (soon(1, 12), 4.0), (soon(14, 40), 0.5)),
            dividends=((soon(-300, -90), 0.31), (soon(-60, -2), 0.4), (soon(2, 20), 0.7)),
        ),
        "BRV.B": Stock(
            listed=start - timedelta(days=800),
            price=300.0,
            dividends=((soon(-90, -10), 1.5), (soon(1, 9), 1.25)),
            splits=((soon(3, 25), 20.0),),
        ),
        "NOVA": Stock(listed=soon(-20, 8), price=25.0, dividends=((soon(10, 20), 0.1),)),
        "GONE": Stock(listed=old, delisted=soon(2, 15), price=8.0),
        "THIN": Stock(
            listed=start - timedelta(days=200),
            volume=900,
            traded_share=0.02,
            halts=(Halt.of_days(halted, halted + timedelta(days=dice.randint(0, 3))),),
        ),
    }
