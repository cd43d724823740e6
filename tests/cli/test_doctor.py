"""``ohlcache doctor`` and ``ohlcache settings``: finding out what is wrong, without showing a secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ohlcache.cli import examination
from ohlcache.cli.examination import Verdict
from ohlcache.cli.settings_table import settings_markdown
from ohlcache.settings import Settings, environment_name
from ohlcache.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended
    from ohlcache.testing import FakeVendors

    Command = Callable[..., Ended]


def findings(ended: Ended) -> dict[str, dict[str, str]]:
    return {finding["subject"]: finding for finding in json.loads(ended.out)}


def test_all_is_well(ohlcache: Command, vendors: FakeVendors) -> None:
    """Every subject is looked at; with nothing wrong the exit code is 0."""
    ended = ohlcache("doctor", "--json")
    found = findings(ended)
    assert ended.code == 0
    assert list(found) == [
        "version", "source", "serving", "disk", "store", "vendor tiingo", "terms", "calendar", "clock", "extras",
    ]  # fmt: skip
    assert {finding["verdict"] for finding in found.values()} == {Verdict.OK, Verdict.WARN}
    assert found["clock"]["verdict"] == Verdict.WARN  # OHLCACHE_CLOCK is set
    assert found["clock"]["found"] == "2024-06-03 21:00 in New York, set by OHLCACHE_CLOCK"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "Tiingo's of 2026-08-05 allow no durable storage on Starter"),
        ({"OHLCACHE_SOURCE": "finnhub", "FINNHUB_API_KEY": "invented"}, "read Finnhub's"),
        ({"OHLCACHE_STORE": "memory"}, None),
        ({"OHLCACHE_SOURCE": "sample"}, None),
    ],
)
def test_the_terms_of_storing(
    ohlcache: Command,
    vendors: FakeVendors,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    says: str | None,
) -> None:
    """Whoever stores a vendor's data reads that its terms may forbid it, and which setting stores nothing."""
    monkeypatch.setenv("FINNHUB_BASE_URL", vendors.finnhub_url)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = findings(ohlcache("doctor", "--json"))
    if says is None:
        assert "terms" not in found
    else:
        assert says in found["terms"]["found"]
        assert "OHLCACHE_STORE=memory stores nothing" in found["terms"]["found"]


