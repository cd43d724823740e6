"""Settings for commands that work on the DynamoDB table itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from ohlcache.settings import Settings


def table_settings(table: str | None, *, region: str | None = None) -> Settings:
    """Return the environment's settings, with ``table`` and ``region`` in place of what it says, if given.

    Raises ConfigurationError that names OHLC_CACHE_TABLE when neither says which table.
    """
    from ohlcache.library.connecting import quiet_settings  # noqa: PLC0415 - only for a command that runs

    given = {"table": table, "aws_region": region}
    settings = quiet_settings({name: value for name, value in given.items() if value is not None})
    if not settings.table:
        raise ConfigurationError(
            "OHLC_CACHE_TABLE is not set: it names the DynamoDB table.",
            hint="Set it, or give --table NAME.",
            field="OHLC_CACHE_TABLE",
        )
    return settings
