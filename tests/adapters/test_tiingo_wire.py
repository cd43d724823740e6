"""What Tiingo says is read to the bit, and what it cannot mean is refused."""

from __future__ import annotations

import gzip
import json
import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mutations import damaged, spoilt_cells
from adapters.vendor_rig import RECORDED
from ohlcache.adapters.vendors import finnhub_wire, tiingo_wire
from ohlcache.adapters.vendors.vendor_http import Reply
from ohlcache.domain.adjustment import Actions, Adjustment, adjust
from ohlcache.domain.candles import check_possible
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    TickerNotFound,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.span import Span
from ohlcache.ports import TickerInfo
from ohlcache.testing.clock import instant_of

if TYPE_CHECKING:
    from random import Random

NOW = instant_of("2024-06-14T18:20:00Z")
DAILY = "daily_GOOGL_2018-01-05_2018-01-19.json"
IEX = "iex_30min_GOOGL_2018-01-02.json"


def recorded(name: str) -> bytes:
    return (RECORDED / "tiingo" / name).read_bytes()


def daily_row(**changes: object) -> dict[str, object]:
    return json.loads(recorded("daily_GOOGL_2015-01-02_2015-01-05.json"))[0] | changes


def body_of(*rows: dict[str, object]) -> bytes:
    return json.dumps(rows).encode()


def refusal(
    status: int, body: str | bytes, retry_after: str | None = None, ticker: str = "XXXX"
) -> OhlcacheError | None:
    raw = body if isinstance(body, bytes) else body.encode()
    return tiingo_wire.refusal(Reply(status, raw, retry_after), ticker=ticker, now=NOW)


def test_recorded_daily_prices_are_exact_to_the_bit() -> None:
    """B1: every price and volume is the very float and integer of the wire; the adjusted columns are not taken."""
    rows = json.loads(recorded(DAILY))
    candles = tiingo_wire.parse_daily(recorded(DAILY)).candles
    for name in ("open", "high", "low", "close", "volume"):
        assert getattr(candles, name).tolist() == [row[name] for row in rows]
    assert candles.volume.dtype == np.int64


def test_daily_candles_begin_at_midnight_utc_of_the_market_date() -> None:
    """B6: the ranged format (``…T00:00:00.000Z``) gives 00:00 UTC of the market date."""
    candles = tiingo_wire.parse_daily(recorded(DAILY)).candles
    assert datetime.fromtimestamp(int(candles.time[0]), UTC) == datetime(2018, 1, 5, tzinfo=UTC)
    assert np.all(candles.time % 86_400 == 0)


@pytest.mark.parametrize("year", ["0001", "1969", "2024", "2261", "9999"])
def test_a_moment_before_midnight_is_still_the_day(year: str) -> None:
    """B6: to the microsecond, in any year: a float of seconds would round up."""
    row = {"date": f"{year}-12-30T23:59:59.999999Z", "open": 1, "high": 1, "low": 1, "close": 1}
    [time] = tiingo_wire.parse_daily(json.dumps([row]).encode()).candles.time.tolist()
    assert time == (date(int(year), 12, 30).toordinal() - date(1970, 1, 1).toordinal()) * 86_400
    [minute] = tiingo_wire.parse_iex(json.dumps([row]).encode()).candles.time.tolist()
    assert minute == time + 86_399


def test_the_other_date_format_means_the_same() -> None:
    """B6: the reply without dates writes ``+00:00`` and sorts its keys."""
    candles = tiingo_wire.parse_daily(recorded("latest_GOOGL_2018-04-12.json")).candles
    assert candles.time.tolist() == [int(datetime(2018, 4, 12, tzinfo=UTC).timestamp())]
    assert candles.close.tolist() == [1037.29]
    assert candles.volume.tolist() == [1644794]


