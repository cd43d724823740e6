"""Telemetry of one Lambda function: lines by Powertools' Logger, metrics in the embedded metric format (EMF).

CloudWatch makes metrics of the EMF lines by itself, so counting costs no call. Every combination of dimensions is a
metric that is paid for by the month; so the four alerting metrics and most others have only ``service`` (the stack),
and those that a dashboard splits have one label more.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from ohlcache.adapters.telemetry import REQUEST_ID, StandardTelemetry
from ohlcache.ports import Level, Metric

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from ohlcache.ports import Clock

METRIC_NAMESPACE = "ohlcache"

DIMENSION_OF = {
    Metric.REQUESTS: "tier",
    Metric.REQUEST_FAILURES: "code",
    Metric.VENDOR_CALLS: "outcome",
}
"""The one label that is a dimension, for metrics that have one."""

_RESERVED = frozenset(
    {"name", "msg", "message", "args", "asctime", "level", "location", "timestamp", "service", "correlation_id"}
    | {"exc_info", "stack_info", "extra", "stacklevel", "module", "filename", "lineno", "process", "thread"}
)
"""Words that ``logging`` or Powertools keep for themselves."""


class LambdaTelemetry(StandardTelemetry):
    """A Telemetry that writes what CloudWatch reads; ``flush`` at the end of every invocation.

    The service's name, a dimension of every metric, is Powertools' own setting ``POWERTOOLS_SERVICE_NAME``.
    """

    def __init__(
        self, clock: Clock, *, level: Level = Level.INFO, secrets: Iterable[str] = (), stream: TextIO | None = None
    ) -> None:
        super().__init__(clock, level=level, secrets=secrets, stream=stream)
        self.logger = Logger(
            level=level.value,
            stream=stream,
            json_serializer=self._serialised,
            location=None,
            use_rfc3339=True,
            utc=True,
        )
        self._metrics: dict[tuple[str, str] | None, EphemeralMetrics] = {}

    def count(self, metric: Metric, value: float = 1, **labels: str) -> None:
        """Add ``value`` to a counter."""
        super().count(metric, value, **labels)
        self._add(metric, MetricUnit.Count, value, labels)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        """Record one measured value, in seconds."""
        super().observe(metric, value, **labels)
        self._add(metric, MetricUnit.Seconds, value, labels)

    def log(self, level: Level, event: str, **fields: object) -> None:
        """Write one line, unless ``level`` is quieter than asked for."""
        try:
            plain = {f"{name}_" if name in _RESERVED else name: value for name, value in fields.items()}
            request_id = REQUEST_ID.get()
            if request_id is not None:
                plain["correlation_id"] = request_id
            getattr(self.logger, level.value.lower())(event, extra=plain)
        except Exception as exc:  # noqa: BLE001 - logging must not fail what is logged
            self._report(exc)

    def flush(self) -> None:
        """Write what was counted since the last time, one EMF line for each set of dimensions."""
        for metrics in self._metrics.values():
            try:
                if metrics.metric_set:
                    metrics.flush_metrics()
            except Exception as exc:  # noqa: BLE001 - counting must not fail what is counted
                self._report(exc)

    def _add(self, metric: Metric, unit: MetricUnit, value: float, labels: dict[str, str]) -> None:
        try:
            self._metrics_for(metric, labels).add_metric(metric.value, unit, value)
        except Exception as exc:  # noqa: BLE001 - counting must not fail what is counted
            self._report(exc)

    def _metrics_for(self, metric: Metric, labels: dict[str, str]) -> EphemeralMetrics:
        name = DIMENSION_OF.get(metric)
        dimension = (name, labels[name]) if name is not None and name in labels else None
        metrics = self._metrics.get(dimension)
        if metrics is None:
            metrics = self._metrics[dimension] = EphemeralMetrics(namespace=METRIC_NAMESPACE)
            if dimension is not None:
                # A default one: those are kept when a flush clears the others.
                metrics.set_default_dimensions(**dict([dimension]))
        return metrics

    def _serialised(self, entry: dict[str, Any]) -> str:
        return self._blotted(json.dumps(entry, default=str, separators=(",", ":")), Level(entry["level"]))
