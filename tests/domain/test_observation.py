"""From a vendor's answer to what is known: nothing outside sessions, nothing unproven, nothing cut off unseen."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.strategies import CALENDAR, intraday
from ohlcache.domain.candles import Candles
from ohlcache.domain.coverage import Holding, SessionState
from ohlcache.domain.errors import VendorGarbage
from ohlcache.domain.freshness import last_final_day
from ohlcache.domain.market_time import midnight_utc
from ohlcache.domain.observation import Beside, VendorAnswer, contradicts_listing, doubtful_gaps, observe, placed
from ohlcache.domain.rejections import RejectedRow
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing.clock import instant_of

SPAN = Span(date(2024, 5, 1), date(2024, 6, 3))
SESSIONS = CALENDAR.between(SPAN)
DAYS: list[int] = SESSIONS.days.tolist()
EVENING = instant_of("2024-06-04T01:00:00Z")
NONE_EMPTY = np.empty(0, np.int32)


def flat(times: list[int]) -> Candles:
    ones = [1.0] * len(times)
    return Candles.from_columns(times, ones, ones, ones, ones, [1] * len(times))


def daily(days: list[int]) -> Candles:
    return flat([midnight_utc(day) for day in days])


def seen(answer: VendorAnswer, *, as_of: float = EVENING, listed_before: bool = False) -> Holding:
    return observe(
        answer,
        SPAN,
        Resolution.DAY,
        calendar=CALENDAR,
        asked_as_of=as_of,
        observed_at=as_of + 2.9,
        listed_before=listed_before,
    )


def gaps_of(candles: Candles, resolution: Resolution = Resolution.DAY, beside: Beside | None = None) -> list[Span]:
    found = doubtful_gaps(VendorAnswer(candles), SPAN, resolution, calendar=CALENDAR, as_of=EVENING, beside=beside)
    return [gap for gap, _ in found]


def gaps_of_bars(candles: Candles, bars: int) -> list[Span]:
    answer = VendorAnswer(candles, bars=bars, bars_from=int(candles.time[0]))
    return [gap for gap, _ in doubtful_gaps(answer, SPAN, Resolution.HOUR, calendar=CALENDAR, as_of=EVENING)]


@given(
    st.sets(st.integers(SPAN.start.toordinal() - 9, SPAN.end.toordinal() + 9)),
    st.booleans(),
    st.floats(EVENING - 12 * 86_400, EVENING),
)
def test_every_session_that_had_begun_is_spoken_of(days: set[int], listed_before: bool, as_of: float) -> None:
    """T2, C10, G2: final with a candle, known-empty or unlisted without, forming before; the rest of the answer drops out."""
    holding = seen(VendorAnswer(daily(sorted(days))), as_of=as_of, listed_before=listed_before)
    begun = [day for day, opened in zip(DAYS, SESSIONS.opens, strict=True) if opened <= as_of]
    assert holding.coverage.days.tolist() == begun
    assert set(holding.coverage.observed_at.tolist()) <= {int(as_of + 2.9)}
    newest_final = last_final_day(Resolution.DAY, CALENDAR, as_of)
    assert newest_final is not None
    there = [day for day in begun if day in days]
    assert holding.candles == daily(there)
    for day, state, _, count in zip(*(c.tolist() for c in holding.coverage.columns()), strict=True):
        assert count == (day in days)
        if day > newest_final.toordinal():
            assert state == SessionState.FORMING
        elif count:
            assert state == SessionState.FINAL
        elif there and day < there[0] and not listed_before:
            assert state == SessionState.UNLISTED
        else:
            assert state == SessionState.KNOWN_EMPTY


def test_a_listing_is_believed() -> None:
    """G11: where the vendor tells the first day, sessions before it are unlisted, those after it known empty."""
    listing = Span(date(2024, 5, 15), date(2024, 5, 20))
    for listed_before in (False, True):
        holding = seen(VendorAnswer(Candles.empty(), listing=listing), listed_before=listed_before)
        states = dict(zip(holding.coverage.days.tolist(), holding.coverage.states.tolist(), strict=True))
        assert states[date(2024, 5, 14).toordinal()] == SessionState.UNLISTED
        assert states[date(2024, 5, 15).toordinal()] == SessionState.KNOWN_EMPTY


def rejected_on(day: int, time: int | None = None) -> RejectedRow:
    return RejectedRow(
        Span(date.fromordinal(day), date.fromordinal(day)), "open", "0", "is not a positive number", time
    )


def undated(after: int | None, before: int | None) -> RejectedRow:
    return RejectedRow(Span(date.min, date.max), "date", "null", "is no date", between=(after, before))


@given(st.sets(st.sampled_from(DAYS)), st.sets(st.sampled_from(DAYS)), st.booleans(), st.sampled_from([None, 3, 20]))
def test_a_rejected_session_is_neither_final_nor_empty_nor_unlisted(
    days: set[int], bad: set[int], listed_before: bool, listing: int | None
) -> None:
    """B8, G11: nor is anything after it unlisted; every other session is what it would be."""
    life = None if listing is None else Span(date.fromordinal(DAYS[listing]), SPAN.end)
    answer = VendorAnswer(daily(sorted(days - bad)), listing=life, rejected=tuple(map(rejected_on, sorted(bad))))
    holding = seen(answer, listed_before=listed_before)
    whole = seen(VendorAnswer(daily(sorted(days | bad)), listing=life), listed_before=listed_before)
    states, sound = holding.coverage.states, whole.coverage.states
    of_bad = np.isin(holding.coverage.days, sorted(bad))
    assert (states[of_bad] == SessionState.REJECTED).all()
    assert states[~of_bad].tolist() == sound[~of_bad].tolist()
    assert holding.candles == daily(sorted(days - bad))


def test_the_good_bars_of_a_rejected_session_are_there() -> None:
    """B8: one bad minute costs one minute; one that had not begun when the vendor was asked costs nothing."""
    day = Span(date(2024, 6, 3), date(2024, 6, 3))
    times = CALENDAR.between(day).candle_opens(Resolution.MINUTE).tolist()
    for at, asked, state in ((5, EVENING, 5), (300, float(times[100]), SessionState.FORMING)):
        answer = VendorAnswer(
            flat([time for time in times if time != times[at]]), rejected=(rejected_on(DAYS[-1], times[at]),)
        )
        facts = {"calendar": CALENDAR, "asked_as_of": asked, "observed_at": asked, "listed_before": True}
        holding = observe(answer, day, Resolution.MINUTE, **facts)
        assert holding.coverage.states.tolist() == [state]
        assert holding.coverage.counts.tolist() == [389 if state == 5 else 101]


@pytest.mark.parametrize(
    ("there", "between", "days"),
    [
        ([0, 1, 3], (1, 3), [2]), ([0, 1, 2], (1, 2), []), ([2, 3], (None, 2), [0, 1]), ([0], (0, None), [1, 2, 3]),
        ([], (None, None), [0, 1, 2, 3]), ([0, 3], (0, 3), [1, 2]),
        ([0, 1, 3], (None, None), [2]),
    ],
)  # fmt: skip
def test_a_row_without_a_date_is_of_a_session_that_has_none(
    there: list[int], between: tuple[int | None, int | None], days: list[int]
) -> None:
    """B6, B8: whichever sessions it may be of are rejected; where all have candles it is of none."""
    four = CALENDAR.between(SPAN)[:4]
    midnights = [midnight_utc(day) for day in DAYS]
    row = undated(*(None if n is None else midnights[n] for n in between))
    answer = placed(VendorAnswer(daily([DAYS[n] for n in there]), rejected=(row,)), four, Resolution.DAY)
    expected = [Span(date.fromordinal(DAYS[days[0]]), date.fromordinal(DAYS[days[-1]]))] if days else []
    assert [row.days for row in answer.rejected] == expected
    states = seen(answer).coverage.states[:4]
    assert np.flatnonzero(states == SessionState.REJECTED).tolist() == days


@pytest.mark.parametrize(
    ("after", "before", "days"), [(3, 5, [0]), (3, 4, []), (389, 390, []), (388, 391, [0, 1]), (389, 391, [1])]
)
def test_a_minute_without_a_date_is_of_a_session_with_room_for_it(after: int, before: int, days: list[int]) -> None:
    """B6, B8: between two bars that touch there is none, between the last bar of a day and the second of the next one."""
    times = SESSIONS.candle_opens(Resolution.MINUTE).tolist()
    answer = VendorAnswer(flat(times[: after + 1] + times[before:]), rejected=(undated(times[after], times[before]),))
    rows = placed(answer, SESSIONS, Resolution.MINUTE).rejected
    assert [row.days for row in rows] == [
        Span(*(date.fromordinal(DAYS[n]) for n in (days[0], days[-1]))) for _ in days[:1]
    ]


def test_a_bad_row_outside_every_session_costs_nothing() -> None:
    """G2: an impossible row on a weekend, or before the bell, costs nothing."""
    weekend = rejected_on(date(2024, 5, 4).toordinal())
    early = rejected_on(DAYS[0], int(SESSIONS.opens[0]) - 3600)
    for row, resolution in ((weekend, Resolution.DAY), (early, Resolution.MINUTE)):
        assert placed(VendorAnswer(Candles.empty(), rejected=(row,)), SESSIONS, resolution).rejected == ()


@given(st.integers(0, len(DAYS) - 1), st.integers(0, len(DAYS) - 1), st.integers(0, len(DAYS) - 1))
def test_a_rejected_edge_is_not_cut_off(one: int, other: int, third: int) -> None:
    """B10: a row that cannot be true was sent all the same; only what lies beyond it is asked for again."""
    first, middle, last = sorted((one, other, third))
    sent = sorted({DAYS[n] for n in (first, middle, last)})
    for bad in ({DAYS[first]}, {DAYS[last]}, {DAYS[first], DAYS[last]}):
        answer = VendorAnswer(
            daily([day for day in sent if day not in bad]), rejected=tuple(map(rejected_on, sorted(bad)))
        )
        found = doubtful_gaps(answer, SPAN, Resolution.DAY, calendar=CALENDAR, as_of=EVENING)
        assert [gap for gap, _ in found] == gaps_of(daily(sent))


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("dated", [True, False])
def test_a_rejected_first_or_last_bar_is_not_cut_off(place: int, dated: bool) -> None:
    """B10: 09:30 or 15:59 was sent, whatever was wrong with it."""
    times = CALENDAR.between(THREE).candle_opens(Resolution.MINUTE).tolist()
    lost = times.pop(place)
    row = rejected_on((THREE.start if place == 0 else THREE.end).toordinal(), lost)
    if not dated:
        row = undated(None, times[0]) if place == 0 else undated(times[-1], None)
    answer = placed(VendorAnswer(flat(times), rejected=(row,)), CALENDAR.between(THREE), Resolution.MINUTE)
    assert doubtful_gaps(answer, THREE, Resolution.MINUTE, calendar=CALENDAR, as_of=EVENING) == []
    assert doubtful_gaps(VendorAnswer(flat(times)), THREE, Resolution.MINUTE, calendar=CALENDAR, as_of=EVENING) != []


@given(st.integers(0, len(DAYS) - 1), st.integers(0, len(DAYS) - 1))
def test_whole_sessions_at_an_edge_are_doubted(one: int, other: int) -> None:
    """B10: days missing at either end are asked for again; days missing between are the vendor's word."""
    first, last = sorted((one, other))
    gaps = gaps_of(daily([DAYS[first], DAYS[last]] if first < last else [DAYS[first]]))
    expected = []
    if first > 0:
        expected.append(Span(SPAN.start, date.fromordinal(DAYS[first - 1])))
    if last + 1 < len(DAYS):
        expected.append(Span(date.fromordinal(DAYS[last + 1]), SPAN.end))
    assert gaps == expected