def test_recorded_intraday_bars_keep_their_start_in_utc() -> None:
    """B6: thirteen half hours, the first at 14:30 UTC (09:30 in New York, winter), the last at 20:30."""
    candles = tiingo_wire.parse_iex(recorded(IEX)).candles
    stamps = [datetime.fromtimestamp(t, UTC).strftime("%H:%M") for t in candles.time.tolist()]
    assert len(stamps) == 13
    assert (stamps[0], stamps[-1]) == ("14:30", "20:30")


def test_hours_say_of_which_bars_they_are_made() -> None:
    """B10: of how many half hours, and when the first of them opens: what was cut off shows in these."""
    halves = [{"date": f"2024-06-07T{at}:00Z", "open": 1, "high": 1, "low": 1, "close": 1} for at in ("14:00", "14:30")]
    answer = tiingo_wire.parse_iex_half_hours(json.dumps(halves).encode())
    assert answer.candles.time.tolist() == [instant_of("2024-06-07T13:30:00Z"), instant_of("2024-06-07T14:30:00Z")]
    assert (answer.bars, answer.bars_from) == (2, instant_of("2024-06-07T14:00:00Z"))


def test_volume_is_zero_where_the_vendor_sends_none() -> None:
    """B2, F8: an IEX reply without the volume column has volume 0, never None."""
    assert tiingo_wire.parse_iex(recorded(IEX)).candles.volume.tolist() == [0] * 13


@pytest.mark.parametrize(("sent", "kept"), [(None, 0), (38607.0, 38607), (0, 0), (6_000_000_000, 6_000_000_000)])
def test_volume_is_an_integer(sent: float | None, kept: int) -> None:
    """B2, B7, F8: null is 0, a float is its integer, and 2^31 is no limit."""
    candles = tiingo_wire.parse_daily(body_of(daily_row(volume=sent))).candles
    assert candles.volume.tolist() == [kept]


def test_splits_and_dividends_come_with_the_close_of_the_ex_date() -> None:
    """G12: rows with ``divCash`` or ``splitFactor`` become actions; all others do not."""
    body = body_of(
        daily_row(date="2014-05-08T00:00:00.000Z", close=530.0, divCash=3.29),
        daily_row(date="2014-05-09T00:00:00.000Z"),
        daily_row(date="2014-06-09T00:00:00.000Z", close=531.0, splitFactor=7.0),
    )
    actions = tiingo_wire.parse_daily(body).actions
    assert actions.days.tolist() == [date(2014, 5, 8).toordinal(), date(2014, 6, 9).toordinal()]
    assert actions.dividends.tolist() == [3.29, 0.0]
    assert actions.splits.tolist() == [1.0, 7.0]
    assert actions.closes.tolist() == [530.0, 531.0]


def test_absent_actions_are_none() -> None:
    """Null ``divCash`` and ``splitFactor`` are no action."""
    assert len(tiingo_wire.parse_daily(body_of(daily_row(divCash=None, splitFactor=None))).actions) == 0


