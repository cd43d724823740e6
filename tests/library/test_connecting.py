"""From settings to a cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import ohlcache
from ohlcache.library.connecting import quiet_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ohlcache.testing import FakeVendors


@pytest.mark.asyncio
async def test_the_environment_decides(vendors: FakeVendors) -> None:
    """With a vendor key in the environment, the vendor is the source; 50 cold callers cost one call (L4)."""
    async with ohlcache.connect() as cache:
        tables = await asyncio.gather(*(cache.get("AAPL", "1Y") for _ in range(50)))
        assert cache.status().source == "tiingo"
    assert len({id(table.certificate) for table in tables}) == 1
    assert len(vendors.calls) == 1


@pytest.mark.asyncio
async def test_overrides_stand_above_the_environment(vendors: FakeVendors, tmp_path: Path) -> None:
    """A keyword beats the variable of the same setting."""
    async with ohlcache.connect(source="sample", data_dir=tmp_path / "elsewhere") as cache:
        assert (await cache.get("AAPL", "1M")).provenance.source == "sample"
    assert (tmp_path / "elsewhere").is_dir()
    assert not vendors.calls


@pytest.mark.asyncio
async def test_without_a_with_block(sample: Path) -> None:
    """``await connect()`` gives a cache that its owner closes."""
    cache = await ohlcache.connect(store="memory")
    try:
        assert len(await cache.get("MSFT", "1M")) == 22
    finally:
        await cache.close()


@pytest.mark.asyncio
async def test_settings_that_cannot_work(sample: Path) -> None:
    """A wrong setting is an error that names it, and never its value (O1)."""
    with pytest.raises(ohlcache.ConfigurationError) as caught:
        await ohlcache.connect(tiingo_base_url="https://example.com", source="tiingo")
    assert "TIINGO_API_KEY" in caught.value.message


@pytest.mark.asyncio
async def test_a_database_of_somebody_else_is_refused(sample: Path) -> None:
    """A file that is not ours is refused with what to do, and left as it was."""
    database = sample / "ohlcache.sqlite3"
    database.write_bytes(b"not a database, but somebody's only copy" * 100)
    before = database.read_bytes()
    with pytest.raises(ohlcache.StoreRefused) as caught:
        await ohlcache.connect()
    assert caught.value.hint
    assert database.read_bytes() == before


@pytest.mark.asyncio
async def test_a_store_that_cannot_be_opened_is_gone_around(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """F2: with the file's place taken, the cache opens, answers and says so; once the place is free, it is used again."""
    in_the_way = sample / "ohlcache.sqlite3"
    await asyncio.to_thread(in_the_way.mkdir)
    async with ohlcache.connect() as cache:
        table = await cache.get("AAPL", "1M")
        assert (len(table), table.provenance.tier, table.provenance.degraded) == (22, "sample", True)
        assert "store failed" in capsys.readouterr().err
        with pytest.raises(ohlcache.StoreError, match="cannot say"):
            await cache.coverage("AAPL", "1M")
        with pytest.raises(ohlcache.StoreError):
            await cache.backfill("AAPL", "1M")
    await asyncio.to_thread(in_the_way.rmdir)
    async with ohlcache.connect() as cache:
        assert not (await cache.get("AAPL", "1M")).provenance.degraded
    async with ohlcache.connect() as cache:
        assert (await cache.get("AAPL", "1M")).provenance.tier == "sqlite"


@pytest.mark.asyncio
async def test_a_folder_that_cannot_be_had(tmp_path: Path) -> None:
    """A data folder below a file is a setting to mend: it ends the start, and the hint names the variable."""
    await asyncio.to_thread((tmp_path / "file").write_text, "")
    with pytest.raises(ohlcache.StoreError) as caught:
        await ohlcache.connect(source="sample", data_dir=tmp_path / "file" / "below")
    assert "OHLCACHE_DATA_DIR" in str(caught.value.hint)


def test_a_library_is_quiet(monkeypatch: pytest.MonkeyPatch, sample: Path) -> None:
    """In somebody else's process only warnings are logged, as text, unless asked otherwise."""
    quiet = quiet_settings({})
    assert (quiet.log_level, quiet.log_format) == ("WARNING", "text")
    monkeypatch.setenv("OHLCACHE_LOG_LEVEL", "DEBUG")
    assert quiet_settings({}).log_level == "DEBUG"
    assert quiet_settings({"log_format": "json"}).log_format == "json"