@given(intraday, st.integers(0, 500), st.integers(0, 500))
def test_a_session_cut_in_two_is_doubted(resolution: Resolution, oldest: int, newest: int) -> None:
    """B10: whatever a cap leaves of well traded minutes, every session that is not whole lies in a doubted gap."""
    times = SESSIONS.candle_opens(resolution).tolist()
    left = times[min(oldest, len(times)) : max(len(times) - newest, 0)]
    located = set(SESSIONS.locate(np.asarray(left, np.int64), resolution).tolist())
    if len(located) < 3:
        return  # with no whole session beside it, a cut one cannot be told from a thin one
    gaps = gaps_of(flat(left), resolution)
    whole = SESSIONS.candles_in_each(resolution)
    for n, day in enumerate(DAYS):
        there = sum(SESSIONS.opens[n] <= time < SESSIONS.closes[n] for time in left)
        assert there == whole[n] or any(date.fromordinal(day) in gap for gap in gaps)
    if not oldest and not newest:
        assert gaps == []


THREE = Span(date(2024, 5, 29), date(2024, 5, 31))


@pytest.mark.parametrize("edge", ["bell", "close"])
@pytest.mark.parametrize(("whole", "doubted"), [(0, False), (1, True), (2, True)])
def test_a_session_is_doubted_where_most_others_are_traded_whole(edge: str, whole: int, doubted: bool) -> None:
    """B10, T2: one of two that is whole is enough to ask again for a third that is not; thin trading is believed."""
    sessions = CALENDAR.between(THREE)
    minutes = sessions.candle_opens(Resolution.MINUTE).reshape(3, 390)
    rows = [minutes[n] for n in ((0, 1, 2) if edge == "bell" else (2, 1, 0))]
    part = slice(7, None) if edge == "bell" else slice(None, -7)
    thin = [row[part] if n == 0 or n > whole else row for n, row in enumerate(rows)]
    answer = VendorAnswer(flat(sorted(int(time) for row in thin for time in row)))
    gaps = doubtful_gaps(answer, THREE, Resolution.MINUTE, calendar=CALENDAR, as_of=EVENING)
    day = THREE.start if edge == "bell" else THREE.end
    assert [gap for gap, _ in gaps] == ([Span(day, day)] if doubted else [])