def test_the_adjustment_formula_gives_the_vendors_own_adjusted_prices() -> None:
    """Apple's two dividends of early 2018 turn the recorded raw prices into the recorded adjusted ones."""
    body = recorded("weekly_AAPL_2018-01-05_2018-01-19_recorded_2018-06-10.json")
    rows = json.loads(body)
    candles = tiingo_wire.parse_daily(body).candles
    actions = Actions.from_rows(
        [(date(2018, 2, 9).toordinal(), 0.63, 1.0, 156.41), (date(2018, 5, 11).toordinal(), 0.73, 1.0, 188.59)]
    )
    days = (candles.time // 86_400 + date(1970, 1, 1).toordinal()).astype(np.int32)
    adjusted = adjust(candles, days, actions, Adjustment.ALL)
    for name in ("open", "high", "low", "close"):
        wanted = [row[f"adj{name.capitalize()}"] for row in rows]
        assert getattr(adjusted, name) == pytest.approx(wanted, rel=1e-9)
    assert adjusted.volume.tolist() == [row["adjVolume"] for row in rows]


def test_metadata_tells_the_listing() -> None:
    """The first and last date, in either key order; nulls mean that there is no data."""
    assert tiingo_wire.parse_listing(recorded("metadata_GOOGL.json")) == Span(date(2004, 8, 19), date(2017, 10, 6))
    assert tiingo_wire.parse_listing(b'{"ticker":"LEH","startDate":null,"endDate":null}') is None


def test_search_results_come_in_our_spelling() -> None:
    """G5: ``BRK-B`` is ``BRK.B`` here; what is no ticker at all is left out."""
    body = b'[{"ticker":"brk-b","name":"Berkshire"},{"ticker":"???","name":"x"},{"ticker":"BRK-A","name":null}]'
    assert [info.ticker for info in tiingo_wire.parse_found(body)] == ["BRK.B", "BRK.A"]


def test_a_search_result_that_is_none_costs_no_other() -> None:
    """B8: a null for a ticker, a number for a name."""
    body = b'[{"ticker":null,"name":"x"},{"name":"y"},{"ticker":7},{"ticker":"BRK-A","name":8}]'
    assert tiingo_wire.parse_found(body) == (TickerInfo("BRK.A"),)
    body = b'{"result":[{"symbol":null},{},{"symbol":"AAPL","description":[]}]}'
    assert finnhub_wire.parse_found(body) == (TickerInfo("AAPL"),)


def test_class_shares_take_a_dash_on_the_wire() -> None:
    """G4, G5: dots become dashes."""
    assert tiingo_wire.wire_ticker("BRK.B") == "BRK-B"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"{}", b"<html>", b'"text"', b"7", b'{"detail":"x"}', b"\xff\xfe", recorded(DAILY)[:1000],
        b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'[{"date":' * 50_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" + b"9" * 10_000 + b"]", gzip.compress(recorded(DAILY)), b"\x1f\x8b\x08\x00broken",
    ],
)  # fmt: skip
def test_what_is_no_list_of_rows_is_refused(body: bytes) -> None:
    """B8, B10: wrong shapes, cut-off JSON, brackets without end, bytes that are no text: a typed error, never another."""
    for parse in (tiingo_wire.parse_daily, tiingo_wire.parse_iex, tiingo_wire.parse_iex_half_hours):
        with pytest.raises(VendorGarbage):
            parse(body)
    for parse_facts in (tiingo_wire.parse_listing, tiingo_wire.parse_found):
        if body not in {b"{}", b'{"detail":"x"}'}:
            with pytest.raises(VendorGarbage):
                parse_facts(body)
    assert isinstance(refusal(200, body), OhlcacheError | None)


BAD_CELLS: list[tuple[dict[str, object], str, str]] = [
    ({"open": 0}, "open", "0"),
    ({"open": -1.5}, "open", "-1.5"),
    ({"close": None}, "close", "null"),
    ({"close": "n/a"}, "close", '"n/a"'),
    ({"close": "1037.5"}, "close", '"1037.5"'),
    ({"close": True}, "close", "true"),
    ({"low": []}, "low", "(a list)"),
    ({"high": {"a": 1}}, "high", "(an object)"),
    ({"high": math.nan}, "high", "nan"),
    ({"high": math.inf}, "high", "inf"),
    ({"low": -math.inf}, "low", "-inf"),
    ({"open": 10**400}, "open", "1" + "0" * 38 + "…"),
    ({"volume": -1}, "volume", "-1"),
    ({"volume": 10**30}, "volume", "1" + "0" * 30),
    ({"volume": 1e300}, "volume", "1e+300"),
    ({"volume": "many"}, "volume", '"many"'),
    ({"splitFactor": 0.0}, "splitFactor", "0.0"),
    ({"splitFactor": "7:1"}, "splitFactor", '"7:1"'),
    ({"divCash": -1.0}, "divCash", "-1.0"),
    ({"divCash": math.nan}, "divCash", "NaN"),
    ({"date": "2018-01-10"}, "date", '"2018-01-10"'),
    ({"date": "2018-01-10T00:00:00"}, "date", '"2018-01-10T00:00:00"'),
]


