"""Lines and metrics: structured, numbered by request, without secrets, and never the reason that something fails."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ohlcache.adapters.prometheus import ALERTING, BUCKETS_SECONDS, HELP, MetricRegistry, exposed_name
from ohlcache.adapters.telemetry import BLOT, REQUEST_ID, LoggingBridge, StandardTelemetry
from ohlcache.ports import Level, Metric
from ohlcache.testing import FakeClock

SECRET = 'tok"en+with/odd=chars'


def made(**wishes: Any) -> tuple[StandardTelemetry, io.StringIO]:
    stream = io.StringIO()
    return StandardTelemetry(FakeClock("2024-06-03T15:00:00.250Z"), stream=stream, **wishes), stream


# --- lines -----------------------------------------------------------------------------------------------------------


def test_a_line_is_one_json_object() -> None:
    """O1: instant, level, event, the request's id and the fields."""
    telemetry, stream = made()
    token = REQUEST_ID.set("abc-1")
    try:
        telemetry.log(Level.WARNING, "lease displaced", ticker="AAPL", fence=3, note="two\nlines")
    finally:
        REQUEST_ID.reset(token)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == {
        "at": "2024-06-03T15:00:00.250Z",
        "level": "WARNING",
        "event": "lease displaced",
        "request_id": "abc-1",
        "ticker": "AAPL",
        "fence": 3,
        "note": "two\nlines",
    }


def test_text_lines_are_for_people_and_stay_one_line() -> None:
    """A value with blanks or line feeds is quoted."""
    telemetry, stream = made(json_lines=False)
    telemetry.log(Level.INFO, "request", status=200, note="two\nlines", name="a b")
    assert stream.getvalue() == "2024-06-03T15:00:00.250Z INFO    request status=200 note='two\\nlines' name='a b'\n"


def test_quieter_lines_are_not_written() -> None:
    """The level is the quietest that is written."""
    telemetry, stream = made(level=Level.WARNING)
    for level in Level:
        telemetry.log(level, level.value)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["WARNING", "ERROR"]


@pytest.mark.asyncio(loop_scope="function")
async def test_worker_threads_write_the_request_id() -> None:
    """O1: what runs in a thread on a request's behalf shows the same id."""
    telemetry, stream = made()
    REQUEST_ID.set("in-a-thread")
    await asyncio.to_thread(telemetry.log, Level.INFO, "from a thread")
    assert json.loads(stream.getvalue())["request_id"] == "in-a-thread"


@pytest.mark.parametrize("json_lines", [True, False])
@pytest.mark.parametrize(
    "text",
    [SECRET, f"https://api.example/x?token={SECRET}", "tok%22en%2Bwith%2Fodd%3Dchars", f"before{SECRET}after"],
)
def test_known_secrets_are_blotted_out(text: str, json_lines: bool) -> None:
    """S1: however a secret came into a line, plain, escaped, percent-encoded, in a field or an event, it does not show."""
    telemetry, stream = made(secrets=[SECRET], json_lines=json_lines)
    for level in Level:
        telemetry.log(level, "failed", reason=text, error=ValueError(text), many=[{"inner": text}])
    assert SECRET not in stream.getvalue()
    assert "odd" not in stream.getvalue()
    assert BLOT in stream.getvalue()


def test_a_secret_made_known_later_is_blotted_out() -> None:
    """F5, E30: a rotated key is added to what is known."""
    telemetry, stream = made(secrets=["first-secret"])
    telemetry.conceal(["first-secret-and-more"])
    telemetry.log(Level.INFO, "x", old="first-secret", new="first-secret-and-more")
    assert json.loads(stream.getvalue())["new"] == BLOT
    assert "first" not in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    ["GET /daily?token=abcdef123456&x=1", "Authorization: Bearer abcdef123456", '{"api_key": "abcdef123456"}',
     "X-Api-Key: abcdef123456", "Authorization: Token abcdef123456"],
)  # fmt: skip
def test_credentials_are_blotted_out_of_errors_by_their_shape(text: str) -> None:
    """S1: an error may quote a credential nobody made known."""
    telemetry, stream = made()
    telemetry.log(Level.ERROR, "failed", reason=text)
    assert "abcdef123456" not in stream.getvalue()
    json.loads(stream.getvalue())


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError("gone")


@pytest.mark.parametrize(
    "value",
    [object(), float("nan"), float("inf"), {1: 2}, {("a", 1): 2}, "\ud800", b"\xff", {1, 2}, 2**100, Unspeakable()],
)
@pytest.mark.parametrize("json_lines", [True, False])
def test_no_value_breaks_a_line(value: object, json_lines: bool) -> None:
    """F2: whatever is handed over, something is written and nothing raised."""
    telemetry, stream = made(json_lines=json_lines)
    telemetry.log(Level.ERROR, "odd", value=value)
    assert "odd" in stream.getvalue() or "telemetry failed" in stream.getvalue()
    for line in stream.getvalue().splitlines():
        assert not json_lines or json.loads(line)