def test_a_thin_session_alone_is_believed() -> None:
    """T2: with nothing to compare it with, a day that begins late and ends early is what the vendor says it is."""
    day = Span(date(2024, 5, 29), date(2024, 5, 29))
    answer = VendorAnswer(flat(CALENDAR.between(day).candle_opens(Resolution.MINUTE).tolist()[5:-5]))
    assert doubtful_gaps(answer, day, Resolution.MINUTE, calendar=CALENDAR, as_of=EVENING) == []


@pytest.mark.parametrize(("bars_from_half", "doubted"), [(0, False), (1, True)])
def test_an_hour_that_lacks_its_first_half_is_doubted(bars_from_half: int, doubted: bool) -> None:
    """B10: candles are made of finer bars: what a cap cut off is seen in those, though the first hour seems on time."""
    hours = CALENDAR.between(THREE).candle_opens(Resolution.HOUR).tolist()
    answer = VendorAnswer(flat(hours), bars=2 * len(hours) - bars_from_half, bars_from=hours[0] + 1800 * bars_from_half)
    found = doubtful_gaps(answer, THREE, Resolution.HOUR, calendar=CALENDAR, as_of=EVENING)
    assert [gap for gap, _ in found] == ([Span(THREE.start, THREE.start)] if doubted else [])
    if doubted:  # asked for alone it is the same: nobody traded before ten
        [(gap, beside)] = found
        alone = VendorAnswer(flat(hours[:7]), bars=12, bars_from=hours[0] + 1800)
        day = {"calendar": CALENDAR, "as_of": EVENING}
        assert doubtful_gaps(alone, gap, Resolution.HOUR, beside=beside, **day) == []


