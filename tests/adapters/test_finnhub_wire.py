"""What Finnhub says is read to the bit, and what it cannot mean is refused."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mutations import damaged, spoilt_cells
from adapters.vendor_rig import RECORDED
from ohlcache.adapters.vendors import finnhub_wire
from ohlcache.adapters.vendors.vendor_http import Reply
from ohlcache.domain.candles import check_possible
from ohlcache.domain.errors import (
    BadVendorCredentials,
    NotEntitled,
    OhlcacheError,
    QuotaExceeded,
    VendorError,
    VendorGarbage,
    VendorUnavailable,
)
from ohlcache.domain.market_time import NEW_YORK
from ohlcache.testing.clock import instant_of

NOW = instant_of("2024-06-14T18:20:00Z")
DAILY = ["daily_AAPL_2021-09-07_2021-09-22.json", "daily_AAPL_2023-07-05_2023-07-06.json"]
AT_THE_OPEN = "daily_SPY_2020-06-08_2020-06-12.json"
MINUTES = "minutes_2019-11-04_after_hours.json"
SPLITS_SINCE_2012 = 28  # 7:1 in 2014 and 4:1 in 2020


def recorded(name: str) -> bytes:
    return (RECORDED / "finnhub" / name).read_bytes()


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(recorded(DAILY[1])) | changes).encode()


def refusal(status: int, body: str, retry_after: str | None = None) -> OhlcacheError | None:
    return finnhub_wire.refusal(Reply(status, body.encode(), retry_after), ticker="AAPL", now=NOW)


@pytest.mark.parametrize("name", [*DAILY, AT_THE_OPEN])
def test_recorded_daily_prices_are_exact_to_the_bit(name: str) -> None:
    """B1: the floats of the wire, integers among them, and the volumes."""
    wire = json.loads(recorded(name))
    candles = finnhub_wire.parse_daily(recorded(name)).candles
    for letter, column in zip("ohlcv", ("open", "high", "low", "close", "volume"), strict=True):
        assert getattr(candles, column).tolist() == wire[letter]


@pytest.mark.parametrize(
    ("name", "first"), [(DAILY[0], "2021-09-07"), (DAILY[1], "2023-07-05"), (AT_THE_OPEN, "2020-06-08")]
)
def test_daily_stamps_become_midnight_utc_of_the_market_date(name: str, first: str) -> None:
    """B6: 00:00 UTC in 2021 and 2023, 13:30 UTC in 2020: the same market date."""
    candles = finnhub_wire.parse_daily(recorded(name)).candles
    assert np.all(candles.time % 86_400 == 0)
    assert datetime.fromtimestamp(int(candles.time[0]), UTC).date().isoformat() == first


def test_a_stamp_that_belongs_to_no_market_date_is_rejected() -> None:
    """B6: 02:00 UTC is neither midnight nor within the day of New York; whose row it is follows from its neighbours."""
    answer = finnhub_wire.parse_daily(changed(t=[1688515200 + 7200, 1688601600]))
    assert answer.candles.time.tolist() == [1688601600]
    (row,) = answer.rejected
    assert (row.field, row.value, row.between) == ("t", "1688522400", (None, 1688601600))


def test_extended_hours_are_kept_as_received() -> None:
    """B6, B12: minutes after the close come out as they came in, holes included."""
    wire = json.loads(recorded(MINUTES))
    candles = finnhub_wire.parse_intraday(recorded(MINUTES)).candles
    assert candles.time.tolist() == wire["t"]
    assert candles.volume.tolist() == wire["v"]


def test_daily_prices_are_divided_by_later_splits_and_intraday_ones_are_not() -> None:
    """G12: the 2012 day times 28 has the prices of its own hours; its volume is the day's raw one."""
    text = (RECORDED / "finnhub" / "daily_AAPL_2012-01-03_2012-01-11.csv").read_text()
    hours = (RECORDED / "finnhub" / "hours_AAPL_2012-01-03_partial.csv").read_text()
    day = next(csv.DictReader(text.splitlines()))
    raw = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(hours.splitlines())]
    assert float(day["c"]) * SPLITS_SINCE_2012 == pytest.approx(411.23, abs=0.01)
    assert float(day["l"]) * SPLITS_SINCE_2012 - 2 < raw[-1]["l"] < float(day["h"]) * SPLITS_SINCE_2012
    assert int(day["v"]) == 10_794_967