@pytest.mark.parametrize(("cells", "field", "value"), BAD_CELLS)
def test_a_row_that_cannot_be_true_is_rejected_alone(cells: dict[str, object], field: str, value: str) -> None:
    """B8, B9: everything else is read as ever; the row is named by date, field and value."""
    rows = json.loads(recorded(DAILY))
    whole = tiingo_wire.parse_daily(recorded(DAILY)).candles
    assert rows[3]["date"].startswith("2018-01-10")
    rows[3] |= cells
    answer = tiingo_wire.parse_daily(body_of(*rows))
    assert answer.candles == whole[np.arange(len(whole)) != 3]
    (row,) = answer.rejected
    assert (row.days, row.field, row.value) == (Span(date(2018, 1, 10), date(2018, 1, 10)), field, value)
    assert row.sentence.startswith(f"The vendor's row of 2018-01-10 was rejected: {field} {value} ")
    assert len(row.value) <= 40


def test_high_below_close_by_a_little_is_named_with_both() -> None:
    """B5: a ten-thousandth is enough."""
    rows = json.loads(recorded(DAILY))
    rows[3]["high"] = max(rows[3]["open"], rows[3]["close"]) - 1e-4
    (row,) = tiingo_wire.parse_daily(body_of(*rows)).rejected
    assert row.field == "high"
    assert row.fault in {"is below open", "is below close"}


@pytest.mark.parametrize("cells", [{"close": None}, {"open": "n/a"}, {"volume": -1}, {"high": math.nan}])
def test_a_minute_that_cannot_be_true_is_rejected_alone(cells: dict[str, object]) -> None:
    """B8, B9: the other bars stay; the bar is named by its time in New York."""
    bars = json.loads(recorded(IEX))
    whole = tiingo_wire.parse_iex(recorded(IEX)).candles
    bars[2] |= cells
    answer = tiingo_wire.parse_iex(body_of(*bars))
    assert answer.candles == whole[np.arange(len(whole)) != 2]
    (row,) = answer.rejected
    assert (row.day, row.time) == (date(2018, 1, 2), int(whole.time[2]))
    assert row.sentence.startswith("The vendor's row of 2018-01-02 10:30 was rejected: ")


@pytest.mark.parametrize("stamp", [None, "yesterday", 1515542400000, "2018-13-40T00:00:00.000Z", [], "\u202e" * 50])
@pytest.mark.parametrize("place", [0, 3, 9])
def test_a_row_without_a_date_lies_between_its_neighbours(stamp: object, place: int) -> None:
    """B6: whose row it is follows from the rows around it; at an end only one side is known."""
    rows = json.loads(recorded(DAILY))
    times = tiingo_wire.parse_daily(recorded(DAILY)).candles.time.tolist()
    rows[place]["date"] = stamp
    answer = tiingo_wire.parse_daily(body_of(*rows))
    (row,) = answer.rejected
    before, after = times[place - 1] if place else None, times[place + 1] if place + 1 < len(times) else None
    assert row.between == (before, after)
    assert (row.field, len(row.value) <= 40) == ("date", True)
    assert answer.candles.time.tolist() == times[:place] + times[place + 1 :]


def test_what_is_no_row_is_rejected_too() -> None:
    """B8: numbers, texts and empty objects among the rows cost nothing but themselves."""
    rows = json.loads(recorded(DAILY))
    mixed = [rows[0], 1, "x", None, [], {}, *rows[1:]]
    answer = tiingo_wire.parse_daily(json.dumps(mixed).encode())
    assert answer.candles == tiingo_wire.parse_daily(recorded(DAILY)).candles
    assert {(row.field, row.value) for row in answer.rejected} == {("date", "(absent)")}
    nothing = tiingo_wire.parse_daily(b"[{}]")
    assert (len(nothing.candles), len(nothing.rejected)) == (0, 1)


