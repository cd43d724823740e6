"""Tiingo's own paths: what a client written for Tiingo gets from here is what it gets from there, for fewer calls."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import math
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from http_process import end, launch
from http_world import AFTER_THE_CLOSE, MARKET
from tiingo import TiingoClient
from tiingo.restclient import RestClientError

import ohlcache
from ohlcache.domain.candles import Candles
from ohlcache.domain.resolution import Resolution
from ohlcache.domain.span import Span
from ohlcache.testing import FakeClock, Fault
from ohlcache.testing.fake_vendor import PRE_ADJUSTED_TRAITS
from ohlcache.testing.market import Hours
from ohlcache.testing.tiingo_bodies import Asked, daily, intraday, latest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ohlcache.domain.observation import VendorAnswer

NOW = FakeClock(AFTER_THE_CLOSE).now()
PRICES = "/tiingo/daily/AAPL/prices"
BARS = "/iex/AAPL/prices"
DECADE = Span(date(2014, 6, 2), date(2024, 5, 31))
"""Two splits and forty dividends of the generated AAPL."""


def asked(ticker: str = "AAPL") -> Asked:
    return Asked(MARKET, ticker, NOW, {})


def same(mine: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> bool:
    """Whether rows are equal: names and their order, types, and numbers but for the vendor's rounding of adjusted ones."""
    assert [list(row) for row in mine] == [list(row) for row in theirs]
    for own, other in zip(mine, theirs, strict=True):
        for name, value in own.items():
            assert type(value) is type(other[name]), name
            rounded = name.startswith("adj") and isinstance(value, float)
            assert math.isclose(value, other[name], rel_tol=1e-9) if rounded else value == other[name], (own, other)
    return True


# --- end of day ----------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("ticker", ["AAPL", "BRK.B", "TWTR"])
async def test_daily_rows_are_tiingos(world: Any, ticker: str) -> None:
    """G4: raw and adjusted prices, dividends and splits, named, ordered and typed as the vendor's own answer."""
    spelled = ticker.replace(".", "-").lower()
    reply = await world.driver.get(f"/tiingo/daily/{spelled}/prices?startDate={DECADE.start}&endDate={DECADE.end}")
    assert reply.status == 200
    assert same(reply.json, json.loads(daily(asked(ticker), DECADE)))
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-cache-complete"] == "true"


@pytest.mark.asyncio(loop_scope="function")
async def test_without_dates_the_newest_row_comes(world: Any) -> None:
    """One row, its columns by name and its date in the other form, as recorded; of a delisted ticker its last one."""
    assert same((await world.driver.get(PRICES)).json, json.loads(latest(asked())))
    assert len(world.vendor.calls) == 1
    assert same((await world.driver.get("/tiingo/daily/TWTR/prices")).json, json.loads(latest(asked("TWTR"))))
    weekly = (await world.driver.get(f"{PRICES}?resampleFreq=weekly&sort=-date")).json
    assert [row["date"] for row in weekly] == ["2024-06-07T00:00:00+00:00"]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_row_is_of_one_word_of_the_vendor(world: Any) -> None:
    """Raw and adjusted prices of a row belong together, though another process had the vendor's correction fetched."""
    target = f"{PRICES}?startDate=2024-05-06&endDate=2024-05-10"

    def tenfold(answer: VendorAnswer) -> VendorAnswer:
        columns = answer.candles.columns()
        prices = [column * 10 for column in columns[1:5]]
        return replace(answer, candles=Candles(columns[0], *prices, columns[5]))

    world.vendor.after = tenfold
    await world.driver.get("/api/v2/tickers/AAPL/ohlc?start_date=2024-05-06&end_date=2024-05-10&adjust=all")
    world.vendor.after = None
    other = world.new_cache()
    await other.invalidate_all_caches("AAPL")
    await other.get(other.parse("AAPL", range="1M"))
    right = json.loads(daily(asked(), Span(date(2024, 5, 6), date(2024, 5, 10))))
    assert same((await world.driver.get(target)).json, right)


