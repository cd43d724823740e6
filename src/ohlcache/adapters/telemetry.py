"""Logs and metrics of one process: structured lines on one stream, numbers in a registry.

A line carries the instant, the level, the event and its fields, and the id of the request it belongs to: whoever
answers a request sets ``REQUEST_ID``, and every line written on its behalf, in whichever layer, task or worker
thread, shows it. Secrets that were made known are blotted out of every line, however they came into it.
Nothing here raises: no request fails because it could not be logged or counted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO
from urllib.parse import quote

import msgspec

from ohlcache.adapters.prometheus import MetricRegistry
from ohlcache.ports import Level

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ohlcache.ports import Clock, Metric

REQUEST_ID: ContextVar[str | None] = ContextVar("ohlcache_request_id", default=None)
"""The id of the request that the running code works for; None outside of one."""

BLOT = "[redacted]"
SECRET_CHARACTERS_MIN = 4
"""Shorter "secrets" are not blotted out: their letters are in every other word."""

_LOUDNESS = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
_CREDENTIAL = re.compile(
    r"(?i)((?:token|api[-_]?key|secret|password|authorization)[\\\"']*\s*[=:]\s*[\\\"']*(?:bearer |token )?)"
    r"[^\s\\\"'&,;}]{4,}"
)


class StandardTelemetry:
    """A Telemetry (see ports) that writes lines to ``stream`` and counts in ``registry``.

    ``json_lines``: one JSON object a line, else readable text. ``secrets`` never appear in a line.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        level: Level = Level.INFO,
        json_lines: bool = True,
        stream: TextIO | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self.registry = MetricRegistry()
        self._clock = clock
        self._loudness_min = _LOUDNESS[level]
        self._layout = _json_line if json_lines else _text_line
        self._stream = stream if stream is not None else sys.stderr
        self._secrets: tuple[str, ...] = ()
        self.conceal(secrets)

    def conceal(self, secrets: Iterable[str]) -> None:
        """Blot ``secrets`` out of every later line, also where they are escaped or percent-encoded."""
        known = {secret for secret in secrets if len(secret) >= SECRET_CHARACTERS_MIN}
        spellings = {form for secret in known for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
        # The longest first, so that a secret that begins with another one leaves no tail.
        self._secrets = tuple(sorted({*self._secrets, *spellings}, key=len, reverse=True))

    def count(self, metric: Metric, value: float = 1, **labels: str) -> None:
        """Add ``value`` to a counter."""
        try:
            self.registry.count(metric, value, labels)
        except Exception as exc:  # noqa: BLE001 - counting must not fail what is counted
            self._report(exc)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Record one measured value, in seconds."""
        try:
            self.registry.observe(metric, value, labels)
        except Exception as exc:  # noqa: BLE001 - measuring must not fail what is measured
            self._report(exc)

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one line, unless ``level`` is quieter than asked for."""
        if _LOUDNESS[level] < self._loudness_min:
            return
        try:
            line = self._layout(self._clock.now(), level, event, REQUEST_ID.get(), fields)
            self._stream.write(self._blotted(line, level) + "\n")
        except Exception as exc:  # noqa: BLE001 - logging must not fail what is logged
            self._report(exc)

    def render(self) -> str:
        """Return the metrics as Prometheus text."""
        return self.registry.render()

    def _blotted(self, line: str, level: Level) -> str:
        for secret in self._secrets:
            if secret in line:
                line = line.replace(secret, BLOT)
        # Errors quote what others wrote: there a credential is looked for by its shape, too.
        return line if level in {Level.DEBUG, Level.INFO} else _CREDENTIAL.sub(rf"\1{BLOT}", line)

    def _report(self, exc: Exception) -> None:
        """Say that a line was lost, as far as that can still be said."""
        with contextlib.suppress(Exception):  # when the stream itself is gone, there is nobody left to tell
            self._stream.write(f'{{"level":"ERROR","event":"telemetry failed","error":"{type(exc).__name__}"}}\n')


def _json_line(instant: float, level: Level, event: str, request_id: str | None, fields: dict[str, object]) -> str:
    head = {"at": _iso_millis(instant), "level": level.value, "event": event}
    if request_id is not None:
        head["request_id"] = request_id
    try:
        return msgspec.json.encode({**head, **fields}, enc_hook=str).decode()
    except (TypeError, ValueError):
        # A field that has no JSON form (a lone surrogate, a map keyed by objects) is shown as Python shows it.
        return json.dumps({**head, **{name: ascii(value) for name, value in fields.items()}})


def _text_line(instant: float, level: Level, event: str, request_id: str | None, fields: dict[str, object]) -> str:
    words = [_iso_millis(instant), f"{level.value:<7}", event]
    words += [f"{name}={_text_value(value)}" for name, value in fields.items()]
    if request_id is not None:
        words.append(f"request_id={request_id}")
    return " ".join(words)


def _text_value(value: object) -> str:
    text = str(value)
    # A quoted value keeps a line one line.
    return text if text.isprintable() and " " not in text else ascii(text)


def _iso_millis(instant: float) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(instant % 1 * 1000):03d}Z"


class LoggingBridge(logging.Handler):
    """Brings the log records of libraries to a telemetry, so that they come out in one form, secrets blotted out."""

    def __init__(self, telemetry: StandardTelemetry) -> None:
        super().__init__(logging.WARNING)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        """Write ``record`` as a line of the event ``library message``."""
        level = Level.ERROR if record.levelno >= logging.ERROR else Level.WARNING
        try:
            fields: dict[str, object] = {"logger": record.name, "message": record.getMessage()}
            if record.exc_info is not None:
                fields["traceback"] = "".join(traceback.format_exception(*record.exc_info))
        except Exception:  # noqa: BLE001 - a library's malformed record is the library's error
            self.handleError(record)
            return
        self._telemetry.log(level, "library message", **fields)