def test_rows_out_of_order_are_sorted() -> None:
    """B4: backwards or shuffled, the rows are the same rows, and so are their actions."""
    rows = json.loads(recorded(DAILY))
    rows[2]["divCash"], rows[6]["splitFactor"] = 0.5, 2.0
    sound = tiingo_wire.parse_daily(body_of(*rows))
    for order in (rows[::-1], [*rows[5:], *rows[:5]]):
        answer = tiingo_wire.parse_daily(body_of(*order))
        assert answer.candles == sound.candles
        assert answer.actions == sound.actions
        assert answer.rejected == ()


def test_identical_rows_are_one() -> None:
    """B4: twice or three times, in any place; a split among them is one split."""
    rows = json.loads(recorded(DAILY))
    rows[4]["splitFactor"] = 7.0
    sound = tiingo_wire.parse_daily(body_of(*rows))
    answer = tiingo_wire.parse_daily(body_of(rows[4], *rows, rows[4], rows[0]))
    assert answer.candles == sound.candles
    assert answer.actions == sound.actions
    assert answer.rejected == ()


@pytest.mark.parametrize("name", ["close", "volume", "divCash", "splitFactor"])
def test_rows_that_contradict_one_another_are_rejected(name: str) -> None:
    """B4: nothing says which of two is right; the field in which they differ is named, with both values."""
    rows = json.loads(recorded(DAILY))
    other = rows[4] | {name: {"close": rows[4]["low"], "volume": 7, "divCash": 0.1, "splitFactor": 2.0}[name]}
    answer = tiingo_wire.parse_daily(body_of(*rows, other))
    assert len(answer.candles) == len(rows) - 1
    assert {row.field for row in answer.rejected} == {name}
    assert len({row.value for row in answer.rejected}) == 2
    assert {row.day.isoformat() for row in answer.rejected} == {rows[4]["date"][:10]}
    assert len(answer.actions) == 0
    twins = [daily_row(divCash=cash, splitFactor=2.0) for cash in (0.1, 0.2)]
    assert len(tiingo_wire.parse_daily(body_of(*twins)).actions) == 0


def test_a_good_row_does_not_outvote_a_bad_one() -> None:
    """B4: two rows of one day, one of them impossible: the day is rejected."""
    rows = json.loads(recorded(DAILY))
    for more in ([rows[4] | {"open": 0}], [rows[4], rows[4] | {"open": 0}], [rows[4] | {"open": 0}, rows[4]]):
        answer = tiingo_wire.parse_daily(body_of(*rows, *more))
        assert len(answer.candles) == len(rows) - 1


@pytest.mark.parametrize("cells", [{"open": 0}, {"volume": -1}, {"high": None}, {"low": "n/a"}])
def test_an_action_outlives_its_rejected_row(cells: dict[str, object]) -> None:
    """G12: prices before a split depend on it, whatever is wrong with the row's prices."""
    row = daily_row(splitFactor=7.0, divCash=0.5, close=92.0) | cells
    answer = tiingo_wire.parse_daily(body_of(row))
    assert len(answer.candles) == 0
    assert [column.tolist() for column in answer.actions.columns()[1:]] == [[0.5], [7.0], [92.0]]


def test_a_split_needs_no_close_and_a_dividend_does() -> None:
    """G12: the factor of a dividend is worked out from the close of its day; without one it is not known."""
    split = tiingo_wire.parse_daily(body_of(daily_row(splitFactor=7.0, close=None))).actions
    assert (split.splits.tolist(), split.dividends.tolist()) == ([7.0], [0.0])
    assert len(tiingo_wire.parse_daily(body_of(daily_row(divCash=0.5, close=0))).actions) == 0
    assert len(tiingo_wire.parse_daily(body_of(daily_row(divCash="x", splitFactor=7.0))).actions) == 0