@pytest.mark.asyncio(loop_scope="function")
async def test_any_ranges_cost_one_call(world: Any) -> None:
    """E2: raw and adjusted, narrow and wide, this API's paths and the other's: one vendor call in all."""
    for start in ("2024-05-01", "2024-01-02", "2023-08-01", "2024-05-31"):
        assert (await world.driver.get(f"{PRICES}?startDate={start}")).status == 200
    await world.driver.get("/api/v2/tickers/AAPL/ohlc?range=3M")
    assert len(world.vendor.calls) == 1


@pytest.mark.asyncio(loop_scope="function")
async def test_a_hit_is_kept_encoded(world: Any) -> None:
    """The second answer comes from memory, the same to the byte, and a caller who has it is told so."""
    target = f"{PRICES}?startDate=2024-01-02&token=abc"
    first = await world.driver.get(target)
    second = await world.driver.get(target.replace("abc", "def"), accept_encoding="gzip")
    assert (first.headers["x-cache-source"], second.headers["x-cache-source"]) == ("tiingo", "in-memory")
    assert second.headers["content-encoding"] == "gzip"
    assert second.plain == first.body
    third = await world.driver.get(target, if_none_match=first.headers["etag"])
    assert (third.status, third.body) == (304, b"")


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize("frequency", ["weekly", "monthly", "annually"])
async def test_longer_periods_are_made_of_days(world: Any, frequency: str) -> None:
    """Rows of weeks (to Friday), months and years, whole also where the dates cut them."""

    def period_end(day: date) -> date:
        if frequency == "weekly":
            return day + timedelta(days=4 - day.weekday())
        following = date(day.year + 1, 1, 1) if frequency == "annually" else (day.replace(day=1) + timedelta(days=32))
        return following.replace(day=1) - timedelta(days=1)

    span = Span(date(2019, 12, 18), date(2020, 11, 11))
    reply = await world.driver.get(f"{PRICES}?startDate={span.start}&endDate={span.end}&resampleFreq={frequency}")
    periods: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in json.loads(daily(asked(), Span(date(2018, 1, 1), date(2021, 12, 31)))):
        day = date.fromisoformat(row["date"][:10])
        periods[period_end(day)].append(row)
    wanted = [end for end in periods if period_end(span.start) <= end <= period_end(span.end)]
    assert [row["date"] for row in reply.json] == [f"{end}T00:00:00.000Z" for end in wanted]
    assert len(reply.json) == {"weekly": 48, "monthly": 12, "annually": 2}[frequency]
    for row, end_of in zip(reply.json, wanted, strict=True):
        days = periods[end_of]
        for prefix in ("", "adj"):
            name = lambda word, prefix=prefix: prefix + word.capitalize() if prefix else word  # noqa: E731
            assert row[name("open")] == pytest.approx(days[0][name("open")], rel=1e-9)
            assert row[name("close")] == pytest.approx(days[-1][name("close")], rel=1e-9)
            assert row[name("high")] == pytest.approx(max(day[name("high")] for day in days), rel=1e-9)
            assert row[name("low")] == pytest.approx(min(day[name("low")] for day in days), rel=1e-9)
            assert row[name("volume")] == sum(day[name("volume")] for day in days)
        assert row["divCash"] == pytest.approx(sum(day["divCash"] for day in days))
        assert row["splitFactor"] == math.prod(day["splitFactor"] for day in days)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_week_does_not_begin_on_a_weekend(world: Any) -> None:
    """From a Sunday on, the week before is not asked for; to a Sunday, the week after is not."""
    reply = await world.driver.get(f"{PRICES}?startDate=2024-05-19&endDate=2024-05-26&resampleFreq=weekly")
    assert [row["date"][:10] for row in reply.json] == ["2024-05-24"]


