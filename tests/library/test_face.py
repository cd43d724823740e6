"""The package as its users import and type it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from inspect import get_annotations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ohlcache
from ohlcache.library.connecting import SettingOverrides
from ohlcache.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

HIT_COST = Path(__file__).with_name("hit_cost.py")
HIT_COST_MAX = 15.0
"""In bare awaits. Four were measured; a call that is looked up, parsed and composed anew takes hundreds."""

HEAVY = ("numpy", "pydantic", "aiohttp", "msgspec", "sqlite3", "uvicorn", "starlette", "rich", "asyncio")
ONLY_FOR_SERVING = {"host", "port", "api_keys", "allowed_hosts", "cors_origins", "smoke_test_api_key"}

SNIPPET = '''\
"""What a user may write, with the types that come out."""

import asyncio
from datetime import date
from typing import assert_type

import ohlcache


async def ask() -> None:
    async with ohlcache.connect(source="sample", data_dir="/tmp") as cache:
        assert_type(cache, ohlcache.Cache)
        candles = await cache.get("AAPL", "1Y", resolution="D", adjust="all")
        assert_type(candles, ohlcache.CandleTable)
        assert_type(candles[0], ohlcache.Candle)
        assert_type(candles[1:], list[ohlcache.Candle])
        for candle in candles:
            assert_type(candle.close, float)
        mean: float = float(candles.close.mean())
        assert_type(candles.certificate.complete, bool)
        many = await cache.get_many(["AAPL", "MSFT"], start=date(2014, 1, 2), end="2014-12-31")
        assert_type(many, dict[str, ohlcache.CandleTable])
        print(mean, candles.provenance.tier)


cache = ohlcache.connect_sync(store="memory")
assert_type(cache.get("AAPL", "1Y"), ohlcache.CandleTable)
try:
    asyncio.run(ask())
except ohlcache.QuotaExceeded as error:
    assert_type(error.retry_after_seconds, float | None)
'''


def test_importing_is_cheap(unmeasured: Mapping[str, str]) -> None:
    """``import ohlcache`` imports nothing heavy."""
    script = f"import sys, ohlcache; print([name for name in {HEAVY} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", script], env=unmeasured, capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"


@pytest.mark.alone
def test_a_hit_costs_next_to_nothing(unmeasured: Mapping[str, str]) -> None:
    """A repeated call costs a few times what awaiting a coroutine costs that does nothing."""
    ended = subprocess.run([sys.executable, HIT_COST], env=unmeasured, capture_output=True, text=True, check=True)
    assert float(ended.stdout) < HIT_COST_MAX


def test_every_public_name_is_there() -> None:
    """``__all__`` holds what can be imported, ``dir`` shows it, and nothing else is found."""
    for name in ohlcache.__all__:
        assert getattr(ohlcache, name) is not None
    assert set(ohlcache.__all__) == set(dir(ohlcache))
    with pytest.raises(AttributeError, match="no attribute 'conect'"):
        _ = ohlcache.conect  # type: ignore[attr-defined]


def test_every_error_is_public() -> None:
    """Whatever can be raised can be caught by a public name."""
    errors = importlib.import_module("ohlcache.domain.errors")
    tree = {
        name for name, value in vars(errors).items() if isinstance(value, type) and value.__module__ == errors.__name__
    }
    assert tree - set(ohlcache.__all__) == {"Unauthorized"}  # only the HTTP API asks for keys


def test_every_setting_can_be_given() -> None:
    """A caller may give every setting but those of the server."""
    assert set(get_annotations(SettingOverrides)) == set(Settings.model_fields) - ONLY_FOR_SERVING


@pytest.mark.parametrize("checker", [["mypy", "--strict"], ["pyright"]])
def test_the_public_face_is_typed(checker: list[str], tmp_path: Path) -> None:
    """A user's code type-checks, strictly, with the types that the documentation names."""
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    command = [sys.executable, "-m", *checker, str(snippet)]
    if checker[0] == "mypy":
        command += ["--python-executable", sys.executable, "--cache-dir", str(tmp_path / "mypy")]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=Path(sys.prefix).parent, timeout=110
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