def test_an_hour_without_one_of_its_halves_is_none() -> None:
    """B5: the other half alone has another high, low and volume; both halves count as sent."""
    halves = json.loads(recorded(IEX))
    whole = tiingo_wire.parse_iex_half_hours(recorded(IEX))
    for place, hour in ((0, 0), (1, 0), (2, 1), (12, 6)):
        changed = [bar | ({"low": None} if n == place else {}) for n, bar in enumerate(halves)]
        answer = tiingo_wire.parse_iex_half_hours(body_of(*changed))
        assert answer.candles == whole.candles[np.arange(7) != hour]
        assert (answer.bars, answer.bars_from) == (whole.bars, whole.bars_from)
    undated = [bar | ({"date": "?"} if n == 3 else {}) for n, bar in enumerate(halves)]
    answer = tiingo_wire.parse_iex_half_hours(body_of(*undated))
    assert answer.candles == whole.candles[np.arange(7) != 1]
    nothing = tiingo_wire.parse_iex_half_hours(body_of(halves[0] | {"open": 0}))
    assert (len(nothing.candles), nothing.bars, nothing.bars_from) == (0, 1, int(whole.bars_from or 0))


def test_more_rows_than_any_range_has_are_refused() -> None:
    """E12: reading rows one by one takes time that everybody waits for."""
    with pytest.raises(VendorGarbage):
        tiingo_wire.parse_daily(b"[" + b"1," * 50_000 + b"1]")


def test_a_byte_order_mark_and_a_broken_byte_cost_nothing_else() -> None:
    """B1: the mark is no part of the reply; a byte that is no text spoils the cell it is in."""
    marked = tiingo_wire.parse_daily(b"\xef\xbb\xbf" + recorded(DAILY))
    assert marked.candles == tiingo_wire.parse_daily(recorded(DAILY)).candles
    broken = tiingo_wire.parse_daily(recorded(DAILY).replace(b"2018-01-10T", b"2018-01-1\xffT"))
    assert [row.field for row in broken.rejected] == ["date"]
    assert len(broken.candles) == len(marked.candles) - 1


@settings(deadline=None, max_examples=300)
@given(damaged([recorded(DAILY), recorded(IEX), recorded("latest_GOOGL_2018-04-12.json")]))
def test_damaged_bodies_are_refused_or_possible(body: bytes) -> None:
    """Whatever happens to a body, the outcome is a VendorGarbage or candles that can be."""
    for parse in (tiingo_wire.parse_daily, tiingo_wire.parse_iex):
        try:
            answer = parse(body)
        except VendorGarbage:
            continue
        check_possible(answer.candles)
        assert np.all(np.isfinite(answer.actions.dividends))
        assert np.all(answer.actions.splits > 0)
        assert np.all(answer.actions.closes > 0)
        assert np.all(np.diff(answer.actions.days) > 0)


@settings(deadline=None, max_examples=300)
@given(damaged([recorded(DAILY)]))
def test_damage_loses_at_most_the_rows_it_touched(body: bytes) -> None:
    """B8: every row that is still in a readable body, and that no other row contradicts, is read as ever."""
    sound = {row["date"][:10]: row for row in json.loads(recorded(DAILY))}
    try:
        answer = tiingo_wire.parse_daily(body)
        rows = json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (VendorGarbage, ValueError):
        return
    damaged_rows = [row for row in rows if row not in sound.values()]
    doubtful = {str(row.get("date"))[:10] for row in damaged_rows if isinstance(row, dict)}
    read = {datetime.fromtimestamp(time, UTC).date().isoformat() for time in answer.candles.time.tolist()}
    assert {day for day, row in sound.items() if row in rows and day not in doubtful} <= read


@settings(deadline=None)
@given(spoilt_cells(10, ["open", "high", "low", "close", "volume", "date", "divCash", "splitFactor"]), st.randoms())
def test_spoilt_cells_lose_their_own_rows(cells: dict[int, tuple[str, object]], dice: Random) -> None:
    """B8, B9: in any order, every row whose cells are as they were is read, and every other is read or named."""
    rows = json.loads(recorded(DAILY))
    for row, (name, cell) in cells.items():
        rows[row] = rows[row] | {name: cell}
    dice.shuffle(rows)
    whole = tiingo_wire.parse_daily(recorded(DAILY)).candles
    answer = tiingo_wire.parse_daily(body_of(*rows))
    untouched = [row for row in range(len(whole)) if row not in cells]
    kept = np.isin(answer.candles.time, whole.time[untouched])
    assert answer.candles[kept] == whole[np.array(untouched, np.int64)]
    assert len(answer.candles) + len(answer.rejected) >= len(whole) - sum(name == "date" for name, _ in cells.values())


