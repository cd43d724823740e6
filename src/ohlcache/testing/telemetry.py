"""Telemetry that remembers what it was told, so that a test can ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.ports import Level, Metric


@dataclass(frozen=True, slots=True)
class Measurement:
    """One counted or observed value."""

    metric: Metric
    value: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One log line."""

    level: Level
    event: str
    fields: Mapping[str, object]


@dataclass(slots=True)
class RecordingTelemetry:
    """Implements ``ohlcache.ports.Telemetry``; ``counted``, ``observed`` and ``lines`` are in order of arrival."""

    counted: list[Measurement] = field(default_factory=list)
    observed: list[Measurement] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def count(self, metric: Metric, value: float = 1, **labels: str) -> None:
        """Remember an addition to a counter."""
        self.counted.append(Measurement(metric, value, labels))

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Remember a measured value."""
        self.observed.append(Measurement(metric, value, labels))

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Remember a line."""
        self.lines.append(Line(level, event, fields))

    def total(self, metric: Metric, **labels: str) -> float:
        """Return what was counted of ``metric`` with at least these labels."""
        return sum(m.value for m in self.counted if m.metric is metric and labels.items() <= m.labels.items())

    def values(self, metric: Metric, **labels: str) -> list[float]:
        """Return what was observed of ``metric`` with at least these labels."""
        return [m.value for m in self.observed if m.metric is metric and labels.items() <= m.labels.items()]

    def events(self, level: Level | None = None) -> list[str]:
        """Return the events logged, of one level or of all."""
        return [line.event for line in self.lines if level is None or line.level is level]

    def text(self) -> str:
        """Return everything that was remembered as text, to search for what must never be there."""
        return "\n".join(map(repr, [*self.counted, *self.observed, *self.lines]))

    def clear(self) -> None:
        """Forget everything."""
        for remembered in (self.counted, self.observed, self.lines):
            remembered.clear()
