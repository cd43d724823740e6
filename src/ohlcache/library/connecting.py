"""From settings to a cache: ``connect`` for coroutines, ``connect_sync`` for everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ohlcache.library.sync_cache import SyncCache

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from datetime import datetime
    from os import PathLike
    from types import TracebackType
    from typing import Any, Unpack

    from ohlcache.library.cache import Cache
    from ohlcache.settings import Settings


class SettingOverrides(TypedDict, total=False):
    """Settings that a caller may give instead of the environment, by the names of the fields of ``Settings``."""

    source: str | None
    store: str
    data_dir: str | PathLike[str]
    clock: datetime | str | None
    retention_days: float
    memory_entries: int
    memory_bytes: int
    vendor_timeout_seconds: float
    vendor_calls_per_hour: int | None
    log_level: str
    log_format: str
    key_prefix: str
    tiingo_api_key: str | None
    tiingo_base_url: str
    finnhub_api_key: str | None
    finnhub_base_url: str
    table: str | None
    dynamodb_endpoint_url: str | None
    aws_region: str | None


class Connecting:
    """A cache about to be opened: ``async with`` closes it too, ``await`` leaves that to you."""

    def __init__(self, opening: Callable[[], Awaitable[Cache]]) -> None:
        self._opening = opening
        self._cache: Cache | None = None

    def __await__(self) -> Generator[Any, None, Cache]:
        return self._opening().__await__()

    async def __aenter__(self) -> Cache:
        self._cache = await self._opening()
        return self._cache

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._cache is not None, "entered before it is left"
        await self._cache.close()


def connect(**settings: Unpack[SettingOverrides]) -> Connecting:
    """Return the cache that the environment describes, ``settings`` on top of it.

    Raises ConfigurationError for settings that cannot work, StoreRefused for a database that must not be touched.
    """
    overrides = _known(dict(settings))
    return Connecting(lambda: _open(overrides))


def connect_sync(**settings: Unpack[SettingOverrides]) -> SyncCache:
    """Return the same cache without ``await``; also for notebooks, whose event loop is running already."""
    overrides = _known(dict(settings))
    return SyncCache(lambda: _open(overrides))


def quiet_settings(overrides: dict[str, object]) -> Settings:
    """Return settings for somebody else's process: unless asked otherwise, only warnings are logged, as text."""
    from ohlcache.settings import load_settings  # noqa: PLC0415 - pydantic is slow to import

    chosen = load_settings(**overrides).model_fields_set
    quiet = {"log_level": "WARNING", "log_format": "text"}
    return load_settings(**{name: value for name, value in quiet.items() if name not in chosen}, **overrides)


def _known(settings: dict[str, object]) -> dict[str, object]:
    """Return ``settings``; a misspelt one is a TypeError, as with any function, and not a default that nobody chose."""
    for name in settings:
        if name not in SettingOverrides.__annotations__:
            raise TypeError(
                f"connect() has no setting {name!r}; it takes {', '.join(SettingOverrides.__annotations__)}"
            )
    return settings


async def _open(overrides: dict[str, object]) -> Cache:
    from ohlcache.assembly import build_cache  # noqa: PLC0415 - numpy and the adapters are slow to import
    from ohlcache.library.cache import Cache  # noqa: PLC0415

    return Cache(await build_cache(quiet_settings(overrides)))