@settings(deadline=None)
@given(st.integers(100, 599), st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=40)))
def test_any_reply_is_an_answer_or_a_typed_refusal(status: int, body: bytes, retry_after: str | None) -> None:
    """Reading a refusal never fails itself, and a wait is never negative."""
    refused = tiingo_wire.refusal(Reply(status, body, retry_after), ticker="AAPL", now=NOW)
    assert refused is None or isinstance(refused, OhlcacheError)
    assert refused is None or (refused.retry_after_seconds or 0.0) >= 0.0
    assert status == 200 or refused is not None


@pytest.mark.parametrize(
    "words", ["Sign in to get a token", "credentials", "You have run over your day", "API limit reached"]
)
@pytest.mark.parametrize("filling", [0, 10_000])
@pytest.mark.parametrize(
    "start", ["<!DOCTYPE html><html>", " \n<html>", "\ufeff<html>", "Welcome. ", "<?xml version='1.0'?>"]
)
def test_a_page_says_nothing_of_key_and_quota(start: str, filling: int, words: str) -> None:
    """E10: the login page of a hotel is no answer and no refusal, however short and whatever words are in it."""
    page = f"{start}<body>{words}{'.' * filling}</body></html>".encode()
    for wire in (tiingo_wire, finnhub_wire):
        assert wire.refusal(Reply(200, page), ticker="AAPL", now=NOW) is None
        for parse in (wire.parse_daily, wire.parse_found):
            with pytest.raises(VendorGarbage):
                parse(page)
        over = wire.refusal(Reply(429, page), ticker="AAPL", now=NOW)
        assert over is not None
        assert (over.retry_after_seconds or 0) <= 3600
    with pytest.raises(VendorGarbage):
        tiingo_wire.parse_sign_of_life(page)


def test_answers_are_not_refusals() -> None:
    """Status 200 with JSON is an answer, whatever a company's description talks about."""
    for name in (DAILY, IEX, "metadata_GOOGL.json"):
        assert refusal(200, recorded(name)) is None


@pytest.mark.parametrize("index", range(8))
def test_reported_error_bodies(index: int) -> None:
    """E4, E22: each error body that was ever reported is understood."""
    reported = json.loads(recorded("errors_reported.json"))[index]
    expected = {
        "Not found.": TickerNotFound,
        "not found": TickerNotFound,
        "hourly": QuotaExceeded,
        "symbol look up": QuotaExceeded,
        "resampleFreq": VendorError,
        "supply a token": BadVendorCredentials,
    }
    kinds = [kind for words, kind in expected.items() if words in reported["body"]]
    refused = refusal(reported["status"] or 200, reported["body"])
    if kinds:
        assert type(refused) is kinds[0]
    elif reported["status"] == 200:
        assert refused is None
    else:
        assert isinstance(refused, VendorError)


def test_hourly_quota_waits_for_the_full_hour() -> None:
    """E22: at 18:20 the hourly allowance is worth another try in forty minutes."""
    refused = refusal(429, '{"detail":"Error: You have run over your hourly request allocation."}')
    assert isinstance(refused, QuotaExceeded)
    assert refused.retry_after_seconds == 40 * 60


def test_a_quota_in_other_words_waits_for_the_full_hour() -> None:
    """E22: no allowance comes back sooner."""
    for body in ("", "{broken", '{"detail":"Slow down, it is Friday today."}', '{"detail":7}', '{"error":"daily"}'):
        refused = refusal(429, body)
        assert isinstance(refused, QuotaExceeded)
        assert refused.retry_after_seconds == 40 * 60


