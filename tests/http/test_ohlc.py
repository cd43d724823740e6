"""``GET …/ohlc``: what is in an answer, and that it is the same whoever gives it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from http_world import CALENDAR, World

from ohlcache.adapters.vendors.sample import SampleVendor

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio(loop_scope="function")

YEAR = "/api/v2/tickers/AAPL/ohlc?range=1Y"
FIVE_MINUTES = "/api/v2/tickers/AAPL/ohlc?range=1W&resolution=5"
FIELDS = [
    "ticker", "candles", "time_range", "start_date", "end_date", "count", "source", "cache_expires_at", "resolution",
    "resolution_fallback", "fallback_message", "adjustment", "expected", "known_empty", "forming", "complete",
    "missing", "calendar_version", "data_until", "synthetic", "stale",
    "stale_reason", "missing_reason", "previous_close", "listed_on", "unadjusted_splits",
]  # fmt: skip


async def test_fields_come_in_the_documented_order(world: Any) -> None:
    """An answer has exactly the documented fields, in their order; candles too."""
    reply = await world.driver.get(YEAR)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    assert list(reply.json) == FIELDS
    assert list(reply.json["candles"][0]) == ["date", "open", "high", "low", "close", "volume"]
    assert reply.json["count"] == reply.json["expected"] == len(reply.json["candles"]) > 250
    assert reply.json["complete"]


async def test_prices_are_exact_to_the_bit(world: Any) -> None:
    """B1: every price reads back as the float that the walk gave."""
    reply = await world.driver.get(YEAR)
    cache = world.app.lifecycle.cache
    candles = (await cache.get(cache.parse("AAPL", range="1Y"))).answer.candles
    for name in ("open", "high", "low", "close", "volume"):
        assert [row[name] for row in reply.json["candles"]] == getattr(candles, name).tolist()


async def test_what_changes_are_counted_from(world: Any) -> None:
    """G12: the close before on the scale of the candles, and the splits that they are not adjusted for."""
    span = "/api/v2/tickers/AAPL/ohlc?start_date=2020-08-31&end_date=2020-09-04"
    wide = (
        await world.driver.get("/api/v2/tickers/AAPL/ohlc?start_date=2020-08-28&end_date=2020-08-31&adjust=none")
    ).json
    friday = wide["candles"][0]["close"]
    assert wide["unadjusted_splits"] == [{"date": "2020-08-31", "ratio": 4.0}]
    raw = await world.driver.get(f"{span}&adjust=none&format=columns")
    adjusted = await world.driver.get(f"{span}&adjust=splits&format=columns")
    assert (raw.json["previous_close"], raw.json["unadjusted_splits"]) == (friday, wide["unadjusted_splits"])
    assert (adjusted.json["previous_close"], adjusted.json["unadjusted_splits"]) == (friday / 4, [])
    new = (await world.driver.get("/api/v2/tickers/NEWCO/ohlc?range=6M")).json
    assert (new["previous_close"], new["listed_on"]) == (None, "2024-03-21")


async def test_dates_are_days_or_utc_instants(world: Any) -> None:
    """B6: a daily candle is dated by its market date, an intraday one by the instant at which its bar starts."""
    daily = await world.driver.get(YEAR)
    assert daily.json["candles"][-1]["date"] == "2024-06-03"
    minutes = await world.driver.get(FIVE_MINUTES)
    dates = [row["date"] for row in minutes.json["candles"]]
    assert dates == sorted(dates)
    assert dates[-78:][0] == "2024-06-03T13:30:00Z"
    assert dates[-1] == "2024-06-03T19:55:00Z"


@pytest.mark.parametrize("target", [YEAR, FIVE_MINUTES, "/api/v2/tickers/AAPL/ohlc?range=5Y"])
async def test_every_tier_answers_the_same_bytes(world: Any, target: str) -> None:
    """B11, T7: vendor, store and memory give the same body and validator; only the headers say who it was."""
    first = await world.driver.get(target)
    second = await world.driver.get(target)
    world.app.lifecycle._cache = world.new_cache()
    third = await world.driver.get(target)
    assert [reply.headers["x-cache-source"] for reply in (first, second, third)] == ["tiingo", "in-memory", "memory"]
    assert first.body == second.body == third.body
    assert first.headers["etag"] == second.headers["etag"] == third.headers["etag"]


async def test_a_hit_serialises_nothing(world: Any) -> None:
    """A second request is answered with the very bytes object of the first."""
    first, second = await world.driver.get(YEAR), await world.driver.get(YEAR)
    cache = world.app.lifecycle.cache
    served = cache.hit(cache.parse("AAPL", range="1Y"))
    assert first.body == second.body == served.answer.representations["json.identity"]
    assert cache.status().memory.bytes >= len(first.body)


async def test_the_long_answers_of_a_herd_are_encoded_once(world: Any) -> None:
    """Simultaneous readers of one long answer share its encoding."""
    import asyncio

    replies = await asyncio.gather(
        *(world.driver.get(YEAR.replace("1Y", "5Y"), accept_encoding="gzip") for _ in range(20))
    )
    assert {reply.status for reply in replies} == {200}
    assert len({id(reply.body) for reply in replies}) <= len(replies)
    assert len({reply.body for reply in replies}) == 1


async def test_age_and_life_are_told_by_headers(world: Any) -> None:
    """T7: X-Cache-Age counts from the vendor's word; Cache-Status says for how long the answer stays."""
    first = await world.driver.get(YEAR)
    assert first.headers["x-cache-age"] == "0"
    missed, life = first.headers["cache-status"].rsplit("=", 1)
    assert missed == "ohlcache; fwd=uri-miss; stored; ttl"
    assert first.headers["x-cache-key"] == "ohlc:AAPL:D:1Y:2024-06-03"
    await world.clock.advance(75)
    second = await world.driver.get(YEAR)
    assert second.headers["x-cache-age"] == "75"
    assert second.headers["cache-status"] == f"ohlcache; hit; ttl={int(life) - 75}; detail=in-memory"