def test_a_variable_that_is_none_of_ours(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable does nothing, and the doctor says so and which one was meant."""
    monkeypatch.setenv("OHLCACHE_STROE", "memory")
    ended = ohlcache("doctor", "--json")
    found = findings(ended)
    assert (ended.code, found["settings"]["verdict"]) == (0, Verdict.WARN)
    assert "OHLCACHE_STROE" in found["settings"]["found"]
    assert "OHLCACHE_STORE is meant" in found["settings"]["hint"]
    assert "sqlite" in found["store"]["found"]


def test_it_reads_well(ohlcache: Command) -> None:
    """A line per finding, and what to do beneath where there is something to do."""
    lines = ohlcache("doctor").out.splitlines()
    assert lines[0].startswith("ok    version")
    assert any(line.startswith("warn  source") for line in lines)
    assert any("-> For live data set TIINGO_API_KEY" in line for line in lines)


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.SERVER_ERROR, Fault.TOO_MANY])
def test_a_vendor_in_trouble(ohlcache: Command, vendors: FakeVendors, fault: Fault) -> None:
    """A vendor that refuses or fails is a fail, with what to do; the key is not shown (S1)."""
    vendors.tiingo.faults.set(fault)
    ended = ohlcache("doctor", "--json")
    assert ended.code == 1
    assert findings(ended)["vendor tiingo"]["verdict"] == Verdict.FAIL
    assert findings(ended)["vendor tiingo"]["hint"]
    assert "invented-key" not in ended.out + ended.err


def test_settings_in_trouble(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that cannot work are named; what does not depend on them is still looked at."""
    monkeypatch.setenv("OHLCACHE_PORT", "99999999")
    found = findings(ohlcache("doctor", "--json"))
    assert "OHLCACHE_PORT" in found["settings"]["found"]
    assert set(found) == {"version", "settings", "extras"}


def test_serving_in_the_open(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that others can reach needs API keys (O7)."""
    monkeypatch.setenv("OHLCACHE_HOST", "0.0.0.0")  # noqa: S104 - refused, that is the point
    assert findings(ohlcache("doctor", "--json"))["serving"]["verdict"] == Verdict.FAIL
    monkeypatch.setenv("OHLCACHE_API_KEYS", "one-invented-key,another-invented-key")
    ended = ohlcache("doctor", "--json")
    assert findings(ended)["serving"]["found"] == "0.0.0.0:8000, 2 API keys"
    assert "invented" not in ended.out


def test_a_store_in_trouble(ohlcache: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no database of ours is a fail that says what to do."""
    (folder / "data").mkdir()
    (folder / "data" / "ohlcache.sqlite3").write_text("somebody's novel " * 100)
    found = findings(ohlcache("doctor", "--json"))
    assert found["store"]["verdict"] == Verdict.FAIL
    assert found["store"]["hint"]


def test_the_doctor_does_not_fall_ill(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a store or vendor raises is a finding; its words, which may hold anything, are not repeated."""

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("an invented secret")

    monkeypatch.setattr("ohlcache.adapters.stores.sqlite.SqliteStore.acquire", broken)
    monkeypatch.setattr("ohlcache.adapters.vendors.sample.SampleVendor.check", broken)
    ended = ohlcache("doctor", "--json")
    assert findings(ended)["store"]["found"] == findings(ended)["vendor sample"]["found"]
    assert findings(ended)["store"]["found"] == "It fails with ZeroDivisionError."
    assert "invented" not in ended.out
    monkeypatch.setattr("ohlcache.cli.examination.open_store", broken)
    assert findings(ohlcache("doctor", "--json"))["store"]["verdict"] == Verdict.FAIL


def test_the_memory_store(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OHLCACHE_STORE", "memory")
    found = findings(ohlcache("doctor", "--json"))
    assert "disk" not in found
    assert found["store"]["verdict"] == Verdict.OK


def test_a_store_without_its_library(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """DynamoDB without boto3 is a fail that names the extra."""
    monkeypatch.setenv("OHLCACHE_STORE", "dynamodb")
    monkeypatch.setenv("OHLC_CACHE_TABLE", "candles")
    monkeypatch.setattr("ohlcache.adapters.stores.dynamodb_table.find_spec", lambda _: None)
    found = findings(ohlcache("doctor", "--json"))
    assert found["store"]["verdict"] == Verdict.FAIL
    assert "ohlcache[dynamodb]" in found["store"]["hint"]


@pytest.mark.parametrize(
    ("instant", "verdict"),
    [
        ("2027-01-04T12:00:00Z", Verdict.OK),
        ("2028-12-01T12:00:00Z", Verdict.WARN),
        ("2031-01-02T12:00:00Z", Verdict.FAIL),
    ],
)
def test_the_calendars_horizon(
    ohlcache: Command, monkeypatch: pytest.MonkeyPatch, instant: str, verdict: Verdict
) -> None:
    """A calendar that will end soon is a warning, one that has ended a fail."""
    monkeypatch.setenv("OHLCACHE_CLOCK", instant)
    assert findings(ohlcache("doctor", "--json"))["calendar"]["verdict"] == verdict


def test_missing_extras_and_little_room(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extras that are absent are named with the command that installs them; a full disk is a warning."""
    monkeypatch.setattr(examination, "find_spec", lambda module: None if module == "polars" else module)
    monkeypatch.setattr(examination, "DISK_BYTES_FREE_MIN", 1 << 60)
    monkeypatch.setattr(examination, "EARLIEST_HONEST_CLOCK", 1e12)
    found = findings(ohlcache("doctor", "--json"))
    assert found["extras"]["found"].endswith("pip install 'ohlcache[polars]'")
    assert found["disk"]["verdict"] == Verdict.WARN
    assert found["clock"]["verdict"] == Verdict.FAIL


def test_settings_are_all_shown(ohlcache: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every setting is in the table with its variable, and no secret is."""
    monkeypatch.setenv("FINNHUB_API_KEY", "an-invented-secret")
    monkeypatch.setenv("OHLCACHE_API_KEYS", "first-secret,second-secret")
    shown = ohlcache("settings").out
    values = json.loads(ohlcache("settings", "--json").out)
    assert list(values) == [environment_name(name) for name in Settings.model_fields]
    for variable in values:
        assert variable in shown
    assert values["FINNHUB_API_KEY"] == "set (hidden)"
    assert values["OHLCACHE_API_KEYS"] == "2 set (hidden)"
    assert values["OHLCACHE_SOURCE"] == "sample"
    assert "secret" not in str(values)


def test_settings_for_a_document(ohlcache: Command) -> None:
    """The Markdown table has a line for every setting, each with its meaning, and is the same on every machine."""
    table = settings_markdown()
    assert ohlcache("settings", "--markdown").out == table
    lines = table.splitlines()[2:]
    assert len(lines) == len(Settings.model_fields)
    for line, name in zip(lines, Settings.model_fields, strict=True):
        variable, meaning, _ = (cell.strip() for cell in line.strip("|").split(" | "))
        assert variable == f"`{environment_name(name)}`"
        assert len(meaning) > 10
    assert "`~/.local/share/ohlcache`" in table