@pytest.mark.asyncio(loop_scope="function")
async def test_csv_and_columns_and_order(world: Any) -> None:
    """CSV has the JSON's rows under plain dates; columns come as named, rows newest first where asked."""
    target = f"{PRICES}?startDate=2024-05-20&endDate=2024-05-24"
    rows = (await world.driver.get(target)).json
    reply = await world.driver.get(f"{target}&format=csv")
    assert reply.headers["content-type"] == "text/csv"
    read = list(csv.DictReader(io.StringIO(reply.plain.decode())))
    assert [row["date"] for row in read] == ["2024-05-20", "2024-05-21", "2024-05-22", "2024-05-23", "2024-05-24"]
    for name in rows[0].keys() - {"date"}:
        assert [float(row[name]) for row in read] == [row[name] for row in rows]
    chosen = (await world.driver.get(f"{target}&columns=adjClose,close&sort=-date")).json
    assert chosen == [{name: row[name] for name in ("date", "adjClose", "close")} for row in reversed(rows)]
    assert (await world.driver.get(f"{target}&columns=date")).json == [{"date": row["date"]} for row in rows]


@pytest.mark.asyncio(loop_scope="function")
async def test_dates_as_clients_write_them(world: Any) -> None:
    """Without leading zeros, with a time, beyond today and before the calendar: all are understood."""
    exact = (await world.driver.get(f"{PRICES}?startDate=2024-05-06&endDate=2024-06-03")).json
    assert (await world.driver.get(f"{PRICES}?startDate=2024-5-6&endDate=2024-06-03T00:00:00")).json == exact
    assert (await world.driver.get(f"{PRICES}?startDate=2024-05-06&endDate=2024-12-31")).json == exact
    assert (await world.driver.get(f"{PRICES}?startDate=2024-05-06")).json == exact
    assert (await world.driver.get(f"{PRICES}?startDate=1900-01-01&columns=close")).json[0]["date"] < "1981"
    for frequency in ("daily", "weekly", "monthly", "annually"):
        whole = await world.driver.get(f"{PRICES}?startDate=2024-05-06&endDate=9999-12-31&resampleFreq={frequency}")
        assert (whole.status, whole.json[-1]["close"]) == (200, exact[-1]["close"])
    for nothing in ("startDate=2030-01-01", "startDate=2024-05-25&endDate=2024-05-26"):
        reply = await world.driver.get(f"{PRICES}?{nothing}")
        assert (reply.status, reply.json) == (200, [])


# --- minutes -------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="function")
async def test_bars_are_tiingos(world: Any) -> None:
    """Bars of the session by their start, without volume unless it is named, then as a float."""
    span = Span(date(2024, 5, 30), date(2024, 6, 3))
    for columns in (("close", "high", "low", "open"), ("open", "high", "low", "close", "volume")):
        named = f"&columns={','.join(columns)}" if "volume" in columns else ""
        reply = await world.driver.get(
            f"{BARS}?startDate={span.start}&endDate={span.end}&resampleFreq=30Min&afterHours=false{named}"
        )
        theirs = intraday(asked(), Resolution.MINUTES_30, span, columns, Hours.REGULAR)
        assert same(reply.json, json.loads(theirs))
    newest = (await world.driver.get(BARS)).json
    assert (newest[0]["date"], len(newest)) == ("2024-06-03T13:30:00.000Z", 78)
    lines = (await world.driver.get(f"{BARS}?format=csv&sort=-date")).plain.decode().splitlines()
    assert (lines[0], lines[1][:24]) == ("date,close,high,low,open", "2024-06-03T19:55:00.000Z")


@pytest.mark.asyncio(loop_scope="function")
async def test_days_never_stand_in_for_bars(world: Any) -> None:
    """What answers with daily candles elsewhere is a failure here: a client would take them for bars."""
    world.vendor.before = refuse_minutes
    assert (await world.driver.get("/api/v2/tickers/AAPL/ohlc?range=1W&resolution=5")).json["resolution_fallback"]
    reply = await world.driver.get(f"{BARS}?startDate=2024-05-28")
    assert (reply.status, list(reply.json)) == (503, ["detail"])


async def refuse_minutes(series: Any, span: Any) -> None:
    if not series.resolution.is_daily:
        raise ohlcache.VendorUnavailable("Only days today.")