async def test_no_browser_shows_stale_candles(world: Any) -> None:
    """T8, H21: answers are revalidated every time, errors are not kept at all."""
    reply = await world.driver.get(YEAR)
    assert reply.headers["cache-control"] == "private, max-age=0, must-revalidate"
    assert reply.headers["vary"] == "Accept, Accept-Encoding"
    missing = await world.driver.get("/api/v2/tickers/NOPE/ohlc")
    assert missing.headers["cache-control"] == "no-store"


async def test_a_weekend_is_an_empty_answer(world: Any) -> None:
    """G1: a span without sessions is 200 with no candles, in every format."""
    target = "/api/v2/tickers/AAPL/ohlc?start_date=2024-06-01&end_date=2024-06-02"
    for resolution in ("D", "5"):
        reply = await world.driver.get(f"{target}&resolution={resolution}")
        assert reply.status == 200
        assert reply.json["candles"] == []
        assert reply.json["complete"]
        columns = await world.driver.get(f"{target}&resolution={resolution}&format=columns")
        assert columns.json["candles"]["close"] == []
        text = await world.driver.get(f"{target}&resolution={resolution}&format=csv")
        assert text.plain == b"date,open,high,low,close,volume\n"


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [YEAR, FIVE_MINUTES])
async def test_all_formats_hold_the_same_candles(world: Any, target: str) -> None:
    """Rows, columns, CSV and Arrow agree to the bit, and so do their certificates."""
    import pyarrow as pa

    rows = (await world.driver.get(target)).json
    columns = (await world.driver.get(f"{target}&format=columns")).json
    text = (await world.driver.get(f"{target}&format=csv")).plain.decode()
    stream = (await world.driver.get(f"{target}&format=arrow")).plain
    names = ["date", "open", "high", "low", "close", "volume"]
    expected = {name: [row[name] for row in rows["candles"]] for name in names}
    assert columns.pop("candles") == expected
    rows.pop("candles")
    assert columns == rows
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["date"] for row in table] == expected["date"]
    for name in names[1:]:
        assert [float(row[name]) for row in table] == expected[name]
    arrow = pa.ipc.open_stream(stream).read_all()
    assert arrow.column_names == names
    for name in names[1:]:
        assert arrow[name].to_pylist() == expected[name]
    shown = [value.isoformat().replace("+00:00", "Z") for value in arrow["date"].to_pylist()]
    assert shown == expected["date"]
    assert json.loads(arrow.schema.metadata[b"ohlcache"]) == rows


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/*", "application/json"),
        ("text/*", "text/csv; charset=utf-8; header=present"),
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0.5, application/json;q=0.4", "text/csv; charset=utf-8; header=present"),
        ("application/json;q=0, */*", "application/vnd.ohlcache.columns+json"),
        ("APPLICATION/VND.OHLCACHE.COLUMNS+JSON", "application/vnd.ohlcache.columns+json"),
        ("application/vnd.apache.arrow.stream, */*;q=0.1", "application/vnd.apache.arrow.stream"),
        ("text/csv;q=nonsense, application/json;q=0.1", "application/json"),
    ],
)
async def test_the_format_follows_accept(world: Any, accept: str | None, content_type: str) -> None:
    """The heaviest acceptable type wins; rows win among equals."""
    headers = {} if accept is None else {"accept": accept}
    assert (await world.driver.get(YEAR, **headers)).headers["content-type"] == content_type


@pytest.mark.parametrize("accept", ["image/png", "application/xml, text/html", "*/*;q=0", "application/json;q=0"])
async def test_what_nobody_can_write_is_406(world: Any, accept: str) -> None:
    """The hint lists what there is; ``format=`` overrides."""
    reply = await world.driver.get(YEAR, accept=accept)
    assert (reply.status, reply.error["code"]) == (406, "not_acceptable")
    assert "text/csv" in reply.error["hint"]
    assert (await world.driver.get(f"{YEAR}&format=json", accept=accept)).status == 200