def test_daily_quota_waits_for_midnight_in_new_york() -> None:
    """E22: 14:20 in New York is 9 h 40 min before midnight."""
    refused = refusal(200, "Error: You have run over your daily request allocation.")
    assert isinstance(refused, QuotaExceeded)
    assert refused.retry_after_seconds == (9 * 60 + 40) * 60


def test_monthly_symbol_quota_says_so_and_waits_for_the_next_day() -> None:
    """T5: plain text with status 200 is a quota message, never data; no address in it is repeated."""
    text = json.loads(recorded("errors_reported.json"))[3]["body"]
    for body in (text, json.dumps({"detail": text})):
        refused = refusal(200, body)
        assert isinstance(refused, QuotaExceeded)
        assert "monthly" in refused.message
        assert "http" not in refused.message + refused.hint
        assert refused.retry_after_seconds == (9 * 60 + 40) * 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0), ("1.5", 1.5), ("0", 0.0), (" 120 ", 120.0), ("120, 300", 300.0), ("120\n300", 300.0), ("soon, 7", 7.0),
        ("Fri, 14 Jun 2024 18:21:00 GMT", 60.0), ("Fri, 14 Jun 2024 10:00:00 GMT", 0.0),
        ("Friday, 14-Jun-24 18:21:00 GMT", 60.0), ("Fri Jun 14 18:21:00 2024", 60.0), ("Fri, 14 Jun 2024 18:21:00", 60.0),
        ("Fri, 14 Jun 2024 14:21:00 -0400", 60.0), ("Fri, 14 Jun 2024 18:21:00 GMT\nFri, 14 Jun 2024 18:22:00 GMT", 120.0),
        ("999999", 86_400.0), ("Sat, 22 Jun 2024 00:00:00 GMT", 86_400.0),
        *((nonsense, 40 * 60.0) for nonsense in (
            "soon", "-5", "+5", "1e3", "nan", "inf", "١٢", "0x10", "", ",", "99999999", "9" * 300, "12:00", "1 hour", "\x00",
            "Fri, 14 Jun 9999 18:21:00 GMT", "Fri, 99 Jun 2024 18:21:00 GMT", "Fri, 14 Jun 99999 18:21:00 GMT",
        )),
    ],
)  # fmt: skip
def test_retry_after_is_honoured(header: str, seconds: float) -> None:
    """F4: seconds or an HTTP date, the longest of several, a day at most; nonsense falls back to what the message says."""
    refused = refusal(429, '{"detail":"hourly"}', header)
    assert isinstance(refused, QuotaExceeded)
    assert refused.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"detail":"Invalid token."}', BadVendorCredentials),
        (403, '{"detail":"Authentication credentials were not provided."}', BadVendorCredentials),
        (403, '{"detail":"You do not have permission to access the News API"}', NotEntitled),
        (400, "{\"detail\":\"Error: resampleFreq must be in 'Min' or 'Hour' only\"}", VendorError),
        (500, "<html>", VendorUnavailable),
        (502, "", VendorUnavailable),
        (408, "", VendorUnavailable),
        (400, "", VendorError),
        (200, "Please supply a token", BadVendorCredentials),
        (400, '{"detail":"Please supply a token"}', BadVendorCredentials),
        (401, "<html>", BadVendorCredentials),
        (404, "<html><h1>404</h1></html>", VendorGarbage),
        (403, "<html>A token is needed.</html>", NotEntitled),
        (400, "<html>token</html>", VendorError),
        (418, "short and stout", VendorError),
    ],
)
def test_statuses(status: int, body: str, kind: type[VendorError]) -> None:
    """E3, E5, E10: each refusal has its own type."""
    assert type(refusal(status, body)) is kind


def test_not_found_names_the_ticker_and_says_check() -> None:
    """E20: 404 names the ticker; the hint says what to do."""
    refused = refusal(404, '{"detail":"Error: Ticker \'zzzz\' not found"}', ticker="ZZZZ")
    assert isinstance(refused, TickerNotFound)
    assert "ZZZZ" in refused.message
    assert "check" in refused.hint
