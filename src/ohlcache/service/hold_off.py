"""A vendor that refused a moment ago is not asked again at once: polling is not asking.

=========================================  ==================================  ====================================
refusal                                    who is held off                     for how long
=========================================  ==================================  ====================================
404, invalid data, another 4xx             the series                          5 s, doubling to 60 s
5xx, time-out                              the series                          5 s
429 (minute, hour, day), 401               the source                          as long as the vendor asked for; else
                                                                               until it allows more, 300 s at most
429 (symbols of the month)                 the series; tickers of which        the same
                                           nothing is held
403                                        the series; the whole resolution    300 s
                                           after a second ticker's 403
sessions of which a row was rejected       those sessions of the series        5 s, doubling to 60 s
an empty reply that nothing confirms       the same request                    5 s, doubling to 60 s
=========================================  ==================================  ====================================

A hold-off lives in one process and is no cache: it remembers that there was no answer, never an answer. It ends early
when the ticker is invalidated, when a person retries, and for a refused key when the key was replaced. A 403 of one
ticker says something of that ticker, of two tickers it says something of the plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    VendorUnavailable,
)
from ohlcache.domain.series import Series

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ohlcache.domain.coverage import Coverage
    from ohlcache.ports import CandleVendor, Clock

PAUSE_SECONDS_MIN = 5.0
PAUSE_SECONDS_MAX = 60.0
PROBE_SECONDS = 300.0
"""How often a source that refuses for longer is tried."""

REPEAT_SECONDS = 600.0
"""A refusal that follows the last one within this time is a repetition: the pause doubles."""

RETRY_SECONDS_MIN = 1.0
"""A person cannot retry more often, nor can a program that sends the header of a person's retry with each request."""

HOLD_OFFS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class _HoldOff:
    """A failure, when it came and until when it is repeated without asking."""

    failure: OhlcacheError
    since: float
    until: float

    def holds(self, now: float) -> bool:
        """Whether the vendor is left alone at ``now``; a clock that was set back ends it."""
        return self.since <= now < self.until

    def again(self, now: float) -> OhlcacheError:
        """Return the failure again, with the wait that is left of the one it gave."""
        wait = self.failure.retry_after_seconds
        left = None if wait is None else max(1.0, wait - (now - self.since))
        return type(self.failure)(self.failure.message, hint=self.failure.hint, retry_after_seconds=left)


@dataclass(frozen=True, slots=True)
class _Rejection:
    """That a reply was of no use, in part or whole, and until when the same is not asked for again."""

    since: float
    until: float