def test_a_round_number_of_finer_bars_is_doubted() -> None:
    """B10: 500 half-hours are a capful, however many hours they make."""
    hours = [time for time in SESSIONS.candle_opens(Resolution.HOUR).tolist() if time % 86_400 // 3600 != 13]
    for bars in (500, 501):
        gaps = gaps_of_bars(flat(hours), bars)
        assert (Span(SPAN.start, SPAN.start) in gaps) == (bars == 500)


def test_thin_trading_is_not_doubted() -> None:
    """T2: sessions that usually begin late and end early are not taken for cut off."""
    times = [time for time in SESSIONS.candle_opens(Resolution.MINUTE).tolist() if time % 3600 == 900]
    assert gaps_of(flat(times), Resolution.MINUTE) == []


def test_a_round_number_of_rows_is_doubted() -> None:
    """B10: exactly 500 rows that begin and end inside a session look like a cap, whatever the neighbours do."""
    times = [time for time in SESSIONS.candle_opens(Resolution.MINUTE).tolist() if time % 300 == 60][-500:]
    older, newer = gaps_of(flat(times), Resolution.MINUTE)
    assert (older.start, newer.end) == (SPAN.start, SPAN.end)
    assert [len(gaps_of(flat(times[:-1]), Resolution.MINUTE)), len(gaps_of(flat(times[1:]), Resolution.MINUTE))] == [
        1,
        1,
    ]


def test_a_capful_outside_sessions_was_cut_off() -> None:
    """B10: a round number of bars of which none lies in a session hides the rest; a few are off hours, and no candles."""
    before_the_bell = [int(SESSIONS.opens[0]) - 60 * n for n in range(1000, 1, -1)]
    for count in (500, 10, 501):
        candles = flat(before_the_bell[-count:])
        if count == 500:
            with pytest.raises(VendorGarbage, match="cut off"):
                gaps_of(candles, Resolution.MINUTE)
        else:
            assert gaps_of(candles, Resolution.MINUTE) == []


def test_what_was_asked_twice_is_believed() -> None:
    """B10: an edge that is no further out than the answer beside it is settled; one that is further out is not."""
    candles = daily(DAYS[5:])
    first = int(candles.time[0])
    assert gaps_of(candles, beside=Beside(after=first)) == []
    assert len(gaps_of(candles, beside=Beside(after=first + 86_400))) == 1
    candles = daily(DAYS[:5])
    last = int(candles.time[-1])
    assert gaps_of(candles, beside=Beside(before=last)) == []
    assert len(gaps_of(candles, beside=Beside(before=last - 86_400))) == 1
    assert gaps_of(Candles.empty()) == []


def test_an_empty_answer_against_the_listing() -> None:
    """T5, G8, G11: nothing is believed before and after the ticker's life, not within it unless it was empty before."""
    lives = {
        Span(date(2020, 1, 2), date(2024, 5, 31)): True,
        Span(date(2020, 1, 2), date(2024, 4, 30)): False,
        Span(date(2024, 6, 4), date(2024, 6, 4)): False,
    }
    for listing, contradicted in lives.items():
        answer = VendorAnswer(Candles.empty(), listing=listing)
        assert contradicts_listing(answer, SPAN, CALENDAR, empty_before=NONE_EMPTY) == contradicted
        assert not contradicts_listing(answer, SPAN, CALENDAR, empty_before=SESSIONS.days)
    assert not contradicts_listing(VendorAnswer(Candles.empty()), SPAN, CALENDAR, empty_before=NONE_EMPTY)
    weekend = Span(date(2024, 6, 1), date(2024, 6, 2))
    alive = VendorAnswer(Candles.empty(), listing=Span(date(2020, 1, 2), date(2024, 6, 3)))
    assert not contradicts_listing(alive, weekend, CALENDAR, empty_before=NONE_EMPTY)
