"""Errors at the edge: those that only HTTP knows, and how every error becomes an answer.

The tree of domain/errors.py is translated here and nowhere else. What is not in the tree is our bug: it is logged with
its trace, and the caller gets a request id instead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ohlcache.domain.errors import (
    ConfigurationError,
    IncompleteData,
    NotCleared,
    OhlcacheError,
    QuotaExceeded,
    StoreError,
    Unauthorized,
    VendorUnavailable,
)
from ohlcache.http.messages import json_response

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ohlcache.http.messages import Response

RETRY_AFTER_QUOTA_SECONDS = 60.0
RETRY_AFTER_OUTAGE_SECONDS = 5.0
RETRY_AFTER_START_SECONDS = 1.0


class NoSuchPath(OhlcacheError):
    """Nothing is served under the path."""

    code = "not_found"
    status = 404
    default_hint = "Please check the path; GET /openapi.json lists every one."


class MethodNotAllowed(OhlcacheError):
    """The path exists, but not for this method; ``allowed`` are the methods it takes."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"This path does not take {method[:20]!r}.", hint=f"Use one of {self.allowed}.")


class NotAcceptable(OhlcacheError):
    """None of the formats that the caller takes can be given."""

    code = "not_acceptable"
    status = 406


class BodyTooLarge(OhlcacheError):
    """The request's body is longer than any that makes sense here."""

    code = "too_large"
    status = 413
    default_hint = "Send no body."


class TargetTooLong(OhlcacheError):
    """Path and query together are longer than any that makes sense here."""

    code = "uri_too_long"
    status = 414
    default_hint = "Shorten the path or the query."


class HeadTooLarge(OhlcacheError):
    """The request's headers are longer than any that make sense here."""

    code = "headers_too_large"
    status = 431
    default_hint = "Send fewer or shorter headers."


class InvalidHost(OhlcacheError):
    """The head of a request leaves open which host it means."""

    code = "invalid_host"
    status = 400
    default_hint = "Send one Host header, and the same host in the target where it has one."


class ForeignHost(OhlcacheError):
    """The request calls the server by a name that is not its own, as a page does whose name was pointed here."""

    code = "foreign_host"
    status = 403
    default_hint = "Call it localhost or 127.0.0.1, or let the operator add the name to OHLCACHE_ALLOWED_HOSTS."


class ForeignOrigin(OhlcacheError):
    """A page of another site asked for something; browsers do that on a visitor's behalf."""

    code = "foreign_origin"
    status = 403
    default_hint = "Call it from the page's own site, or let the operator allow the origin in OHLCACHE_CORS_ORIGINS."


class NotReady(OhlcacheError):
    """The cache is not open yet, or is closing."""

    code = "not_ready"
    status = 503
    default_hint = "Ask again in a moment."


def error_response(error: OhlcacheError, request_id: str, *, as_detail: bool = False) -> Response:
    """Return ``error`` as an answer that no cache keeps; only what is meant for callers is in it.

    ``as_detail``: in one sentence, as Tiingo's clients expect it.
    """
    shown = _public(error)
    content: dict[str, object] = {"code": shown.code, "message": shown.message, "hint": shown.hint}
    if shown.field is not None:
        content["field"] = shown.field
    wait = _wait_seconds(shown)
    if wait is not None:
        content["retry_after_seconds"] = wait
    if isinstance(shown, IncompleteData) and shown.missing:
        content["missing"] = shown.missing
    content["request_id"] = request_id
    detail = {"detail": f"Error: {shown.message} {shown.hint}".rstrip()}
    response = json_response(detail if as_detail else {"error": content}, status=shown.status)
    if wait is not None:
        response.headers.append((b"retry-after", b"%d" % wait))
    if isinstance(shown, MethodNotAllowed):
        response.headers.append((b"allow", shown.allowed.encode()))
    if isinstance(shown, Unauthorized):
        response.headers.append((b"www-authenticate", b"Bearer"))
    if isinstance(shown, (BodyTooLarge, InvalidHost)):
        # What is left of the body would be taken for the next request; a head with two meanings hides a second one.
        response.headers.append((b"connection", b"close"))
    return response


def internal_error() -> OhlcacheError:
    """Return what a caller is told of a bug: nothing but how to report it."""
    return OhlcacheError("Something went wrong on our side.")


def _public(error: OhlcacheError) -> OhlcacheError:
    """Return ``error``, or what stands for it where its words are meant for the operator."""
    if isinstance(error, NotCleared):
        return NotCleared(error.message, hint="Try again in a minute.")
    if isinstance(error, StoreError):
        stand_in = StoreError(
            "The store does not answer, so this could not be done, or not everywhere.", hint="Try again in a minute."
        )
        stand_in.code = StoreError.code
        return stand_in
    if isinstance(error, ConfigurationError):
        return internal_error()
    return error


def _wait_seconds(error: OhlcacheError) -> int | None:
    """Return after how many whole seconds asking again is worthwhile, None where waiting does not help."""
    seconds = error.retry_after_seconds
    if seconds is None:
        defaults: tuple[tuple[type[OhlcacheError], float], ...] = (
            (QuotaExceeded, RETRY_AFTER_QUOTA_SECONDS),
            (VendorUnavailable, RETRY_AFTER_OUTAGE_SECONDS),
            (NotReady, RETRY_AFTER_START_SECONDS),
        )
        seconds = next((default for kind, default in defaults if isinstance(error, kind)), None)
    if seconds is None or not math.isfinite(seconds):
        return None
    return max(1, math.ceil(seconds))