async def test_without_the_extra_arrow_is_406(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without pyarrow says so, and what to ask for instead."""
    import sys

    monkeypatch.setitem(sys.modules, "pyarrow", None)
    reply = await world.driver.get(f"{YEAR}&format=arrow")
    assert reply.status == 406
    assert "format=csv" in reply.error["hint"]


# --- codings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept_encoding", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("x-gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("*", "zstd"),
        ("zstd;q=0, *;q=0.5", "gzip"),
        ("gzip;q=0, zstd;q=0", None),
        ("identity;q=0, *;q=0", None),
        ("br", None),
        ("gzip;q=2", None),
    ],
)
async def test_the_coding_follows_accept_encoding(world: Any, accept_encoding: str | None, coding: str | None) -> None:
    """Whatever the coding, the same bytes come out of it."""
    plain = await world.driver.get(YEAR)
    headers = {} if accept_encoding is None else {"accept_encoding": accept_encoding}
    reply = await world.driver.get(YEAR, **headers)
    assert reply.headers.get("content-encoding") == coding
    assert reply.plain == plain.body
    assert reply.headers["content-length"] == str(len(reply.body))
    if coding is not None:
        assert len(reply.body) < len(plain.body) / 2
        assert reply.headers["etag"] == plain.headers["etag"][:-1] + f'-{coding}"'


async def test_a_short_answer_is_not_compressed(world: Any) -> None:
    """What fits a packet is sent as it is, under the validator of what is sent."""
    target = "/api/v2/tickers/AAPL/ohlc?range=1D"
    plain = await world.driver.get(target)
    for _ in range(2):
        reply = await world.driver.get(target, accept_encoding="gzip")
        assert "content-encoding" not in reply.headers
        assert reply.headers["etag"] == plain.headers["etag"]


async def test_compressed_bodies_are_the_same_on_every_server(make_world: Callable[..., Any]) -> None:
    """A strong validator promises the same bytes, whichever process compressed them."""
    one, other = await make_world(), await make_world()
    for coding in ("gzip", "zstd"):
        first = await one.driver.get(YEAR, accept_encoding=coding)
        second = await other.driver.get(YEAR, accept_encoding=coding)
        assert first.body == second.body


# --- conditional requests --------------------------------------------------------------------------------------------


async def test_what_the_caller_holds_is_not_sent_again(world: Any) -> None:
    """If-None-Match: one tag, a list, a weak one or ``*`` gives 304 without a body, with the headers of the 200."""
    full = await world.driver.get(YEAR)
    etag = full.headers["etag"]
    assert etag.startswith('"')
    for held in (etag, f"W/{etag}", f'"other", {etag}', f'{etag},W/"x"', "*", " * "):
        reply = await world.driver.get(YEAR, if_none_match=held)
        assert (reply.status, reply.body) == (304, b"")
        for name in ("etag", "cache-control", "vary", "x-cache-source", "x-cache-age", "x-cache-key"):
            assert name in reply.headers
        assert "content-type" not in reply.headers


@pytest.mark.parametrize("held", ['"other"', "", "nonsense", '"', "W/", '*, "other"'])
async def test_another_validator_gets_the_candles(world: Any, held: str) -> None:
    """A tag that is not the answer's, or no tag at all, changes nothing."""
    assert (await world.driver.get(YEAR, if_none_match=held)).status == 200


async def test_a_validator_is_of_one_coding(world: Any) -> None:
    """Bytes in another coding are other bytes: their validator does not match."""
    plain = await world.driver.get(YEAR)
    reply = await world.driver.get(YEAR, if_none_match=plain.headers["etag"], accept_encoding="gzip")
    assert reply.status == 200


async def test_new_candles_have_a_new_validator(world: Any) -> None:
    """After the next session the old validator no longer matches."""
    target = "/api/v2/tickers/AAPL/ohlc?range=1W"
    old = await world.driver.get(target)
    await world.clock.advance(86_400)
    new = await world.driver.get(target, if_none_match=old.headers["etag"])
    assert new.status == 200
    assert new.json["end_date"] == "2024-06-04"


@pytest.mark.parametrize("form", ["json", "columns", "csv", "arrow"])
async def test_where_the_sample_ends_is_said_in_every_format(form: str) -> None:
    """An answer of the sample says in its headers, too, where its data ends, and that its minutes are derived."""
    world = await asyncio.to_thread(World)
    world.vendor = SampleVendor(CALENDAR)
    await world.driver.start()
    try:
        for resolution, synthetic in (("D", None), ("60", "true")):
            target = f"/api/v2/tickers/ZEN/ohlc?range=1D&resolution={resolution}&format={form}"
            for _ in range(2):
                reply = await world.driver.get(target)
                assert reply.headers["x-data-until"] == "2015-01-01T01:00:00Z"
                assert reply.headers.get("x-data-synthetic") == synthetic
    finally:
        await world.driver.stop()
