"""Everything that can go wrong, as one tree.

::

    OhlcacheError
    ├── InvalidRequest            400  the caller asked for something that cannot be
    ├── Unauthorized              401  no API key, or a wrong one
    ├── TickerNotFound            404  no vendor knows the ticker
    ├── IncompleteData            502  candles that must exist could not be had
    ├── VendorError               502  the vendor did not deliver
    │   ├── VendorUnavailable     503  time-out, reset, 5xx: worth another try
    │   ├── VendorGarbage         502  an answer that cannot be true
    │   ├── QuotaExceeded         429  the vendor's allowance is used up
    │   ├── NotEntitled           403  not in the vendor plan of the key
    │   └── BadVendorCredentials  503  the vendor refused the key
    ├── StoreError                503  no request for candles fails for it: the walk goes on without the store
    │   ├── NotCleared            503  an invalidation reached memory, but not the store
    │   └── StoreRefused          503  the database is damaged, newer, or of another program
    └── ConfigurationError             raised at start-up, names the setting

Each carries a stable ``code``, a ``message`` that says what and where, and a ``hint`` that says what to do next.
None of the three ever names an internal system, path, key or trace.
"""

from __future__ import annotations


class OhlcacheError(Exception):
    """The root of the tree: a stable ``code``, an HTTP ``status``, a ``message`` and a ``hint``."""

    code = "internal_error"
    status = 500
    default_hint = "Try again; if it persists, tell the operator the request id."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint
        self.field = field
        self.retry_after_seconds = retry_after_seconds


class InvalidRequest(OhlcacheError):
    """The request cannot be answered by anybody; ``field`` names the part to mend."""

    code = "invalid_request"
    status = 400
    default_hint = "Mend the named field and ask again."


class Unauthorized(OhlcacheError):
    """The API key is missing or wrong."""

    code = "unauthorized"
    status = 401
    default_hint = "Send a valid key in the header X-API-Key (or Authorization: Bearer …)."


class TickerNotFound(OhlcacheError):
    """The vendor does not know the ticker."""

    code = "ticker_not_found"
    status = 404
    default_hint = "Please check the spelling; class shares take a dot, as in BRK.B."


class IncompleteData(OhlcacheError):
    """Candles that the exchange calendar demands could not be had; ``missing`` lists their market dates."""

    code = "incomplete_data"
    status = 502
    default_hint = "Try again in a minute."

    def __init__(
        self,
        message: str,
        *,
        missing: tuple[str, ...] = (),
        hint: str | None = None,
        field: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, field=field, retry_after_seconds=retry_after_seconds)
        self.missing = missing


class IncompleteDataWarning(UserWarning):
    """A table that the library returned is stale or lacks sessions, because the vendor did not deliver them."""


class VendorError(OhlcacheError):
    """The vendor did not deliver."""

    code = "vendor_error"
    status = 502
    default_hint = "Try again in a minute."


class VendorUnavailable(VendorError):
    """A time-out, a dropped connection or a 5xx: the next try may work."""

    code = "vendor_unavailable"
    status = 503
    default_hint = "The data vendor does not answer at the moment; try again shortly."


class VendorGarbage(VendorError):
    """The vendor's answer cannot be true (not parseable, impossible prices, or nothing where there must be)."""

    code = "vendor_bad_data"
    status = 502
    default_hint = "Nothing of the answer was kept; try again in a minute."


class QuotaExceeded(VendorError):
    """The vendor's allowance is used up; ``retry_after_seconds`` says when it is worth asking again.

    ``stated_by_vendor``: the vendor itself gave that time, it was not worked out from the kind of the allowance;
    ``new_tickers_only``: the month's number of symbols is used up, so those asked for before may still be asked for.
    """

    code = "quota_exceeded"
    status = 429
    default_hint = "Wait until the vendor allows more; what is already cached is still served."

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        field: str | None = None,
        retry_after_seconds: float | None = None,
        stated_by_vendor: bool = False,
        new_tickers_only: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, field=field, retry_after_seconds=retry_after_seconds)
        self.stated_by_vendor = stated_by_vendor
        self.new_tickers_only = new_tickers_only


class NotEntitled(VendorError):
    """The vendor key's plan does not include this data."""

    code = "not_entitled"
    status = 403
    default_hint = "Choose another resolution or range, or upgrade the vendor plan."


class BadVendorCredentials(VendorError):
    """The vendor refused the key that this cache was set up with."""

    code = "vendor_credentials"
    status = 503
    default_hint = "The operator has to renew the vendor key of this cache."


class StoreError(OhlcacheError):
    """The store failed. Who asks for candles never sees it: the walk goes on from memory and vendor."""

    code = "store_error"
    status = 503


class NotCleared(StoreError):
    """A ticker that is invalidated may still be in the store; what this process had in memory is cleared."""


class StoreRefused(StoreError):
    """The database cannot be used (corrupt, newer, foreign); the message says what to do, the file is untouched."""

    code = "store_refused"


class ConfigurationError(OhlcacheError):
    """A setting is missing or wrong; ``field`` is its name."""

    code = "configuration_error"
    default_hint = "Set the named variable and start again."
