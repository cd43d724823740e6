"""What the service needs of the world, as small protocols; adapters provide them, assembly joins them.

Frozen values in, frozen values out: no SDK object, no vendor JSON and no HTTP request crosses a port.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ohlcache.domain.adjustment import Adjustment
    from ohlcache.domain.chunks import Chunk
    from ohlcache.domain.observation import VendorAnswer
    from ohlcache.domain.plan import SliceLimit
    from ohlcache.domain.resolution import Resolution
    from ohlcache.domain.series import Series
    from ohlcache.domain.span import Span


class Clock(Protocol):
    """Time as an argument: the only way for domain and service to learn or to wait."""

    def now(self) -> float:
        """Return the current instant: epoch seconds, UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for ``seconds`` of this clock."""
        ...


# --- the store ---------------------------------------------------------------------------------------------------

STORE_SECONDS_MAX = 2.0
"""How long a request waits for one operation of the store; after that it goes on without the store."""


class CandleStore(Protocol):
    """The durable tier: chunks in, chunks out. Any failure is raised as StoreError."""

    @property
    def name(self) -> str:
        """The tier's name in ``X-Cache-Source``: ``sqlite``, ``dynamodb`` or ``memory``."""
        ...

    async def read(self, series: Series, span: Span, *, strongly: bool = False) -> Sequence[Chunk]:
        """Return every whole, readable chunk of ``series`` that overlaps ``span``, in any order.

        ``strongly``: what was written before this call, by anybody, is seen. A chunk that cannot be decoded is left
        out, logged and counted, never raised. Expired chunks may be among the result: readers judge expiry.
        """
        ...

    async def write(self, chunks: Sequence[Chunk], *, delete: Sequence[Chunk] = ()) -> None:
        """Keep ``chunks``, then drop ``delete``. Each chunk is whole or absent to any reader, also after a kill."""
        ...

    async def delete_ticker(self, ticker: str) -> int:
        """Drop every chunk of every series of ``ticker``; return how many there were."""
        ...

    async def tickers(self) -> Sequence[str]:
        """Return the tickers of which something is held, sorted."""
        ...

    async def usage(self) -> StoreUsage:
        """Return how much is held."""
        ...

    async def close(self) -> None:
        """Release every resource; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """What a store holds: ``bytes`` as stored, headers and indexes included where the engine tells."""

    chunks: int
    candles: int
    bytes: int
    tickers: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch one key until ``expires_at``; ``fence`` rises with every holder of the key."""

    key: str
    holder: str
    fence: int
    expires_at: float


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """That somebody else has the lease. ``failure``: set once that holder has given up, with what went wrong."""

    key: str
    fence: int
    expires_at: float
    failure: FailureNote | None = None


@dataclass(frozen=True, slots=True)
class FailureNote:
    """Why a holder gave up: the fields of the error its waiters raise too."""

    code: str
    message: str
    hint: str
    retry_after_seconds: float | None = None


class LeaseTable(Protocol):
    """Leases across processes and machines, by conditional write. Any failure is raised as StoreError."""

    async def acquire(
        self, key: str, holder: str, *, now: float, life_seconds: float, displacing: int | None = None
    ) -> Lease | LeaseTaken:
        """Take the lease if it is free, released or expired at ``now``, or held with the fence ``displacing``.

        Exactly one of any number of simultaneous callers gets it. A new holder's fence is one above the last one's.
        """
        ...

    async def look(self, key: str, *, now: float) -> LeaseTaken | None:
        """Return who has the lease (strongly consistent), None when it is free; a released failure is still shown."""
        ...

    async def release(self, lease: Lease, *, failure: FailureNote | None = None) -> None:
        """Give the lease back, if it is still this holder's (holder and fence); otherwise do nothing.

        With ``failure`` the note stays readable through ``look`` (the lease itself is free) for those who were waiting.
        """
        ...


# --- the vendor ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VendorTraits:
    """What a vendor can do.

    ``limits``: per resolution, how much one call may ask; resolutions absent here are not served.
    ``adjustments``: per resolution, what a caller may ask for, the default first. Raw series are adjusted on reading.
    ``pre_adjusted``: resolutions whose prices arrive already adjusted for splits, so history is rewritten by a split.
    ``data_until``: the instant at which the data ends, None for a live vendor; ``synthetic``: derived resolutions.
    """

    limits: Mapping[Resolution, SliceLimit]
    adjustments: Mapping[Resolution, tuple[Adjustment, ...]]
    pre_adjusted: frozenset[Resolution] = frozenset()
    data_until: float | None = None
    synthetic: frozenset[Resolution] = frozenset()


