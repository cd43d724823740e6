"""What Lambda lets a function answer: how late, and how long.

Lambda kills the whole environment at the time-out, and with it what other requests had warmed; an answer longer than
its payload is a failed invocation whose caller is not told why. So the function says both itself, in time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ohlcache.http.app import Bounds

if TYPE_CHECKING:
    from ohlcache.http.app import Message

MARGIN_SECONDS = 1.5
"""What is kept back of the function's time: for the answer, the last writes, and the metrics."""
PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
"""The most that Lambda takes as the answer of one invocation, as JSON."""
HEADER_BYTES_MAX = 32 * 1024


def seconds_left(scope: Message) -> float:
    """Return how long the request of ``scope`` may take; Mangum puts Lambda's context there."""
    return float(scope["aws.context"].get_remaining_time_in_millis()) / 1000 - MARGIN_SECONDS


# In a payload, base64 makes three bytes four; the quotes of JSON text, escaped, make it longer by less than that.
BOUNDS = Bounds(body_bytes_max=(PAYLOAD_BYTES_MAX - HEADER_BYTES_MAX) * 3 // 4, seconds_left=seconds_left)
