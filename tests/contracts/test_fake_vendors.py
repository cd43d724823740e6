"""The fake vendors' wire: byte for byte in the shape of the recordings, in a loop, in a thread, as a process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from adapters.vendor_rig import EVENING, MARKET, RECORDED
from ohlcache.testing import Answer, FakeClock, FakeVendors, Fault

DAILY = "/tiingo/daily/GOOGL/prices?startDate=2024-06-03&endDate=2024-06-14"
IEX = "/iex/GOOGL/prices?startDate=2024-06-03&endDate=2024-06-03&resampleFreq=30Min"


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers or {"Authorization": "Token t"})  # noqa: S310 - a local fake
    try:
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return response.status, response.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()


def post(url: str, order: dict[str, Any]) -> None:
    body = json.dumps(order).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        assert response.status == 200


def shape(body: bytes) -> str:
    """Return the text with every number and word of data made alike: what is left is the format."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d", "DATE", body.decode())
    text = re.sub(r"-?\d+\.\d+", "FLOAT", text)
    return re.sub(r"-?\b\d+\b(?!\.)", "INT", text)


def one_row(body: bytes) -> str:
    return shape(body).split("},{", maxsplit=1)[0].rstrip("}]")


@pytest.mark.parametrize(
    ("recording", "path"),
    [
        ("daily_GOOGL_2015-01-02_2015-01-05.json", DAILY),
        ("latest_GOOGL_2018-04-12.json", "/tiingo/daily/GOOGL/prices"),
        ("iex_30min_GOOGL_2018-01-02.json", IEX + "&columns=open,high,low,close"),
    ],
)
def test_tiingos_rows_have_the_recorded_shape(recording: str, path: str) -> None:
    """B12: key order, date format, floats and integers as in the recordings."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        status, body = get(fake.tiingo_url + path)
    assert status == 200
    assert one_row(body) == one_row((RECORDED / "tiingo" / recording).read_bytes())


def test_finnhubs_arrays_have_the_recorded_shape() -> None:
    """B12: keys sorted, no blanks, integers among the floats."""
    recorded = json.loads((RECORDED / "finnhub" / "daily_AAPL_2023-07-05_2023-07-06.json").read_bytes())
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        path = "/api/v1/stock/candle?symbol=AAPL&resolution=D&from=1717372800&to=1718409599"
        _, body = get(fake.finnhub_url + path, **{"X-Finnhub-Token": "t"})
        assert list(json.loads(body)) == list(recorded)
        assert b" " not in body
        _, body = get(fake.finnhub_url + path.replace("AAPL", "ZZZZ"), **{"X-Finnhub-Token": "t"})
        assert body == (RECORDED / "finnhub" / "no_data.json").read_bytes()


def test_iex_has_volume_only_when_asked() -> None:
    """B2: and then as a float."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        _, without = get(fake.tiingo_url + IEX)
        _, with_volume = get(fake.tiingo_url + IEX + "&columns=open,high,low,close,volume")
    assert list(json.loads(without)[0]) == ["date", "close", "high", "low", "open"]
    assert isinstance(json.loads(with_volume)[0]["volume"], float)


def test_adjusted_columns_follow_the_fakes_own_clock() -> None:
    """G12: a split changes the adjusted history on the day it happens, never the raw one."""
    path = "/tiingo/daily/AAPL/prices?startDate=2020-08-27&endDate=2020-08-28"
    clock = FakeClock("2020-08-28T22:00:00Z")
    with FakeVendors(MARKET, clock) as fake:
        _, before = get(fake.tiingo_url + path)
        clock.set("2020-08-31T22:00:00Z")
        _, after = get(fake.tiingo_url + path)
    old, new = json.loads(before)[0], json.loads(after)[0]
    assert old["close"] == new["close"] == old["adjClose"]
    assert new["adjClose"] == pytest.approx(old["close"] / 4)
    assert new["adjVolume"] == old["volume"] * 4


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/api/test", 200, b'{"message":"You successfully sent a request"}'),
        ("/tiingo/daily/ZZZZ/prices?startDate=2024-06-03", 404, b'{"detail":"Error: Ticker \'ZZZZ\' not found"}'),
        ("/iex/aapl,msft/prices?startDate=2024-06-03", 404, b'{"detail":"Not found."}'),
        ("/nowhere", 404, b'{"detail":"Not found."}'),
        (
            "/iex/AAPL/prices?startDate=2024-06-03&resampleFreq=daily",
            400,
            b"{\"detail\":\"Error: resampleFreq must be in 'Min' or 'Hour' only\"}",
        ),
    ],
)
def test_tiingos_other_words(path: str, status: int, body: bytes) -> None:
    """E4: errors as they were reported."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        assert get(fake.tiingo_url + path) == (status, body)


def test_metadata_of_a_live_and_a_dead_ticker() -> None:
    """G8: plain dates."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        live, dead = (json.loads(get(f"{fake.url}/tiingo/daily/{ticker}")[1]) for ticker in ("brk-b", "TWTR"))
    assert (live["ticker"], live["endDate"]) == ("BRK-B", "2024-06-14")
    assert (dead["startDate"], dead["endDate"]) == ("2013-11-07", "2022-10-27")


