"""The certificate counts right, and no answer is called fresh beyond the next instant at which it could change."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR
from ohlcache.domain.adjustment import Actions, Adjustment
from ohlcache.domain.answer import Shortfall
from ohlcache.domain.candles import Candles
from ohlcache.domain.composition import STALE_LIFE_SECONDS, SourceFacts, compose
from ohlcache.domain.coverage import Coverage, Holding, SessionState, merge
from ohlcache.domain.freshness import due_at, last_due_day
from ohlcache.domain.market_time import market_date
from ohlcache.domain.observation import VendorAnswer, observe
from ohlcache.domain.request import CUSTOM, CandleRequest
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing import Market
from ohlcache.testing.clock import instant_of

if TYPE_CHECKING:
    from ohlcache.domain.answer import Answer

MARKET = Market(calendar=CALENDAR)
LIVE = SourceFacts("tiingo", None, synthetic=False)
LIFE = 90 * 86_400.0
WHOLE = Span(date(2024, 5, 1), date(2024, 6, 7))

moments = st.floats(instant_of("2024-06-03T04:00:00Z"), instant_of("2024-06-08T03:00:00Z"))
widths = st.sampled_from([Resolution.DAY, Resolution.MINUTES_5, Resolution.HOUR])


def seen(resolution: Resolution, now: float, span: Span = WHOLE) -> Holding:
    """Return what a vendor without faults tells at ``now``."""
    newest = last_due_day(resolution, CALENDAR, now)
    assert newest is not None
    asked = Span(span.start, min(span.end, newest))
    return observe(
        VendorAnswer(MARKET.candles("AAPL", resolution, asked, now)),
        asked,
        resolution,
        calendar=CALENDAR,
        asked_as_of=now,
        observed_at=now,
        listed_before=True,
    )


def composed(
    span: Span,
    own: Holding,
    now: float,
    resolution: Resolution,
    adjustment: Adjustment = Adjustment.NONE,
    *,
    name: str = CUSTOM,
    facts: SourceFacts = LIVE,
    stale: bool = False,
    as_of: float | None = None,
    ledger: Holding | None = None,
    holes: bool = False,
) -> Answer:
    return compose(
        CandleRequest("AAPL", resolution, name, span),
        adjustment,
        own,
        own if ledger is None else ledger,
        facts,
        calendar=CALENDAR,
        now=now,
        as_of=now if as_of is None else as_of,
        final_life_seconds=LIFE,
        stale=stale,
        shortfall=Shortfall("vendor_unavailable", "The vendor does not answer.") if stale or holes else None,
    )


@pytest.mark.parametrize("resolution", [Resolution.DAY, Resolution.MINUTES_5])
def test_a_rejected_session_is_missing_though_bars_of_it_are_given(resolution: Resolution) -> None:
    """T2: expected whole, counted as far as it is there, and named; the ledger has no hole at it."""
    now = instant_of("2024-06-06T03:00:00Z")
    whole = seen(resolution, now)
    states = whole.coverage.states.copy()
    states[7] = SessionState.REJECTED
    own = replace(whole, coverage=replace(whole.coverage, states=states))
    for adjustment in (Adjustment.NONE, Adjustment.SPLITS):
        answer = composed(WHOLE, own, now, resolution, adjustment, holes=True)
        assert len(answer.candles) == len(whole.candles) == answer.certificate.expected
        assert answer.certificate.missing == (date.fromordinal(int(whole.coverage.days[7])).isoformat(),)
        assert not answer.certificate.complete
        assert answer.fresh_until == now + 5


@given(moments, widths, st.integers(0, 30), st.integers(0, 30))
def test_the_certificate_counts(now: float, resolution: Resolution, start: int, length: int) -> None:
    """B3, T2: expected is what the calendar demands of due sessions, count what is given; complete means nothing is missing."""
    span = Span(WHOLE.start + timedelta(days=start), min(WHOLE.start + timedelta(days=start + length), WHOLE.end))
    own = seen(resolution, now)
    answer = composed(span, own, now, resolution)
    certificate = answer.certificate
    assert certificate.complete
    assert certificate.missing == ()
    assert certificate.calendar_version == CALENDAR.version
    assert certificate.count == len(answer.candles) == len(answer.days)
    due = [day for day in CALENDAR.between(span).dates() if due_at(day, resolution, CALENDAR) <= now]
    assert sorted(set(answer.days.tolist())) == [day.toordinal() for day in due]
    # A bar that is under way counts as forming but is not expected yet.
    assert 0 <= certificate.count - certificate.expected <= 1
    forming = own.coverage.days[own.coverage.states == SessionState.FORMING]
    assert certificate.forming == int(sum(day in forming for day in answer.days.tolist()))


@pytest.mark.parametrize(("time", "expected"), [("19:59", 6), ("20:00", 7), ("20:05", 7)])
def test_the_half_hour_that_ends_a_session_is_due_at_its_close(time: str, expected: int) -> None:
    """B3: six whole hours and a half make seven 60-minute candles, all of them due once the session is over."""
    now = instant_of(f"2024-06-05T{time}:00Z")
    day = Span(date(2024, 6, 5), date(2024, 6, 5))
    certificate = composed(day, seen(Resolution.HOUR, now, day), now, Resolution.HOUR).certificate
    assert (certificate.count, certificate.forming, certificate.expected) == (7, 7, expected)


@given(moments, widths, st.sets(st.integers(0, 25)))
def test_what_is_missing_is_named(now: float, resolution: Resolution, holes: set[int]) -> None:
    """T2: due sessions of which nothing is known are listed by date, and expected all the same."""
    own = seen(resolution, now)
    days = own.coverage.days.tolist()
    gone = sorted({days[n] for n in holes if n < len(days)})
    keep = own.coverage.days < 0
    for day in days:
        keep |= (own.coverage.days == day) & (day not in gone)
    answer = composed(WHOLE, own.select(keep), now, resolution)
    assert answer.certificate.missing == tuple(date.fromordinal(day).isoformat() for day in gone)
    assert answer.certificate.complete == (not gone)
    assert answer.certificate.expected + 1 >= composed(WHOLE, own, now, resolution).certificate.expected


@given(moments, widths, st.sampled_from(["1W", CUSTOM]), st.sampled_from(list(Adjustment)), st.integers(0, 20))
def test_fresh_until_is_never_past_the_next_change(
    now: float, resolution: Resolution, name: str, adjustment: Adjustment, ago: int
) -> None:
    """C2, C3, C5, C6: at every instant before it expires, the answer is what a new one would be."""
    today = market_date(now)
    span = Span(WHOLE.start, max(WHOLE.start, today - timedelta(days=0 if name != CUSTOM else ago)))
    own = seen(resolution, now)
    answer = composed(span, own, now, resolution, adjustment, name=name)
    assert answer.fresh_until > now
    until = min(answer.fresh_until, now + 4 * 86_400) - 0.001
    due = [day for day in CALENDAR.between(span).dates() if due_at(day, resolution, CALENDAR) <= until]
    assert due == [day for day in CALENDAR.between(span).dates() if due_at(day, resolution, CALENDAR) <= now]
    known = own if adjustment is not Adjustment.NONE else own.between(span.start.toordinal(), span.end.toordinal())
    assert known.coverage.valid(until, LIFE).all()
    if adjustment is not Adjustment.NONE:  # a split may be told with the next session
        assert last_due_day(Resolution.DAY, CALENDAR, until) == last_due_day(Resolution.DAY, CALENDAR, now)


def test_a_closed_span_is_fresh_as_long_as_it_is_kept() -> None:
    """C1: raw history does not change before it expires."""
    now = instant_of("2024-06-05T01:00:00Z")
    span = Span(date(2024, 5, 1), date(2024, 5, 31))
    assert composed(span, seen(Resolution.DAY, now, span), now, Resolution.DAY).fresh_until == now + LIFE


def test_a_source_that_has_ended_and_a_stale_answer() -> None:
    """F3: after the end of its data a source changes no more; a stale answer is repeated for five seconds."""
    now = instant_of("2024-06-05T01:00:00Z")
    own = seen(Resolution.DAY, now)
    ended = SourceFacts("sample", now, synthetic=True)
    answer = composed(
        Span(WHOLE.start, date(2024, 6, 4)), own, now + 9e6, Resolution.DAY, name="1M", facts=ended, as_of=now
    )
    assert answer.fresh_until == now + LIFE
    assert (answer.data_until, answer.synthetic) == (now, True)
    stale = composed(Span(WHOLE.start, date(2024, 6, 4)), own, now + 86_400, Resolution.DAY, stale=True)
    assert stale.fresh_until == now + 86_400 + STALE_LIFE_SECONDS
    assert stale.stale
    assert stale.observed_at == now


def test_an_answer_is_as_old_as_its_ledger() -> None:
    """C1, G12: what it is adjusted by expires, too, and was heard when it was heard."""
    now = instant_of("2024-06-08T01:00:00Z")
    earlier = now - 3 * 86_400
    span = Span(date(2024, 5, 6), date(2024, 5, 10))
    ended = SourceFacts("sample", now, synthetic=True)  # so that nothing becomes due any more
    own, ledger = seen(Resolution.HOUR, now, span), seen(Resolution.DAY, earlier)
    for own_at, ledger_at in ((now, earlier), (earlier, now)):
        mine, theirs = (
            (own, ledger) if own_at == now else (seen(Resolution.HOUR, earlier, span), seen(Resolution.DAY, now))
        )
        answer = composed(span, mine, now, Resolution.HOUR, Adjustment.SPLITS, ledger=theirs, facts=ended)
        assert answer.fresh_until == earlier + LIFE
        assert answer.observed_at == now
        raw = composed(span, mine, now, Resolution.HOUR, ledger=theirs, facts=ended)
        assert (raw.observed_at, raw.fresh_until) == (own_at, own_at + LIFE)
        assert ledger_at != own_at


@pytest.mark.parametrize("adjustment", [Adjustment.NONE, Adjustment.SPLITS])
def test_an_answer_is_no_fresher_than_the_close_before_it(adjustment: Adjustment) -> None:
    """C1: when that expires, the answer may lack it; what lies before it expires unnoticed."""
    now = instant_of("2024-06-08T01:00:00Z")
    span, ended = Span(date(2024, 5, 20), date(2024, 5, 24)), SourceFacts("sample", now, synthetic=True)
    friday = Span(date(2024, 5, 17), date(2024, 5, 17))
    may = Span(date(2024, 5, 1), date(2024, 5, 3))
    own = merge(
        [
            seen(Resolution.DAY, now - 7 * 86_400, may),
            seen(Resolution.DAY, now - 86_400, friday),
            seen(Resolution.DAY, now, Span(span.start, WHOLE.end)),
        ]
    )
    answer = composed(span, own, now, Resolution.DAY, adjustment, facts=ended)
    assert answer.baseline.previous_close == own.candles.close[3]
    assert answer.fresh_until == now - 86_400 + LIFE


def test_nothing_known_of_nothing_due() -> None:
    """G1: a span without sessions is complete, empty, and fresh until something can change."""
    now = instant_of("2024-06-05T01:00:00Z")
    weekend = Span(date(2024, 6, 1), date(2024, 6, 2))
    answer = composed(weekend, Holding.empty(), now, Resolution.DAY)
    assert (answer.certificate.expected, answer.certificate.complete) == (0, True)
    assert answer.fresh_until == math.inf


def without(holding: Holding, *gone: date) -> Holding:
    keep = [date.fromordinal(day) not in gone for day in holding.coverage.days.tolist()]
    return holding.select(np.asarray(keep))


def split_on(day: date, holding: Holding, ratio: float = 4.0) -> Holding:
    """Return a holding whose prices before ``day`` are ``ratio`` times as high: raw prices around a split."""
    older = holding.candle_days() < day.toordinal()
    candles = holding.candles
    prices = [np.where(older, column * ratio, column) for column in candles.columns()[1:5]]
    return Holding(holding.coverage, Candles(candles.time, *prices, candles.volume), holding.actions)


class TestHolesInTheLedger:
    """G12, W1: over a hole in the ledger prices that jump as by a split do not meet; where none jumps, all are given."""

    NOW = instant_of("2024-06-08T01:00:00Z")
    WEEK = Span(date(2024, 6, 3), date(2024, 6, 7))

    def days(self, adjustment: Adjustment, ledger: Holding, split: date | None = None, **wishes: bool) -> list[int]:
        """Return the days of June of which the answer has minutes."""
        own = seen(Resolution.HOUR, self.NOW)
        own = own if split is None else split_on(split, own)
        answer = composed(self.WEEK, own, self.NOW, Resolution.HOUR, adjustment, ledger=ledger, **wishes)
        days = sorted({date.fromordinal(day).day for day in answer.days.tolist()})
        missing = [date.fromisoformat(day).day for day in answer.certificate.missing]
        assert sorted(days + missing) == [3, 4, 5, 6, 7]
        assert answer.certificate.complete == (not missing)
        return days

    @pytest.mark.parametrize("wish", ["stale", "holes"])
    def test_before_a_hole_at_the_end_the_older_side_stays(self, wish: str) -> None:
        """The answer is what it was with the newest ledger that is known."""
        daily = seen(Resolution.DAY, self.NOW)
        ended = without(daily, date(2024, 6, 6), date(2024, 6, 7))
        assert self.days(Adjustment.SPLITS, ended, date(2024, 6, 6), **{wish: True}) == [3, 4, 5]
        assert self.days(Adjustment.SPLITS, ended, date(2024, 6, 7), **{wish: True}) == [3, 4, 5, 6]
        assert self.days(Adjustment.NONE, ended, date(2024, 6, 6), **{wish: True}) == [3, 4, 5, 6, 7]

    def test_after_a_hole_in_the_middle_the_newer_side_stays(self) -> None:
        """What is on today's scale is given from the hole on: a split counts for the days before it."""
        daily = seen(Resolution.DAY, self.NOW)
        fifth, sixth = date(2024, 6, 5), date(2024, 6, 6)
        assert self.days(Adjustment.SPLITS, without(daily, fifth), fifth, holes=True) == [5, 6, 7]
        assert self.days(Adjustment.ALL, without(daily, date(2024, 6, 4), sixth), sixth, holes=True) == [6, 7]

    @pytest.mark.parametrize("adjustment", [Adjustment.SPLITS, Adjustment.ALL])
    @pytest.mark.parametrize("ratio", [1.5, 10.0, 1 / 1.5, 0.1])
    def test_every_usual_ratio_is_a_jump(self, adjustment: Adjustment, ratio: float) -> None:
        """3 for 2 and reverse splits, too."""
        fifth = date(2024, 6, 5)
        own = split_on(fifth, seen(Resolution.HOUR, self.NOW), ratio)
        ledger = without(seen(Resolution.DAY, self.NOW), fifth)
        answer = composed(self.WEEK, own, self.NOW, Resolution.HOUR, adjustment, ledger=ledger, holes=True)
        assert {date.fromordinal(day).day for day in answer.days.tolist()} == {5, 6, 7}

    @pytest.mark.parametrize("gone", [(5,), (4, 6), (7,), (6, 7), (3, 4, 5, 6, 7)])
    def test_where_no_price_jumps_everything_is_given(self, gone: tuple[int, ...]) -> None:
        """W1: a hole in the ledger alone hides no candle that is held."""
        ledger = without(seen(Resolution.DAY, self.NOW), *(date(2024, 6, day) for day in gone))
        assert self.days(Adjustment.SPLITS, ledger, stale=True) == [3, 4, 5, 6, 7]

    def test_a_source_that_adjusts_itself_has_one_scale(self) -> None:
        """A price that jumps over a missing session of a pre-adjusted source was no split."""
        fifth = date(2024, 6, 5)
        daily = without(split_on(fifth, seen(Resolution.DAY, self.NOW)), fifth)
        facts = replace(LIVE, pre_adjusted=True)
        answer = composed(self.WEEK, daily, self.NOW, Resolution.DAY, Adjustment.SPLITS, facts=facts, holes=True)
        assert {date.fromordinal(day).day for day in answer.days.tolist()} == {3, 4, 6, 7}

    def test_a_hole_that_no_candle_lies_before_does_no_harm(self) -> None:
        """A split on the first day, or outside the answer, moves nothing in it."""
        daily = seen(Resolution.DAY, self.NOW)
        assert self.days(Adjustment.SPLITS, without(daily, date(2024, 6, 3)), holes=True) == [3, 4, 5, 6, 7]
        assert self.days(Adjustment.SPLITS, without(daily, date(2024, 5, 31)), holes=True) == [3, 4, 5, 6, 7]
        assert self.days(Adjustment.SPLITS, daily, stale=True) == [3, 4, 5, 6, 7]

    def test_the_only_day_needs_no_ledger(self) -> None:
        """Nothing lies before Friday in an answer of Friday alone, whatever happened that day."""
        friday = Span(date(2024, 6, 7), date(2024, 6, 7))
        ledger = without(seen(Resolution.DAY, self.NOW), friday.start)
        own = seen(Resolution.HOUR, self.NOW)
        answer = composed(friday, own, self.NOW, Resolution.HOUR, Adjustment.SPLITS, ledger=ledger, holes=True)
        assert len(answer.candles) == 7
        assert answer.certificate.complete
        assert not answer.stale

    def test_a_hole_hides_the_close_before_it(self) -> None:
        """A split on Monday, of which nothing is known, would lie between Friday's close and Monday's candles."""
        hours, daily = seen(Resolution.HOUR, self.NOW), seen(Resolution.DAY, self.NOW)
        friday = float(hours.candles.close[hours.candle_days() == date(2024, 5, 31).toordinal()][-1])

        def close(adjustment: Adjustment, *gone: date) -> float | None:
            ledger = without(daily, *gone)
            answer = composed(self.WEEK, hours, self.NOW, Resolution.HOUR, adjustment, ledger=ledger)
            return answer.baseline.previous_close

        assert close(Adjustment.SPLITS) == close(Adjustment.SPLITS, date(2024, 5, 31)) == friday
        assert close(Adjustment.SPLITS, date(2024, 6, 3)) is None
        assert close(Adjustment.NONE, date(2024, 6, 3)) == friday

    @pytest.mark.parametrize("gone", [date(2024, 6, 5), date(2024, 6, 7)])
    def test_older_candles_on_an_older_scale_are_stale(self, gone: date) -> None:
        """A span in May may be whole: whether there was a split in June is not known, so the answer does not last."""
        may = Span(date(2024, 5, 6), date(2024, 5, 10))
        daily = without(seen(Resolution.DAY, self.NOW), gone)
        for adjustment, stale in ((Adjustment.SPLITS, True), (Adjustment.NONE, False)):
            answer = composed(may, daily, self.NOW, Resolution.DAY, adjustment, holes=True)
            assert answer.certificate.complete
            assert answer.stale == stale
            assert (answer.fresh_until == self.NOW + STALE_LIFE_SECONDS) == stale

    @pytest.mark.parametrize(("gone", "stale"), [(date(2024, 6, 5), False), (date(2024, 6, 7), True)])
    def test_the_newer_side_is_not_stale(self, gone: date, stale: bool) -> None:
        """What ends with the newest session is on today's scale; what ends before a hole is not."""
        daily = without(seen(Resolution.DAY, self.NOW), gone)
        answer = composed(self.WEEK, daily, self.NOW, Resolution.DAY, Adjustment.SPLITS, holes=True)
        assert answer.certificate.missing
        assert answer.stale == stale

    def test_a_row_that_was_not_out_is_a_hole(self) -> None:
        """A row of Friday asked for before it was out says nothing of a split on Friday."""
        friday, asked_at = date(2024, 6, 7), instant_of("2024-06-07T20:30:00Z")
        row = (np.array([value], kind) for value, kind in zip((friday.toordinal(), SessionState.FORMING, asked_at, 0),
               (np.int32, np.uint8, np.int64, np.int32), strict=True))  # fmt: skip
        early = Holding(Coverage(*row), Candles.empty(), Actions.none())
        known = without(seen(Resolution.DAY, self.NOW), friday)
        assert self.days(Adjustment.SPLITS, merge([known, early]), friday, stale=True) == [3, 4, 5, 6]

    def test_daily_candles_have_their_own_ledger(self) -> None:
        """Around a missing daily session with a jump the newer side stays; raw, both do."""
        fifth = date(2024, 6, 5)
        daily = without(split_on(fifth, seen(Resolution.DAY, self.NOW)), fifth)
        for adjustment, expected in ((Adjustment.SPLITS, [6, 7]), (Adjustment.NONE, [3, 4, 6, 7])):
            answer = composed(self.WEEK, daily, self.NOW, Resolution.DAY, adjustment, holes=True)
            assert [date.fromordinal(day).day for day in answer.days.tolist()] == expected
            assert len(answer.certificate.missing) == 5 - len(expected)