def test_no_data_is_an_empty_answer() -> None:
    """T5: nothing to give is no error, and no data either."""
    answer = finnhub_wire.parse_daily(recorded("no_data.json"))
    assert len(answer.candles) == 0
    assert answer.listing is None
    assert len(finnhub_wire.parse_daily(b'{"c":[],"h":[],"l":[],"o":[],"s":"no_data","t":[],"v":[]}').candles) == 0


@pytest.mark.parametrize("volume", [None, [None, None], [0, 0.0]])
def test_volume_is_zero_where_there_is_none(volume: list[float] | None) -> None:
    """B2, F8: absent, null or zero: 0."""
    assert finnhub_wire.parse_daily(changed(v=volume)).candles.volume.tolist() == [0, 0]


def test_volume_has_no_32_bits() -> None:
    """B7: above 2^31, float or integer."""
    assert finnhub_wire.parse_daily(changed(v=[6e9, 7_000_000_000])).candles.volume.tolist() == [6 * 10**9, 7 * 10**9]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'"ok"', b'{"s":"ok"}', b'{"s":"maybe"}', b"\xff", b'{"s":"ok","t":[]',
        changed(s="error"), changed(c=[1.0]), changed(t=[1688515200]), changed(o=None), changed(v=[1]), changed(t="x"),
        changed(c={"0": 1, "1": 2}), changed(v="many"), b"[" * 100_000, b'{"s":' * 100_000,
        b'{"s":"ok","t":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_set_of_columns_is_refused(body: bytes) -> None:
    """B8, B10: wrong shapes, columns of unequal length, cut-off JSON, brackets without end: a typed error."""
    for parse in (finnhub_wire.parse_daily, finnhub_wire.parse_intraday, finnhub_wire.parse_found):
        with pytest.raises(VendorGarbage):
            parse(body)
    assert isinstance(finnhub_wire.refusal(Reply(200, body, None), ticker="AAPL", now=NOW), OhlcacheError | None)


BAD_CELLS: list[tuple[str, object, str]] = [
    ("o", 0, "0"), ("o", -1.0, "-1"), ("c", None, "null"), ("c", "191", '"191"'), ("c", float("nan"), "nan"),
    ("h", 1.0, "1"), ("l", [], "(a list)"), ("l", True, "true"), ("v", -1, "-1"), ("v", 10**30, "1" + "0" * 30),
    ("v", "n/a", '"n/a"'), ("t", None, "null"), ("t", 1688515200000, "1688515200000"), ("t", 10**30, "1" + "0" * 30),
    ("t", 1688515200.5, "1688515200.5"), ("t", "2023-07-05", '"2023-07-05"'),
]  # fmt: skip


@pytest.mark.parametrize(("field", "cell", "value"), BAD_CELLS)
@pytest.mark.parametrize("place", [0, 5, 11])
def test_a_bad_cell_rejects_its_row_alone(field: str, cell: object, value: str, place: int) -> None:
    """B4, B5, B8, B9: every other row is read as ever; the row is named by the wire's own word and the value."""
    wire = json.loads(recorded(DAILY[0]))
    whole = finnhub_wire.parse_daily(recorded(DAILY[0])).candles
    wire[field][place] = cell
    for parse in (finnhub_wire.parse_daily, finnhub_wire.parse_intraday):
        answer = parse(json.dumps(wire).encode())
        assert answer.candles == whole[np.arange(len(whole)) != place]
        (row,) = answer.rejected
        assert (row.field, row.value) == (field, value)
        assert row.dated == (field != "t")
        assert (
            field == "t"
            or row.day == datetime.fromtimestamp(int(whole.time[place]), NEW_YORK if row.time else UTC).date()
        )


def test_columns_out_of_order_are_sorted_and_twins_are_one() -> None:
    """B4: backwards is the same; of two rows of one time that are alike one is taken, of two that differ none."""
    wire = json.loads(recorded(DAILY[0]))
    whole = finnhub_wire.parse_daily(recorded(DAILY[0])).candles
    backwards = {name: column[::-1] if isinstance(column, list) else column for name, column in wire.items()}
    assert finnhub_wire.parse_daily(json.dumps(backwards).encode()).candles == whole
    twice = {name: [*column, column[3]] if isinstance(column, list) else column for name, column in wire.items()}
    answer = finnhub_wire.parse_daily(json.dumps(twice).encode())
    assert (answer.candles, answer.rejected) == (whole, ())
    twice["c"][-1] = twice["l"][-1]
    answer = finnhub_wire.parse_daily(json.dumps(twice).encode())
    assert answer.candles == whole[np.arange(len(whole)) != 3]
    assert {row.field for row in answer.rejected} == {"c"}


