"""``GET /api/v2/tickers/{ticker}/ohlc``: candles, in the form the caller reads best, with headers that say whence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ohlcache.domain.answer import IN_MEMORY
from ohlcache.domain.market_time import iso_instant
from ohlcache.http.conditional import is_held, wants_retry
from ohlcache.http.messages import Response
from ohlcache.http.negotiation import Coding, Format, choose_coding, choose_format
from ohlcache.http.query import parse_flag, parse_query
from ohlcache.http.replay import MINUTE_SECONDS, Replay
from ohlcache.http.representations import Encoder

if TYPE_CHECKING:
    from ohlcache.domain.answer import Answer, Served
    from ohlcache.domain.request import CandleRequest
    from ohlcache.http.lifecycle import Lifecycle
    from ohlcache.http.messages import Header, Request
    from ohlcache.http.representations import Representation
    from ohlcache.service.read_through import ReadThrough

PARAMETERS = ("range", "start_date", "end_date", "resolution", "adjust", "partial", "format")
PARSED_TARGETS_MAX = 4096

_REVALIDATE = (b"cache-control", b"private, max-age=0, must-revalidate")
_VARY = (b"vary", b"Accept, Accept-Encoding")


class OhlcResource:
    """Answers requests for candles."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self._lifecycle = lifecycle
        self._encoder = Encoder(self._weigh)
        self._parsed: dict[tuple[str, bytes], tuple[CandleRequest, Format | None]] = {}
        self._parsed_minute = 0

    async def get(self, request: Request) -> Response:
        """Return the candles asked for, or 304 when the caller has them."""
        cache = self._lifecycle.cache
        wanted, form = self._parse(cache, request)
        minute = self._parsed_minute
        headers = request.headers
        if form is None:
            form = choose_format(headers.get(b"accept", b""))
        coding = choose_coding(headers.get(b"accept-encoding", b""))
        retry = wants_retry(headers)
        served = await cache.get(wanted, retry=retry)
        shown = self._encoder.kept(served.answer, form, coding)
        if shown is None:
            shown = await self._encoder.represent(served.answer, form, coding)
        fields = provenance_headers(served, shown, cache.clock.now())
        held = headers.get(b"if-none-match")
        replay = None
        if served.tier == IN_MEMORY and not served.degraded and not retry:
            replay = Replay(cache, wanted, served.answer, form, coding, held, self._encoder, minute=minute)
        if held is not None and is_held(held, shown.etag):
            return Response(304, fields, tier=served.tier, replay=replay)
        fields.append((b"content-type", form.content_type))
        if shown.coding is not Coding.IDENTITY:
            fields.append((b"content-encoding", shown.coding.encode()))
        return Response(200, fields, shown.body, tier=served.tier, replay=replay)

    def _weigh(self, answer: Answer) -> None:
        cache = self._lifecycle.opened
        if cache is not None:
            cache.grown(answer)

    def _parse(self, cache: ReadThrough, request: Request) -> tuple[CandleRequest, Format | None]:
        """Return the request and its ``format=``, remembered per target.

        What a target means changes only at midnight and when a session becomes due, and both fall on whole minutes of
        market time: within one minute the same target is the same request.
        """
        minute = int(cache.as_of() // MINUTE_SECONDS)
        if minute != self._parsed_minute or len(self._parsed) >= PARSED_TARGETS_MAX:
            self._parsed.clear()
            self._parsed_minute = minute
        target = (request.params[0], request.query)
        parsed = self._parsed.get(target)
        if parsed is None:
            parsed = self._parsed[target] = _parse_target(cache, *target)
        return parsed


def _parse_target(cache: ReadThrough, ticker: str, query: bytes) -> tuple[CandleRequest, Format | None]:
    fields = parse_query(query, PARAMETERS)
    form = Format.parse(fields["format"]) if "format" in fields else None
    parse_flag(fields.get("partial", "false"), "partial")  # what is held is given with and without it
    wanted = cache.parse(
        ticker,
        range=fields.get("range"),
        start_date=fields.get("start_date"),
        end_date=fields.get("end_date"),
        resolution=fields.get("resolution", "D"),
        adjust=fields.get("adjust"),
    )
    return wanted, form


def provenance_headers(served: Served, shown: Representation, now: float) -> list[Header]:
    """Return the headers that say whence an answer comes, how old it is, and how to ask whether it has changed."""
    answer = served.answer
    fields: list[Header] = [
        (b"etag", shown.etag),
        _REVALIDATE,
        _VARY,
        (b"x-cache-source", served.tier.encode()),
        (b"x-cache-age", b"%d" % served.age_seconds),
        (b"x-cache-key", answer.request.cache_key.encode()),
        (b"x-cache-complete", b"true" if answer.certificate.complete else b"false"),
        (b"cache-status", _cache_status(served, now)),
    ]
    if served.degraded:
        fields.append((b"x-cache-degraded", b"true"))
    if answer.stale:
        fields.append((b"x-cache-stale", b"true"))
    if answer.shortfall is not None:
        fields.append((b"x-cache-reason", answer.shortfall.code.encode()))
    missing = answer.certificate.missing
    if missing:
        fields.append((b"x-cache-missing", f"{len(missing)}; first={missing[0]}; last={missing[-1]}".encode()))
    if answer.data_until is not None:
        fields.append((b"x-data-until", iso_instant(answer.data_until).encode()))
    if answer.synthetic:
        fields.append((b"x-data-synthetic", b"true"))
    return fields


def _cache_status(served: Served, now: float) -> bytes:
    """Return how the answer was come by (RFC 9211); a store is a cache like the memory tier, a vendor is the origin."""
    life = served.answer.fresh_until - now
    ttl = b"; ttl=%d" % life if math.isfinite(life) else b""
    if served.tier == served.answer.source:
        return b"ohlcache; fwd=uri-miss%b%b" % (b"; stored" if served.believed and not served.degraded else b"", ttl)
    return b"ohlcache; hit%b; detail=%b" % (ttl, served.tier.encode())
