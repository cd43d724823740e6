"""Codes and statuses are part of the contract: callers branch on them."""

from __future__ import annotations

import pytest

from ohlcache.domain import errors

TREE = {
    errors.OhlcacheError: ("internal_error", 500),
    errors.InvalidRequest: ("invalid_request", 400),
    errors.Unauthorized: ("unauthorized", 401),
    errors.TickerNotFound: ("ticker_not_found", 404),
    errors.IncompleteData: ("incomplete_data", 502),
    errors.VendorError: ("vendor_error", 502),
    errors.VendorUnavailable: ("vendor_unavailable", 503),
    errors.VendorGarbage: ("vendor_bad_data", 502),
    errors.QuotaExceeded: ("quota_exceeded", 429),
    errors.NotEntitled: ("not_entitled", 403),
    errors.BadVendorCredentials: ("vendor_credentials", 503),
    errors.StoreError: ("store_error", 503),
    errors.NotCleared: ("store_error", 503),
    errors.StoreRefused: ("store_refused", 503),
    errors.ConfigurationError: ("configuration_error", 500),
}


@pytest.mark.parametrize(("kind", "told"), TREE.items(), ids=lambda each: getattr(each, "__name__", ""))
def test_every_error_keeps_its_code_and_status(kind: type[errors.OhlcacheError], told: tuple[str, int]) -> None:
    """E3, E4, E19 to E23: what a program may rely on."""
    assert (kind.code, kind.status) == told


def test_no_error_is_left_out() -> None:
    """One that is new stands in the table."""
    kinds: list[type[errors.OhlcacheError]] = [errors.OhlcacheError]
    for kind in kinds:
        kinds.extend(each for each in kind.__subclasses__() if each.__module__ == errors.__name__)
    assert set(kinds) == set(TREE)


def test_a_misspelt_detail_of_missing_candles_is_refused() -> None:
    """IncompleteData takes what every error takes, and its dates; another keyword is a TypeError, not lost."""
    error = errors.IncompleteData("No.", missing=("2024-06-03",), hint="Wait.", field="range", retry_after_seconds=5.0)
    assert (error.missing, error.hint, error.field, error.retry_after_seconds) == (
        ("2024-06-03",),
        "Wait.",
        "range",
        5.0,
    )
    with pytest.raises(TypeError, match="reason"):
        errors.IncompleteData("No.", reason="halted")  # type: ignore[call-arg]