@settings(deadline=None, max_examples=300)
@given(damaged([recorded(name) for name in (*DAILY, AT_THE_OPEN, MINUTES, "no_data.json")]))
def test_damaged_bodies_are_refused_or_possible(body: bytes) -> None:
    """Whatever happens to a body, the outcome is a VendorGarbage or candles that can be."""
    for parse in (finnhub_wire.parse_daily, finnhub_wire.parse_intraday):
        try:
            check_possible(parse(body).candles)
        except VendorGarbage:
            continue


@settings(deadline=None)
@given(spoilt_cells(12, list("tohlcv")))
def test_spoilt_cells_lose_their_own_rows(cells: dict[int, tuple[str, object]]) -> None:
    """B8, B9: every row whose cells are as they were is read, and every other is read or named."""
    wire = json.loads(recorded(DAILY[0]))
    whole = finnhub_wire.parse_daily(recorded(DAILY[0])).candles
    for row, (name, cell) in cells.items():
        wire[name][row] = cell
    answer = finnhub_wire.parse_daily(json.dumps(wire).encode())
    untouched = [row for row in range(len(whole)) if row not in cells]
    kept = np.isin(answer.candles.time, whole.time[untouched])
    assert answer.candles[kept] == whole[np.array(untouched, np.int64)]
    undated = sum(name == "t" for name, _ in cells.values())
    assert len(answer.candles) + len(answer.rejected) >= len(whole) - undated


@settings(deadline=None)
@given(st.integers(100, 599), st.binary(max_size=200), st.one_of(st.none(), st.text(max_size=40)))
def test_any_reply_is_an_answer_or_a_typed_refusal(status: int, body: bytes, retry_after: str | None) -> None:
    """Reading a refusal never fails itself."""
    refused = finnhub_wire.refusal(Reply(status, body, retry_after), ticker="AAPL", now=NOW)
    assert refused is None or isinstance(refused, OhlcacheError)
    assert status == 200 or refused is not None


def test_reported_error_bodies() -> None:
    """E22, E23: what was reported over the years is understood, the mistaken 429 of a missing key included."""
    reported = json.loads(recorded("errors_reported.json"))
    kinds = [type(refusal(entry["status"], entry["body"])) for entry in reported]
    assert kinds == [NotEntitled, NotEntitled, QuotaExceeded, QuotaExceeded, BadVendorCredentials]


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, '{"error":"Invalid API key"}', BadVendorCredentials),
        (401, "", BadVendorCredentials),
        (429, '{"error":"API limit reached. Please sign up for a free account."}', BadVendorCredentials),
        (429, "<html>sign up</html>", QuotaExceeded),
        (404, "<html>", VendorError),
        (400, "<html>sign up</html>", VendorError),
        (403, "", NotEntitled),
        (200, '{"error":"You don\'t have access to this resource."}', NotEntitled),
        (200, "API limit reached. Please try again later.", QuotaExceeded),
        (422, '{"error":"Wrong parameters."}', VendorError),
        (500, "<html>", VendorUnavailable),
    ],
)
def test_statuses(status: int, body: str, kind: type[VendorError]) -> None:
    """E3, E10: each refusal has its own type."""
    assert type(refusal(status, body)) is kind


def test_the_limit_is_by_the_minute_unless_told() -> None:
    """F4: a minute, or what Retry-After says."""
    body = '{"error":"API limit reached. Please try again later. Remaining Limit: 0"}'
    waits = [refusal(429, body), refusal(429, body, "7")]
    assert [refused and refused.retry_after_seconds for refused in waits] == [60.0, 7.0]


def test_an_answer_is_no_refusal() -> None:
    """Status 200 with columns is an answer."""
    assert refusal(200, recorded(DAILY[0]).decode()) is None


def test_search_results_leave_out_foreign_exchanges_without_a_ticker_here() -> None:
    """Symbols that cannot be tickers are left out; a description is the name."""
    body = b'{"count":2,"result":[{"symbol":"AAPL","description":"APPLE INC"},{"symbol":"X:Y Z","description":"?"}]}'
    (info,) = finnhub_wire.parse_found(body)
    assert (info.ticker, info.name) == ("AAPL", "APPLE INC")
