"""Every setting, validated at start-up; the only module that reads the environment.

A variable that is set to nothing counts as not set, as container files and shells mean it.
"""

from __future__ import annotations

import ipaddress
import os
import re
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ohlcache.domain.errors import ConfigurationError


class Source(StrEnum):
    """Where candles come from."""

    SAMPLE = "sample"
    TIINGO = "tiingo"
    FINNHUB = "finnhub"


class StoreEngine(StrEnum):
    """What keeps them."""

    SQLITE = "sqlite"
    DYNAMODB = "dynamodb"
    MEMORY = "memory"


class LogFormat(StrEnum):
    """How log lines look."""

    JSON = "json"
    TEXT = "text"


OWN_PREFIX = "OHLCACHE_"
"""What the names of our own variables begin with; the others belong to vendors and to AWS."""

CLOCK_YEARS = range(1970, 2200)
"""Years in which a clock may be set; whether the calendar knows them is the doctor's business."""

_ORIGIN = re.compile(r"https?://[^/?#@\s]+")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_HEADER_SAFE = re.compile(r"[!-~]+")


def _named(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class Settings(BaseSettings):
    """One field per setting; the environment variable is the field's alias. Secrets never show."""

    model_config = SettingsConfigDict(
        env_file=None, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    source: Source | None = Field(None, validation_alias=_named("OHLCACHE_SOURCE"))
    """``sample``, ``tiingo`` or ``finnhub``; unset: ``tiingo`` when its key is set, else ``sample``."""

    store: StoreEngine = Field(StoreEngine.SQLITE, validation_alias=_named("OHLCACHE_STORE"))
    """What keeps candles: ``sqlite``, ``dynamodb`` or ``memory``, which writes nothing to disk."""

    data_dir: Path = Field(
        default_factory=lambda: Path.home() / ".local" / "share" / "ohlcache",
        validation_alias=_named("OHLCACHE_DATA_DIR"),
    )
    """The folder of the SQLite file; made when it is not there."""

    host: str = Field("127.0.0.1", validation_alias=_named("OHLCACHE_HOST"))
    """The address to serve on. Beyond loopback, ``OHLCACHE_API_KEYS`` is required."""

    port: int = Field(8000, ge=0, le=65_535, validation_alias=_named("OHLCACHE_PORT"))
    """The port to serve on; 0 picks a free one."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field((), validation_alias=_named("OHLCACHE_API_KEYS"))
    """Keys that callers must send, separated by commas; empty: none needed on loopback."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias=_named("OHLCACHE_CORS_ORIGINS"))
    """Origins whose pages may call the API, separated by commas; ``*`` for all."""

    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias=_named("OHLCACHE_ALLOWED_HOSTS"))
    """Names, separated by commas, that the server answers to in addition to ``localhost`` and loopback addresses;
    ``*`` for all. With API keys it answers to every name unless this is set."""

    clock: datetime | None = Field(None, validation_alias=_named("OHLCACHE_CLOCK"))
    """An ISO instant at which the process's clock starts and from which it runs on (replay, demonstration, tests)."""

    retention_days: float = Field(90, ge=0, allow_inf_nan=False, validation_alias=_named("OHLCACHE_RETENTION_DAYS"))
    """How long final candles are kept, in days; 0 keeps them forever."""

    memory_entries: int = Field(1000, ge=1, validation_alias=_named("OHLCACHE_MEMORY_ENTRIES"))
    """The most answers the memory tier keeps."""

    memory_bytes: int = Field(256 * 1024 * 1024, ge=1, validation_alias=_named("OHLCACHE_MEMORY_BYTES"))
    """The most bytes the memory tier keeps."""

    vendor_timeout_seconds: float = Field(
        10.0, gt=0, le=15.0, validation_alias=_named("OHLCACHE_VENDOR_TIMEOUT_SECONDS")
    )
    """How long one vendor call may take, in seconds; at most half the life of a lease (30 s)."""

    vendor_calls_per_hour: int | None = Field(None, ge=1, validation_alias=_named("OHLCACHE_VENDOR_CALLS_PER_HOUR"))
    """The vendor plan's hourly allowance: so many calls this process makes in an hour of the clock; unset: no limit."""

    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", validation_alias=_named("OHLCACHE_LOG_LEVEL")
    )
    """The quietest level that is written: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``."""

    log_format: LogFormat = Field(LogFormat.JSON, validation_alias=_named("OHLCACHE_LOG_FORMAT"))
    """``json`` (one object a line) or ``text``."""

    key_prefix: str = Field(
        "", pattern=r"^(TEST#[A-Za-z0-9_.-]{1,64}#)?$", validation_alias=_named("OHLCACHE_KEY_PREFIX")
    )
    """``TEST#{run}#`` before every stored key, for test runs on a real table; such items live five minutes."""

    tiingo_api_key: SecretStr | None = Field(None, validation_alias=_named("TIINGO_API_KEY"))
    """The Tiingo token."""

    tiingo_base_url: str = Field("https://api.tiingo.com", validation_alias=_named("TIINGO_BASE_URL"))
    """Where Tiingo's API is."""

    finnhub_api_key: SecretStr | None = Field(None, validation_alias=_named("FINNHUB_API_KEY"))
    """The Finnhub token; with Tiingo as the source it makes Finnhub the fallback."""

    finnhub_base_url: str = Field("https://finnhub.io", validation_alias=_named("FINNHUB_BASE_URL"))
    """Where Finnhub's API is."""

    table: str | None = Field(None, validation_alias=_named("OHLC_CACHE_TABLE"))
    """The DynamoDB table; required by the store ``dynamodb``, there is no fallback name."""

    dynamodb_endpoint_url: str | None = Field(None, validation_alias=_named("AWS_ENDPOINT_URL_DYNAMODB"))
    """Where DynamoDB is, for local engines (botocore's own variable)."""

    aws_region: str | None = Field(None, validation_alias=_named("AWS_REGION", "AWS_DEFAULT_REGION"))
    """The AWS region."""

    smoke_test_api_key: SecretStr | None = Field(None, validation_alias=_named("SMOKE_TEST_API_KEY"))
    """The key that ``ohlcache smoke-test`` sends."""

    @field_validator("api_keys", "cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator(
        *("source", "clock", "tiingo_api_key", "finnhub_api_key", "smoke_test_api_key"),
        *("table", "dynamodb_endpoint_url", "aws_region"),
        mode="before",
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("data_dir")
    @classmethod
    def _home_is_meant(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("clock", mode="before")
    @classmethod
    def _iso_instant(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        # Left to itself, pydantic takes 20140609 for seconds since 1970.
        try:
            return datetime.fromisoformat(value)
        except ValueError as exc:
            raise ValueError("an ISO instant is written like 2014-06-09T14:30:00Z") from exc

    @field_validator("clock")
    @classmethod
    def _utc_unless_said(cls, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.year not in CLOCK_YEARS:
            raise ValueError(f"must lie in the years {CLOCK_YEARS[0]} to {CLOCK_YEARS[-1]}")
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value

    @field_validator("tiingo_api_key", "finnhub_api_key", "smoke_test_api_key", "api_keys")
    @classmethod
    def _fit_for_a_header(
        cls, value: SecretStr | tuple[SecretStr, ...] | None
    ) -> SecretStr | tuple[SecretStr, ...] | None:
        if isinstance(value, tuple):
            return tuple(_sendable(secret) for secret in value)
        return None if value is None else _sendable(value)

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError("an origin is written like https://example.com or http://localhost:3000, or * for all")
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name != "*" and not _HOST_NAME.fullmatch(name):
                raise ValueError("a name is written like charts.example.com, without scheme and port, or * for all")
        return value

    @field_validator("tiingo_base_url", "finnhub_base_url", "dynamodb_endpoint_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not _is_web_address(value):
            raise ValueError(
                "a web address is written like https://example.com or http://127.0.0.1:8001, without user and password"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.chosen_source is Source.TIINGO and self.tiingo_api_key is None:
            raise ValueError("TIINGO_API_KEY is not set: set it to your Tiingo token, or OHLCACHE_SOURCE=sample")
        if self.chosen_source is Source.FINNHUB and self.finnhub_api_key is None:
            raise ValueError("FINNHUB_API_KEY is not set: set it to your Finnhub token, or OHLCACHE_SOURCE=sample")
        if self.store is StoreEngine.DYNAMODB and not self.table:
            raise ValueError(
                "OHLC_CACHE_TABLE is not set: set it to the DynamoDB table's name, or OHLCACHE_STORE=sqlite"
            )
        return self

    @property
    def chosen_source(self) -> Source:
        """The source in use, the default worked out."""
        if self.source is not None:
            return self.source
        return Source.TIINGO if self.tiingo_api_key is not None else Source.SAMPLE

    @property
    def beyond_loopback(self) -> bool:
        """Whether ``host`` can be reached from another machine."""
        if self.host == "localhost":
            return False
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return True
        # For browsers, an address of IPv6 that stands for 127.0.0.1 is one of the network's.
        is_mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
        return is_mapped or not address.is_loopback

    def check_serving(self) -> None:
        """Raise ConfigurationError when the server may not start with these settings."""
        if self.beyond_loopback and not self.api_keys:
            raise ConfigurationError(
                f"OHLCACHE_API_KEYS is not set, and {self.host} can be reached from other machines.",
                hint="Set OHLCACHE_API_KEYS to one or more keys, or OHLCACHE_HOST=127.0.0.1.",
                field="OHLCACHE_API_KEYS",
            )


def _sendable(secret: SecretStr) -> SecretStr:
    """Return ``secret`` without the space around it; what no HTTP header can carry is refused."""
    text = secret.get_secret_value().strip()
    if not _HEADER_SAFE.fullmatch(text):
        raise ValueError("a key consists of visible ASCII signs, without spaces")
    return SecretStr(text)


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # a port that is no number, brackets that do not close
        return False
    named = parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    return named and (port is None or port > 0)


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment, with ``overrides`` (by field name) on top.

    Raises ConfigurationError that names every wrong variable and says what it takes; values are never repeated.
    """
    # Under the variables' names: before 2.12 pydantic-settings lets the environment win over a field's own name.
    named = {environment_name(field): value for field, value in overrides.items()}
    try:
        return Settings(**named)  # type: ignore[arg-type]
    except ValidationError as exc:
        problems = [
            _problem(error["loc"], error["msg"]) for error in exc.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("; ".join(problems), field=problems[0].split(" ")[0].rstrip(":")) from exc


def _problem(location: tuple[int | str, ...], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    return f"{environment_name(str(location[0]))}: {message}"


def environment_name(field: str) -> str:
    """Return the environment variable of a field, given its name or its alias."""
    info = Settings.model_fields.get(field)
    if info is None or not isinstance(info.validation_alias, AliasChoices):
        return field
    return str(info.validation_alias.choices[0])


def unknown_variables() -> dict[str, str]:
    """Return the environment's variables that look like ours but are none, with the one that is probably meant.

    They are no error: another version of this program may know them.
    """
    known = {environment_name(field) for field in Settings.model_fields}
    names = sorted(os.environ)  # noqa: TID251 - this is the module that may
    unknown = [name for name in names if name.upper().startswith(OWN_PREFIX) and name.upper() not in known]
    return {name: next(iter(get_close_matches(name.upper(), sorted(known), 1)), "") for name in unknown}