# --- the rest ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="function")
async def test_metadata_search_and_the_sign_of_life(world: Any) -> None:
    """A ticker's dates and name, remembered for the day; what a search box asks; and the probe of a new key."""
    reply = await world.driver.get("/tiingo/daily/brk-b")
    listing = MARKET.listing("BRK.B", NOW)
    assert listing is not None
    assert reply.json == {
        "ticker": "BRK-B",
        "name": MARKET.stocks["BRK.B"].name,
        "exchangeCode": None,
        "description": None,
        "startDate": str(listing.start),
        "endDate": str(listing.end),
    }
    assert (await world.driver.get("/tiingo/utilities/search/brk")).json[0]["ticker"] == "BRK-B"
    found = (await world.driver.get("/tiingo/utilities/search?query=brk")).json
    assert found == [{"ticker": "BRK-B", "name": MARKET.stocks["BRK.B"].name, "assetType": "Stock"}]
    assert (await world.driver.get("/api/test")).json == {"message": "You successfully sent a request"}
    assert (await world.driver.get("/tiingo/daily/NOPE")).status == 404


@pytest.mark.asyncio(loop_scope="function")
async def test_metadata_is_asked_for_once_a_day(world: Any) -> None:
    """A herd costs one call for its candles and one for its dates, and so does a day; a new row is told at once."""
    world.clock.set("2024-06-03T16:00:00Z")
    replies = await asyncio.gather(*(world.driver.get("/tiingo/daily/MSFT") for _ in range(20)))
    assert {reply.body for reply in replies} == {replies[0].body}
    assert (replies[0].json["startDate"], replies[0].json["endDate"]) == (
        str(MARKET.stocks["MSFT"].listed),
        "2024-05-31",
    )
    assert world.vendor.asked == 2
    world.clock.set("2024-06-03T22:00:00Z")
    assert (await world.driver.get("/tiingo/daily/MSFT")).json["endDate"] == "2024-06-03"
    assert world.vendor.asked == 3


@pytest.mark.asyncio(loop_scope="function")
@pytest.mark.parametrize(
    ("target", "status", "said"),
    [
        ("/tiingo/daily/NOPE/prices", 404, "NOPE"),
        (f"{PRICES}?startDate=2024-02-30", 400, "startDate is not a date"),
        (f"{PRICES}?startDate=2024-05-10&endDate=2024-05-01", 400, "after endDate"),
        (f"{PRICES}?endDate=2024-05-01", 400, "needs a startDate"),
        (f"{PRICES}?resampleFreq=hourly", 400, "weekly"),
        (f"{PRICES}?format=xml", 400, "format=csv"),
        (f"{PRICES}?startDate=2024-05-10&columns=close,bid", 400, "'bid'"),
        (f"{PRICES}?startDate=2024-05-10&sort=close", 400, "sort=-date"),
        (f"{BARS}?resampleFreq=7min", 400, "15min"),
        (f"{BARS}?afterHours=true", 400, "afterHours"),
        (f"{BARS}?startDate=2014-01-01&resampleFreq=1min", 400, "candles"),
        ("/iex/?tickers=AAPL", 404, "path"),
        ("/tiingo/news", 404, "path"),
        (f"{PRICES}?{'&'.join(f'p{n}=1' for n in range(40))}", 400, "parameters"),
    ],
)
async def test_what_is_refused(world: Any, target: str, status: int, said: str) -> None:
    """Whatever cannot be had is a sentence in ``detail``, where Tiingo's clients look for it."""
    reply = await world.driver.get(target)
    assert (reply.status, list(reply.json)) == (status, ["detail"])
    assert said in reply.json["detail"]


@pytest.mark.asyncio(loop_scope="function")
async def test_a_quota_is_passed_on(world: Any) -> None:
    """F.4: 429 with Retry-After."""
    world.vendor.faults.set(Fault.TOO_MANY)
    reply = await world.driver.get(f"{PRICES}?startDate=2024-05-10")
    assert (reply.status, list(reply.json)) == (429, ["detail"])
    assert int(reply.headers["retry-after"]) > 0
    assert (await world.driver.get("/tiingo/daily/IBM")).status == 429


