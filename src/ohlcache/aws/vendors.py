"""The vendors of a Lambda function: as assembly builds them, but with keys that may live in Secrets Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.adapters.secrets import SecretKey, SecretReference
from ohlcache.adapters.vendors.vendor_key import FixedKey
from ohlcache.assembly import build_vendors
from ohlcache.settings import Settings, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import SecretStr

    from ohlcache.adapters.telemetry import StandardTelemetry
    from ohlcache.adapters.vendors.vendor_key import VendorKey
    from ohlcache.domain.sessions import SessionTable
    from ohlcache.ports import CandleVendor, Clock


def build_function_vendors(
    settings: Settings, calendar: SessionTable, telemetry: StandardTelemetry, clock: Clock
) -> Sequence[CandleVendor]:
    """Return the chosen source, and after it whoever can stand in; keys are read with the first call."""
    if settings.chosen_source is Source.SAMPLE:
        return build_vendors(settings, calendar, telemetry, clock)
    from ohlcache.adapters.vendors.finnhub import FinnhubVendor  # noqa: PLC0415 - only what is chosen
    from ohlcache.adapters.vendors.tiingo import TiingoVendor  # noqa: PLC0415 - only what is chosen

    def key_of(secret: SecretStr) -> VendorKey:
        reference = SecretReference.parse(secret.get_secret_value())
        if reference is None:
            return FixedKey(secret.get_secret_value())
        return SecretKey(
            reference, region=settings.aws_region, clock=clock, telemetry=telemetry, conceal=telemetry.conceal
        )

    vendors: list[CandleVendor] = []
    if settings.chosen_source is Source.TIINGO and settings.tiingo_api_key is not None:
        vendors.append(
            TiingoVendor(
                base_url=settings.tiingo_base_url,
                key=key_of(settings.tiingo_api_key),
                clock=clock,
                telemetry=telemetry,
                timeout_seconds=settings.vendor_timeout_seconds,
                calls_per_hour=settings.vendor_calls_per_hour,
            )
        )
    if settings.finnhub_api_key is not None:
        vendors.append(
            FinnhubVendor(
                base_url=settings.finnhub_base_url,
                key=key_of(settings.finnhub_api_key),
                clock=clock,
                telemetry=telemetry,
                timeout_seconds=settings.vendor_timeout_seconds,
            )
        )
    return vendors
