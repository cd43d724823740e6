"""What a function writes for CloudWatch: EMF lines, log lines, and never a failure because of either."""

from __future__ import annotations

import io
import json
from typing import Any
from uuid import uuid4

import pytest

from ohlcache.adapters.telemetry import REQUEST_ID
from ohlcache.aws.telemetry import METRIC_NAMESPACE, LambdaTelemetry
from ohlcache.ports import Level, Metric
from ohlcache.testing import FakeClock

ALERTING = (
    Metric.CACHE_ERROR,
    Metric.CIRCUIT_BREAKER_OPEN,
    Metric.CACHE_PAGINATION_TRUNCATION,
    Metric.UNPROCESSED_WRITE_ITEMS,
)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def telemetry(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> LambdaTelemetry:
    # Powertools keeps one logger per service for the life of the process.
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"stack-{uuid4().hex}")
    return LambdaTelemetry(FakeClock(), secrets=["s3cret-key"], stream=stream)


def emf(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("metric", ALERTING)
def test_alerting_metrics_are_emf_with_the_stack_as_their_only_dimension(
    metric: Metric, telemetry: LambdaTelemetry, capsys: pytest.CaptureFixture[str]
) -> None:
    """O2, O3: name, namespace, unit and dimension are what the alarms are set on, whatever labels came along."""
    telemetry.count(metric, 3, store="dynamodb", operation="read")
    telemetry.flush()
    (line,) = emf(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == METRIC_NAMESPACE
    assert directive["Dimensions"] == [["service"]]
    assert directive["Metrics"] == [{"Name": metric.value, "Unit": "Count"}]
    assert (line["service"][:6], line[metric.value]) == ("stack-", [3.0])


def test_a_flush_writes_each_count_once(telemetry: LambdaTelemetry, capsys: pytest.CaptureFixture[str]) -> None:
    """Counts of one invocation are one line per set of dimensions, and none is written twice."""
    for tier in ("in-memory", "in-memory", "dynamodb"):
        telemetry.count(Metric.REQUESTS, tier=tier)
    telemetry.observe(Metric.HTTP_SECONDS, 0.25, route="/", status="200")
    telemetry.flush()
    lines = emf(capsys.readouterr().out)
    assert sorted((line.get("tier", ""), tuple(line.get("Requests", ()))) for line in lines) == [
        ("", ()),
        ("dynamodb", (1.0,)),
        ("in-memory", (1.0, 1.0)),
    ]
    telemetry.flush()
    assert capsys.readouterr().out == ""
    telemetry.count(Metric.REQUESTS, tier="dynamodb")
    telemetry.flush()
    (line,) = emf(capsys.readouterr().out)
    assert (line["tier"], line["service"][:6]) == ("dynamodb", "stack-")


def test_lines_carry_the_request_and_no_secret(telemetry: LambdaTelemetry, stream: io.StringIO) -> None:
    """O1, S1: the correlation id is in every line, known secrets are blotted out, reserved words do no harm."""
    token = REQUEST_ID.set("chart-42")
    telemetry.log(Level.WARNING, "store failed", error="key s3cret-key refused", name="x", message="y", service="z")
    REQUEST_ID.reset(token)
    line = json.loads(stream.getvalue())
    assert (line["level"], line["message"], line["correlation_id"]) == ("WARNING", "store failed", "chart-42")
    assert (line["name_"], line["message_"], line["service_"]) == ("x", "y", "z")
    assert "s3cret-key" not in stream.getvalue()
    assert "[redacted]" in line["error"]


def test_quiet_lines_are_not_written(telemetry: LambdaTelemetry, stream: io.StringIO) -> None:
    """A level below the one asked for is left out."""
    telemetry.log(Level.DEBUG, "request")
    assert stream.getvalue() == ""


def test_nothing_raises(
    telemetry: LambdaTelemetry, stream: io.StringIO, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """E6, F2: values and fields that cannot be written cost a line, not a request."""
    telemetry.count(Metric.CACHE_ERROR, "many")  # type: ignore[arg-type]
    telemetry.log(Level.ERROR, "odd", thing=object())

    class Unprintable:
        def __str__(self) -> str:
            raise RuntimeError("no")

    telemetry.log(Level.ERROR, "worse", thing=Unprintable())

    def broken(**_: object) -> None:
        raise OSError("the pipe is closed")

    telemetry.count(Metric.CACHE_ERROR)
    (metrics,) = telemetry._metrics.values()
    monkeypatch.setattr(metrics, "flush_metrics", broken)
    telemetry.flush()
    assert "telemetry failed" in stream.getvalue()