@pytest.mark.asyncio(loop_scope="function")
async def test_a_source_without_raw_prices_is_told(world: Any) -> None:
    """Rows with raw and adjusted prices cannot be had from a vendor that adjusts them itself."""
    world.vendor.traits = PRE_ADJUSTED_TRAITS
    reply = await world.driver.get(f"{PRICES}?startDate=2024-05-10")
    assert reply.status == 403
    assert "raw" in reply.json["detail"]
    assert (await world.driver.get("/tiingo/daily/AAPL")).status == 200


@pytest.mark.asyncio(loop_scope="function")
async def test_keys_as_tiingos_clients_send_them(make_world: Callable[..., Any]) -> None:
    """S1, E23: ``Authorization: Token`` or ``?token=``, on these paths only, and in no log line."""
    world = await make_world(api_keys=("the-key",))
    for target in (PRICES, BARS, "/api/test", "/tiingo/daily/AAPL", "/tiingo/utilities/search?query=a"):
        joined = f"{target}{'&' if '?' in target else '?'}token="
        assert (await world.driver.get(target)).status == 401
        assert (await world.driver.get(target, authorization="Token wrong-key")).status == 401
        assert (await world.driver.get(joined + "wrong-key")).status == 401
        assert (await world.driver.get(target, authorization="Token the-key")).status == 200
        assert (await world.driver.get(joined + "the-key")).status == 200
    assert (await world.driver.get("/api/v2/status?token=the-key")).status == 401
    assert "the-key" not in world.telemetry.text()
    assert "wrong-key" not in world.telemetry.text()


# --- a real client --------------------------------------------------------------------------------------------------


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TiingoClient]:
    """Provide a client made for api.tiingo.com, pointed at a server of ours with the sample in it."""
    server = launch(tmp_path)
    try:
        made = TiingoClient({"api_key": "whatever", "session": True})
        made._base_url = f"http://127.0.0.1:{server.ready()}"
        yield made
        made._session.close()
    finally:
        end(server)


@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_tiingos_own_client_works(client: TiingoClient) -> None:
    """The client library that is most in use gets frames, rows, CSV and metadata, and the errors that it knows."""
    frame = client.get_dataframe("AAPL", startDate="2014-01-01", endDate="2014-12-31")
    with ohlcache.connect_sync(source="sample", store="memory") as cache:
        raw, adjusted = (
            cache.get("AAPL", start="2014-01-01", end="2014-12-31", adjust=adjust) for adjust in ("none", "all")
        )
    assert len(frame) == 252
    for name in ("open", "high", "low", "close", "volume"):
        assert frame[name].tolist() == getattr(raw, name).tolist()
        assert frame[f"adj{name.capitalize()}"].tolist() == getattr(adjusted, name).tolist()
    assert frame["splitFactor"].prod() == 7
    assert (frame["divCash"] > 0).sum() == 4
    weekly = client.get_dataframe(
        ["AAPL", "IBM"], metric_name="adjClose", startDate="2014-06-02", endDate="2014-06-30", frequency="weekly"
    )
    assert weekly.shape == (5, 2)
    bars = client.get_dataframe("IBM", startDate="2014-06-05", endDate="2014-06-06", frequency="30min")
    assert len(bars) == 26
    assert client.get_ticker_price("MSFT")[0]["date"] == "2014-12-31T00:00:00+00:00"
    assert client.get_ticker_price("MSFT", fmt="csv", startDate="2014-12-30").count("\n") == 3
    assert client.get_ticker_metadata("BRK-A")["endDate"] == "2014-12-31"
    with pytest.raises(RestClientError, match="404"):
        client.get_ticker_price("NOPE")


def test_a_herd_of_clients(client: TiingoClient) -> None:
    """L.4: many at once get the same, and it came from the source once."""

    async def herd() -> list[Any]:
        ask = lambda: client.get_ticker_price("IBM", startDate="2010-01-01", endDate="2014-12-31")  # noqa: E731
        return await asyncio.gather(*(asyncio.to_thread(ask) for _ in range(12)))

    answers = asyncio.run(herd())
    assert all(answer == answers[0] for answer in answers)
    status = client._request("GET", "api/v2/status").json()
    assert status["vendor"]["calls"] == 1