def test_a_lost_stream_raises_nothing() -> None:
    """E6: logging and counting go on when nobody can read them."""
    telemetry = StandardTelemetry(FakeClock(), stream=Broken())
    telemetry.log(Level.ERROR, "x")
    telemetry.count(Metric.REQUESTS, tier=3)  # type: ignore[arg-type]
    telemetry.observe(Metric.HTTP_SECONDS, "nonsense")  # type: ignore[arg-type]


def test_what_libraries_log_comes_out_in_one_form() -> None:
    """Warnings of libraries are lines like ours, secrets blotted out; what they chat about is not kept."""
    telemetry, stream = made(secrets=[SECRET])
    logger = logging.Logger("some.library")  # noqa: LOG001 - one of its own
    logger.addHandler(LoggingBridge(telemetry))
    logger.info("chatter")
    logger.warning("retrying with %s", SECRET)
    try:
        raise ValueError(SECRET)  # noqa: TRY301 - an exception with a trace is wanted
    except ValueError:
        logger.exception("failed")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["level"], first["event"], first["logger"]) == ("WARNING", "library message", "some.library")
    assert second["level"] == "ERROR"
    assert "ValueError" in second["traceback"]
    assert SECRET not in stream.getvalue()


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_alerting_metrics_are_there_from_the_start() -> None:
    """O3: an absent series cannot alarm, so the four are rendered at 0."""
    text = MetricRegistry().render()
    assert [exposed_name(metric) for metric in ALERTING] == [
        "ohlcache_cache_error_total",
        "ohlcache_circuit_breaker_open_total",
        "ohlcache_cache_pagination_truncation_total",
        "ohlcache_unprocessed_write_items_total",
    ]
    for metric in ALERTING:
        assert f"\n{exposed_name(metric)} 0\n" in text


def test_every_metric_is_explained() -> None:
    """A metric without help text cannot be read."""
    assert set(HELP) == set(Metric)


def test_counters_add_up_by_label() -> None:
    """Labels come in any order; quotes and line feeds in them are escaped."""
    telemetry, _ = made()
    telemetry.count(Metric.VENDOR_CALLS, source="tiingo", outcome="ok")
    telemetry.count(Metric.VENDOR_CALLS, 2, outcome="ok", source="tiingo")
    telemetry.count(Metric.VENDOR_CALLS, source='a"b\\c\n', outcome="ok")
    assert telemetry.registry.value(Metric.VENDOR_CALLS, source="tiingo", outcome="ok") == 3
    text = telemetry.render()
    assert 'ohlcache_vendor_calls_total{outcome="ok",source="tiingo"} 3' in text
    assert r'source="a\"b\\c\n"' in text


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1))
def test_a_histogram_counts_what_it_was_shown(values: list[float]) -> None:
    """Each bucket holds everything up to its limit; the last holds all."""
    registry = MetricRegistry()
    for value in values:
        registry.observe(Metric.HTTP_SECONDS, value, {"route": "/x"})
    text = registry.render()
    for limit in BUCKETS_SECONDS:
        shown = re.search(rf'le="{re.escape(str(limit).removesuffix(".0"))}"}} (\d+)', text)
        assert shown is not None
        assert int(shown.group(1)) == sum(value <= limit for value in values)
    assert f'le="+Inf"}} {len(values)}' in text
    assert f'ohlcache_http_seconds_count{{route="/x"}} {len(values)}' in text


def test_the_exposition_is_well_formed() -> None:
    """Every line is a heading or a sample; headings come once, before their samples."""
    telemetry, _ = made()
    for metric in Metric:
        if metric.value.endswith("Seconds"):
            telemetry.observe(metric, 0.2, source="x")
        else:
            telemetry.count(metric, 1.5, source="x")
    text = telemetry.render()
    sample = re.compile(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')
    types = re.findall(r"# TYPE (\w+)", text)
    assert len(types) == len(set(types)) == len(Metric)
    for line in text.splitlines():
        assert line.startswith("# ") or sample.fullmatch(line), line


def test_threads_count_without_loss() -> None:
    """Workers in threads count, too."""
    registry = MetricRegistry()

    def work() -> None:
        for _ in range(2000):
            registry.count(Metric.REQUESTS, 1, {"tier": "memory"})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.value(Metric.REQUESTS, tier="memory") == 16_000