def test_keys_are_checked_in_header_and_address() -> None:
    """E23: missing, wrong, right; how a key came is in the log, the key is not."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        fake.tiingo.key = fake.finnhub.key = "right"
        assert get(fake.url + "/api/test", Authorization="Token wrong")[0] == 401
        assert get(fake.url + "/api/test", Authorization="Token right")[0] == 200
        assert get(fake.url + "/api/test?token=right", Accept="*/*")[0] == 200
        assert get(fake.url + "/api/test", Accept="*/*")[0] == 401
        assert get(fake.url + "/api/v1/search?q=AA", Accept="*/*")[0] == 429
        assert get(fake.url + "/api/v1/search?q=AA&token=wrong", Accept="*/*")[0] == 401
        assert [call.key for call in fake.calls] == ["header", "header", "url", "none", "none", "url"]
        assert "right" not in str(fake.calls)
        assert len(fake.calls_of("finnhub")) == 2
        fake.reset()
        assert fake.calls == []


def test_the_quota_message_is_plain_text() -> None:
    """T5: status 200, and no JSON."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        fake.tiingo.faults.then(Fault.QUOTA_TEXT, (Fault.TOO_MANY, 9))
        status, body = get(fake.url + DAILY)
        assert status == 200
        assert body.startswith(b"You have run over your 500 symbol look up")
        assert get(fake.url + DAILY)[0] == 429


def test_a_recording_may_be_served_instead() -> None:
    """B1: byte for byte, until it is taken away again."""
    recording = (RECORDED / "tiingo" / "latest_GOOGL_2018-04-12.json").read_bytes()
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        fake.canned["/tiingo/daily/GOOGL/prices"] = Answer(200, recording)
        assert get(fake.url + DAILY) == (200, recording)
        fake.reset()
        assert get(fake.url + DAILY)[1] != recording


def test_a_taken_port_is_an_error() -> None:
    """In a thread too."""
    with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        with pytest.raises(OSError, match="address already in use"), FakeVendors(MARKET, port=fake.port):
            pass
        assert get(fake.url + "/api/test")[0] == 200


def test_as_a_process_it_takes_orders() -> None:
    """F10: prints where it is, obeys over its port, ends with SIGTERM and code 0."""
    command = [sys.executable, "-m", "ohlcache.testing.fake_vendors", "--clock", EVENING, "--tiingo-key", "t"]
    process = subprocess.Popen([*command, "--fault", "finnhub:5xx:502"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["tiingo_url"]
        assert len(json.loads(get(url + DAILY)[1])) == 10
        assert get(url + "/api/v1/search?q=AA&token=t")[0] == 502
        post(
            url + "/_fake/faults",
            {"vendor": "tiingo", "always": {"latency": 0.001}, "then": ["429", None, ["5xx", 500]]},
        )
        post(url + "/_fake/faults", {"vendor": "finnhub", "always": {}})
        assert [get(url + DAILY)[0] for _ in range(4)] == [429, 200, 500, 200]
        post(url + "/_fake/latency", {"seconds": 0.001})
        post(url + "/_fake/market", {"late_seconds": 7200, "revising": True})
        assert len(json.loads(get(url + DAILY)[1])) == 9
        calls = json.loads(get(url + "/_fake/calls")[1])
        assert [call["outcome"] for call in calls] == ["ok", "502", "429", "ok", "500", "ok", "ok"]
        post(url + "/_fake/reset", {})
        assert json.loads(get(url + "/_fake/calls")[1]) == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.asyncio
async def test_stopping_lets_go_of_hanging_requests() -> None:
    """No test waits for a fake that was told to hang."""
    import asyncio

    async with FakeVendors(MARKET, FakeClock(EVENING)) as fake:
        fake.tiingo.faults.set(Fault.HANG)
        reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
        writer.write(b"GET /api/test HTTP/1.1\r\nHost: x\r\nAuthorization: Token t\r\n\r\n")
        while not fake.calls:
            await asyncio.wait({asyncio.ensure_future(reader.read(1))}, timeout=0.01)
        assert fake.calls[0].outcome == "in flight"
    writer.close()
    await writer.wait_closed()