class HoldOffs:
    """What one process remembers of refusals; belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hold_offs: dict[Hashable, _HoldOff] = {}
        """By series, and by source with what of it is held off."""
        self._rejections: dict[Series, _Rejection] = {}
        self._unconfirmed: dict[Series, _Rejection] = {}
        self._forbidden: dict[Hashable, str] = {}
        """The first ticker that was refused with 403, by source and resolution."""
        self._keys_read_at: dict[str, float] = {}

    async def of(self, series: Series, vendor: CandleVendor) -> OhlcacheError | None:
        """Return the refusal for which ``series`` is not asked for now; None where the vendor may be asked.

        Whether a month's symbols are used up is not looked at: see ``of_new_tickers``.
        """
        failure = self.of_source(series.source)
        if isinstance(failure, BadVendorCredentials) and await self._key_replaced(series.source, vendor):
            del self._hold_offs[_whole(series.source)]
            failure = None
        return failure or self._remembered(_plan(series)) or self._remembered(series)

    def of_source(self, source: str) -> OhlcacheError | None:
        """Return the refusal for which the whole source is not asked now."""
        return self._remembered(_whole(source))

    def of_new_tickers(self, source: str) -> OhlcacheError | None:
        """Return the refusal for which tickers of ``source`` are not asked for unless something of them is held."""
        return self._remembered(_new_tickers(source))

    def failed(self, series: Series, failure: OhlcacheError) -> None:
        """Remember that the vendor refused ``series``."""
        if isinstance(failure, QuotaExceeded):
            new_only = failure.new_tickers_only
            # What is held of a ticker does not say that the vendor has counted it this month.
            keys = (_new_tickers(series.source), series) if new_only else (_whole(series.source),)
            wait = PROBE_SECONDS if failure.retry_after_seconds is None else failure.retry_after_seconds
            for key in keys:
                self._hold(key, failure, wait if failure.stated_by_vendor else min(wait, PROBE_SECONDS))
        elif isinstance(failure, BadVendorCredentials):
            self._hold(_whole(series.source), failure, PROBE_SECONDS)
        elif isinstance(failure, NotEntitled):
            self._hold(series, failure, PROBE_SECONDS)
            if self._forbidden.setdefault(_plan(series), series.ticker) != series.ticker:
                self._hold(_plan(series), failure, PROBE_SECONDS)
        elif isinstance(failure, VendorUnavailable):
            self._hold(series, failure, PAUSE_SECONDS_MIN)
        else:
            self._hold(series, failure, self._next_pause(self._hold_offs.get(series)))

    def succeeded(self, series: Series, known: Coverage) -> None:
        """Note that the vendor answered, so that its refusals are over, and what is now ``known`` of the series."""
        for key in (series, _whole(series.source), _plan(series)):
            self._hold_offs.pop(key, None)
        self._forbidden.pop(_plan(series), None)
        rejected_at = known.observed_at[known.rejected]
        earlier = self._rejections.get(series)
        if not len(rejected_at):
            self._rejections.pop(series, None)
        elif earlier is None or int(rejected_at.max()) > earlier.since:
            now = self._clock.now()
            self._rejections[series] = _Rejection(now, now + self._next_pause(earlier))

    def leaves_rejected(self, series: Series) -> bool:
        """Whether sessions of which a row was rejected are not asked for again now."""
        found = self._rejections.get(series)
        return found is not None and found.since <= self._clock.now() < found.until

    def unconfirmed(self, series: Series) -> float:
        """Note an empty reply that nothing confirms; return for how many seconds the answer to it is repeated."""
        now, pause = self._clock.now(), self._next_pause(self._unconfirmed.get(series))
        if len(self._unconfirmed) >= HOLD_OFFS_MAX:
            self._unconfirmed.clear()
        self._unconfirmed[series] = _Rejection(now, now + pause)
        return pause

    def clear(self, ticker: str) -> None:
        """Remove every hold-off of ``ticker``, and those of whole sources: it is to be asked for again."""
        self._hold_offs = {key: hold for key, hold in self._hold_offs.items() if not _concerns(key, ticker)}
        self._rejections = {key: rows for key, rows in self._rejections.items() if key.ticker != ticker}
        self._unconfirmed = {key: reply for key, reply in self._unconfirmed.items() if key.ticker != ticker}

    def retry(self, ticker: str) -> None:
        """Do what ``clear`` does because a person asks for it, unless the vendor refused only a moment ago."""
        now = self._clock.now()
        refused_at = [hold.since for key, hold in self._hold_offs.items() if _concerns(key, ticker)]
        if not any(0 <= now - since < RETRY_SECONDS_MIN for since in refused_at):
            self.clear(ticker)

    # --- inside --------------------------------------------------------------------------------------------------

    def _remembered(self, key: Hashable) -> OhlcacheError | None:
        hold = self._hold_offs.get(key)
        now = self._clock.now()
        return hold.again(now) if hold is not None and hold.holds(now) else None

    def _hold(self, key: Hashable, failure: OhlcacheError, seconds: float) -> None:
        now = self._clock.now()
        if len(self._hold_offs) >= HOLD_OFFS_MAX:
            self._hold_offs = {key: hold for key, hold in self._hold_offs.items() if hold.holds(now)}
        if len(self._hold_offs) >= HOLD_OFFS_MAX:
            del self._hold_offs[next(iter(self._hold_offs))]
        self._hold_offs[key] = _HoldOff(failure, now, now + seconds)

    def _next_pause(self, earlier: _HoldOff | _Rejection | None) -> float:
        """Return twice the pause of ``earlier`` where it ended a short time ago, else the shortest one."""
        if earlier is None or not earlier.since <= self._clock.now() < earlier.until + REPEAT_SECONDS:
            return PAUSE_SECONDS_MIN
        return min(2 * (earlier.until - earlier.since), PAUSE_SECONDS_MAX)

    async def _key_replaced(self, source: str, vendor: CandleVendor) -> bool:
        """Whether the vendor has another key than the one that was refused; checked every few seconds at most."""
        now = self._clock.now()
        if 0 <= now - self._keys_read_at.get(source, -math.inf) < PAUSE_SECONDS_MIN:
            return False
        self._keys_read_at[source] = now
        return await vendor.key_replaced()


def _whole(source: str) -> Hashable:
    return source, "all of it"


def _plan(series: Series) -> Hashable:
    return series.source, series.resolution


def _new_tickers(source: str) -> Hashable:
    return source, "new tickers"


def _concerns(key: Hashable, ticker: str) -> bool:
    return not isinstance(key, Series) or key.ticker == ticker