@dataclass(frozen=True, slots=True)
class TickerInfo:
    """A ticker that a vendor knows, for suggestions."""

    ticker: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class QuotaState:
    """What is known of the vendor's allowance: calls made by this process in this hour, and how many it may make.

    ``blocked_until``: when it is worth asking again, by the vendor's own word or by the allowance.
    """

    calls: int
    allowance: int | None = None
    blocked_until: float | None = None


class CandleVendor(Protocol):
    """A market-data vendor. Failures are raised as TickerNotFound or a VendorError."""

    @property
    def name(self) -> str:
        """The source's name in keys, answers and ``X-Cache-Source``: ``tiingo``, ``finnhub``, ``sample``."""
        ...

    @property
    def traits(self) -> VendorTraits:
        """What the vendor can do."""
        ...

    async def prepare(self) -> None:
        """Get ready to ask without asking anybody: what is slow the first time must not use up a lease."""
        ...

    async def fetch(self, series: Series, span: Span) -> VendorAnswer:
        """Return everything the vendor has of ``series`` in ``span``, in exactly one call."""
        ...

    async def listing(self, series: Series, span: Span) -> Span | None:
        """Return the first and last date of the ticker's daily candles, to explain that ``span`` has none.

        One call at most, made only when an empty answer needs a second word. None when the vendor cannot tell; a
        failure is that, too, and is not raised.
        """
        ...

    async def suggest(self, text: str, limit: int) -> Sequence[TickerInfo]:
        """Return known tickers that match ``text``, best first; empty where the vendor has no list."""
        ...

    def quota(self) -> QuotaState:
        """Return what is known of the allowance."""
        ...

    async def key_replaced(self) -> bool:
        """Read the key again; return whether it is another one than the vendor refused last. Asks no vendor."""
        ...

    async def check(self) -> str:
        """Ask the vendor for a sign of life; return a sentence for an operator, or raise a VendorError."""
        ...

    async def close(self) -> None:
        """Release every resource; idempotent."""
        ...


# --- telemetry -----------------------------------------------------------------------------------------------------


class Metric(StrEnum):
    """Everything that is counted. The first four alert."""

    CACHE_ERROR = "CacheError"
    CIRCUIT_BREAKER_OPEN = "CircuitBreakerOpen"
    CACHE_PAGINATION_TRUNCATION = "CachePaginationTruncation"
    UNPROCESSED_WRITE_ITEMS = "UnprocessedWriteItems"
    REQUESTS = "Requests"
    """Answered requests, by ``tier``."""
    REQUEST_FAILURES = "RequestFailures"
    """Requests that ended in an error, by ``code``."""
    VENDOR_CALLS = "VendorCalls"
    """Calls made to a vendor, by ``source`` and ``outcome``."""
    VENDOR_SECONDS = "VendorSeconds"
    """How long vendor calls took, in seconds, by ``source``."""
    SHARED_FETCHES = "SharedFetches"
    """Requests that waited for a fetch of another instead of making their own, by ``scope`` (process, lease)."""
    STALE_ANSWERS = "StaleAnswers"
    """Answers given from older data because the vendor was down."""
    CORRUPT_CHUNKS = "CorruptChunks"
    """Stored values that could not be decoded and were ignored."""
    VENDOR_ROWS_REJECTED = "VendorRowsRejected"
    """Rows of vendors' replies that cannot be true and were left out, by ``source``."""
    HTTP_SECONDS = "HttpSeconds"
    """How long HTTP requests took, in seconds, by ``route`` and ``status``."""


class Level(StrEnum):
    """How loud a log line is."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


class Telemetry(Protocol):
    """Logs and metrics. Never raises: no request fails because it could not be counted."""

    def count(self, metric: Metric, value: float = 1, **labels: str) -> None:
        """Add ``value`` to a counter."""
        ...

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Record one measured value."""
        ...

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one structured line; ``event`` is a short stable phrase, never with data in it."""
        ...


@dataclass(frozen=True, slots=True)
class BreakerState:
    """What a circuit breaker is doing: ``closed``, ``open`` or ``half-open``, and until when it stays open."""

    name: str
    state: str
    failures: int = 0
    open_until: float | None = field(default=None)
