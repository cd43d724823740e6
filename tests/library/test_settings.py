"""Settings: what each variable takes, and that whatever is wrong is said at the start, by name (O1, E24)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import ohlcache
from ohlcache.settings import Settings, load_settings

if TYPE_CHECKING:
    from pydantic import SecretStr


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OHLCACHE_SOURCE", "yahoo"),
        ("OHLCACHE_STORE", "redis"),
        ("OHLCACHE_PORT", "70000"),
        ("OHLCACHE_PORT", "8000.5"),
        ("OHLCACHE_CORS_ORIGINS", "example.net"),
        ("OHLCACHE_CORS_ORIGINS", "https://example.net/"),
        ("OHLCACHE_CORS_ORIGINS", "https://example.net, https://example.org/page"),
        ("OHLCACHE_ALLOWED_HOSTS", "https://charts.example"),
        ("OHLCACHE_ALLOWED_HOSTS", "charts.example:8000"),
        ("OHLCACHE_ALLOWED_HOSTS", "charts.example, *.example"),
        ("OHLCACHE_API_KEYS", "one two"),
        ("OHLCACHE_API_KEYS", "ключ"),
        ("TIINGO_API_KEY", "two words"),
        ("FINNHUB_API_KEY", "schlüssel"),
        ("SMOKE_TEST_API_KEY", "two words"),
        ("TIINGO_BASE_URL", "nonsense"),
        ("TIINGO_BASE_URL", "ftp://example.com"),
        ("TIINGO_BASE_URL", "https://user:word@example.com"),
        ("FINNHUB_BASE_URL", "http://example.com:port"),
        ("FINNHUB_BASE_URL", "http://[::1"),
        ("AWS_ENDPOINT_URL_DYNAMODB", "localhost:8000"),
        ("OHLCACHE_CLOCK", "noon"),
        ("OHLCACHE_CLOCK", "1402324200"),
        ("OHLCACHE_CLOCK", "2014-13-01"),
        ("OHLCACHE_CLOCK", "0001-01-01"),
        ("OHLCACHE_CLOCK", "9999-12-31T23:59:59Z"),
        ("OHLCACHE_RETENTION_DAYS", "-1"),
        ("OHLCACHE_RETENTION_DAYS", "inf"),
        ("OHLCACHE_RETENTION_DAYS", "nan"),
        ("OHLCACHE_MEMORY_ENTRIES", "0"),
        ("OHLCACHE_MEMORY_BYTES", "256MB"),
        ("OHLCACHE_VENDOR_TIMEOUT_SECONDS", "16"),
        ("OHLCACHE_VENDOR_CALLS_PER_HOUR", "0"),
        ("OHLCACHE_LOG_LEVEL", "LOUD"),
        ("OHLCACHE_LOG_FORMAT", "xml"),
        ("OHLCACHE_KEY_PREFIX", "mine"),
    ],
)
def test_a_wrong_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """The error names the variable, and never repeats a value: it may be a secret in the wrong place."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ohlcache.ConfigurationError) as caught:
        load_settings()
    assert caught.value.message.startswith(f"{variable}: ")
    assert caught.value.field == variable
    assert value not in caught.value.message.removeprefix(variable)


@pytest.mark.parametrize(
    "variable", [str(field.validation_alias.choices[0]) for field in Settings.model_fields.values()]
)  # type: ignore[union-attr]
def test_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Container files and shells write ``VARIABLE=`` for a variable that is not set."""
    monkeypatch.delenv(variable, raising=False)
    unset = load_settings()
    monkeypatch.setenv(variable, "")
    assert load_settings() == unset


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2014-06-09T14:30:00Z", datetime(2014, 6, 9, 14, 30, tzinfo=UTC)),
        ("2014-06-09T10:30:00-04:00", datetime(2014, 6, 9, 10, 30, tzinfo=timezone(timedelta(hours=-4)))),
        ("2014-06-09 14:30", datetime(2014, 6, 9, 14, 30, tzinfo=UTC)),
        ("2014-06-09", datetime(2014, 6, 9, tzinfo=UTC)),
        ("20140609", datetime(2014, 6, 9, tzinfo=UTC)),
        ("20140609T143000Z", datetime(2014, 6, 9, 14, 30, tzinfo=UTC)),
    ],
)
def test_a_clock_is_an_iso_instant(monkeypatch: pytest.MonkeyPatch, written: str, meant: datetime) -> None:
    """Every way to write an instant in ISO 8601; without a zone it is UTC."""
    monkeypatch.setenv("OHLCACHE_CLOCK", written)
    assert load_settings().clock == meant


def test_a_folder_in_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the home folder also where no shell has seen it."""
    monkeypatch.setenv("OHLCACHE_DATA_DIR", "~/candles")
    assert load_settings().data_dir == Path.home() / "candles"


def test_a_key_without_the_space_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that a key is read from ends with a line feed; a key of spaces is none."""
    monkeypatch.setenv("TIINGO_API_KEY", " token\n")
    key: SecretStr | None = load_settings().tiingo_api_key
    assert key is not None
    assert key.get_secret_value() == "token"
    monkeypatch.setenv("TIINGO_API_KEY", " ")
    assert load_settings().chosen_source == "sample"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_on_this_machine_no_key_is_needed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """O7: on loopback the server starts without keys."""
    monkeypatch.setenv("OHLCACHE_HOST", host)
    load_settings().check_serving()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "this-host", "::ffff:127.0.0.1"])  # noqa: S104
def test_elsewhere_a_key_is_needed(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """O7: beyond loopback it does not; an address that only maps to 127.0.0.1 is beyond it, as for browsers."""
    monkeypatch.setenv("OHLCACHE_HOST", host)
    with pytest.raises(ohlcache.ConfigurationError, match="OHLCACHE_API_KEYS"):
        load_settings().check_serving()


def test_a_misspelt_keyword_is_a_type_error() -> None:
    """``connect`` takes what it knows: a keyword with a slip would else leave a default that nobody chose."""
    with pytest.raises(TypeError, match="'stroe'"):
        ohlcache.connect(stroe="memory")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="data_dir"):
        ohlcache.connect_sync(directory="here")  # type: ignore[call-arg]
