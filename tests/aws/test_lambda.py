"""The handler under Lambda's real runtime client: cold, warm, wrong, late, and what it writes for CloudWatch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from aws.runtime_api import LocalLambda, url_event
from contracts.dynamodb_engines import REGION, Table, free_port, running, table_on
from ohlcache.testing import FakeVendors

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.alone

HANDLER = "ohlcache.aws.handler.handler"
OHLC = "/api/v2/tickers/AAPL/ohlc"
START_SECONDS_MAX = 10
"""What Lambda allows for a start."""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with table_on("ministack", monkeypatch) as table:
        yield table


def environment(table: Table, **more: str) -> dict[str, str]:
    assert table.endpoint_url is not None
    return {
        "OHLCACHE_STORE": "dynamodb",
        "OHLC_CACHE_TABLE": table.name,
        "OHLCACHE_API_KEYS": "test-key",
        "OHLCACHE_SOURCE": "sample",
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint_url,
        **more,
    }


def test_cold_then_warm_then_another_instance(table: Table) -> None:
    """F8, E15, R: the first answer is the vendor's, the second from memory, a second instance's from the table."""
    with LocalLambda(HANDLER, environment(table)) as first:
        cold, warm = first.get(OHLC, range="1M"), first.get(OHLC, range="1M")
        assert (cold.status, warm.status) == (200, 200)
        assert cold.headers["x-cache-source"] == "sample"
        assert warm.headers["x-cache-source"] == "in-memory"
        assert cold.json() == warm.json()
        assert cold.json()["complete"] is True
        requests = [line for line in first.lines() if line.get("message") == "request"]
        assert [line["cold_start"] for line in requests] == [True]
    # Its CPU, which does not depend on what else this machine does.
    assert first.cpu_seconds < START_SECONDS_MAX
    with LocalLambda(HANDLER, environment(table)) as second:
        again = second.get(OHLC, range="1M")
        assert again.headers["x-cache-source"] == "dynamodb"
        assert again.json()["candles"] == cold.json()["candles"]


def test_the_answer_is_written_before_the_handler_returns(table: Table) -> None:
    """E16: killed right after its first answer, the instance has left complete chunks behind and no lease."""
    with LocalLambda(HANDLER, environment(table)) as function:
        assert function.get(OHLC, range="1Y").status == 200
        function.process.kill()
    items = table.client().scan(TableName=table.name, ConsistentRead=True)["Items"]  # type: ignore[attr-defined]
    assert any("Payload" in item for item in items)
    assert [item["LeaseUntil"] for item in items if "LeaseUntil" in item] == [{"N": "0"}]


def test_errors_are_answers_not_failed_invocations(table: Table) -> None:
    """E20, E21, E23, S3: a wrong ticker, field, key or path is told what to do; no trace, path or key gets out."""
    with LocalLambda(HANDLER, environment(table)) as function:
        unknown = function.get("/api/v2/tickers/NOPE/ohlc")
        wrong = function.get(OHLC, resolution="5m")
        stranger = function.invoke(url_event("GET", OHLC, {}, {"x-api-key": "guess"}))
        nowhere = function.get("/api/v2/nowhere")
        assert [outcome.status for outcome in (unknown, wrong, stranger, nowhere)] == [404, 400, 401, 404]
        for outcome in (unknown, wrong, stranger, nowhere):
            error = outcome.json()["error"]
            assert error["message"]
            assert error["hint"]
            told = json.dumps(outcome.body)
            assert not any(word in told for word in ("Traceback", table.name, "dynamodb", "/src/", "test-key"))
        assert "Traceback" not in function.text()


def test_one_correlation_id_from_request_to_log(table: Table) -> None:
    """O1, O2: the caller's id, or else the invocation's own, is in the answer and in every line of the request."""
    with LocalLambda(HANDLER, environment(table)) as function:
        given = function.get(OHLC, headers={"x-request-id": "chart-42"}, range="1W")
        assert given.headers["x-request-id"] == "chart-42"
        own = function.get("/api/v2/tickers/NOPE/ohlc")
        lines = [line for line in function.lines() if "message" in line]
        assert {line["correlation_id"] for line in lines} == {"chart-42", own.headers["x-request-id"]}
        last = lines[-1]
        assert last["correlation_id"] == last["function_request_id"] == own.json()["error"]["request_id"]
        # An id that could do harm in a log is no id.
        harmful = function.get(OHLC, headers={"X-Request-Id": "<script>\n{}"}, range="6M")
        last = [line for line in function.lines() if "message" in line][-1]
        assert harmful.headers["x-request-id"] == last["correlation_id"] == last["function_request_id"]


def test_a_table_that_is_not_there_costs_no_answer_and_says_the_fix(table: Table) -> None:
    """S9, F2, E7, O3: served from the vendor, counted as CacheError, the breaker opens, and the line says what to do."""
    settings = environment(table, OHLC_CACHE_TABLE="ohlcache-mistyped")
    with LocalLambda(HANDLER, settings) as function:
        answers = [function.get(f"/api/v2/tickers/{ticker}/ohlc") for ticker in ("AAPL", "MSFT", "IBM")]
        assert [answer.status for answer in answers] == [200, 200, 200]
        metrics = function.metrics()
        assert metrics["CacheError"] >= 3
        assert metrics["CircuitBreakerOpen"] == 1
        line = next(line for line in function.lines() if line.get("message") == "store failed")
        assert "no table 'ohlcache-mistyped'" in line["error"]
        assert "OHLC_CACHE_TABLE and AWS_REGION" in line["hint"]
        assert line["level"] == "ERROR"


def test_near_its_time_out_it_answers_503_and_stays_warm(table: Table) -> None:
    """E19: a vendor that hangs costs one 503 with Retry-After, not the environment; the fetch's result is kept."""
    with FakeVendors() as fake:
        fake.latency_seconds = 3
        vendor = {"OHLCACHE_SOURCE": "tiingo", "TIINGO_API_KEY": "k" * 20, "TIINGO_BASE_URL": fake.tiingo_url}
        page = "https://charts.example"
        with LocalLambda(HANDLER, environment(table, **vendor, OHLCACHE_CORS_ORIGINS=page)) as function:
            assert function.get("/healthz").status == 200
            late = function.get(OHLC, timeout_seconds=3, headers={"origin": page, "x-request-id": "chart-43"})
            assert late.status == 503
            assert late.json()["error"]["code"] == "vendor_unavailable"
            assert int(late.headers["retry-after"]) > 0
            assert late.seconds < 3
            # It is an answer like any other: a page of another origin may read it, and its lines name the request.
            assert late.headers["access-control-allow-origin"] == page
            assert late.headers["x-request-id"] == "chart-43"
            told = {line["message"]: line for line in function.lines() if "message" in line}
            assert told["request out of time"]["correlation_id"] == "chart-43"
            assert (told["request"]["status"], told["request"]["correlation_id"]) == (503, "chart-43")
            again = function.get(OHLC)
            assert again.status == 200
            assert len(fake.calls) == 1


def test_an_answer_too_long_for_lambda_is_told_and_not_a_failed_invocation(table: Table) -> None:
    """R: more than 6 MB cannot leave a function: 400 says to ask for less or compressed, and compressed it comes."""
    with LocalLambda(HANDLER, environment(table)) as function:
        minutes = {"range": "6M", "resolution": "1"}
        refused = function.get(OHLC, **minutes)
        assert (refused.kind, refused.status) == ("response", 400)
        assert refused.json()["error"]["field"] == "range"
        assert "Accept-Encoding" in refused.json()["error"]["hint"]
        packed = function.get(OHLC, headers={"accept-encoding": "zstd"}, **minutes)
        assert (packed.kind, packed.status) == ("response", 200)
        assert int(packed.headers["content-length"]) * 4 > len(packed.body["body"]) * 2.9


def test_without_a_region_it_answers_from_the_vendor_and_says_the_fix(table: Table) -> None:
    """S9, F2: a client that cannot be made at the start costs no answer; the line names AWS_REGION."""
    settings = environment(table, AWS_REGION="")
    with LocalLambda(HANDLER, settings) as function:
        assert function.get(OHLC).status == 200
        line = next(line for line in function.lines() if line.get("message") == "store failed")
        assert "AWS_REGION" in line["hint"]


@pytest.mark.parametrize(
    ("missing", "names"),
    [
        ({"OHLC_CACHE_TABLE": ""}, ["OHLC_CACHE_TABLE"]),
        ({"OHLCACHE_API_KEYS": ""}, ["OHLCACHE_API_KEYS"]),
        ({"OHLCACHE_STORE": "sqlite"}, ["OHLCACHE_STORE=dynamodb"]),
        ({"OHLCACHE_SOURCE": "tiingo"}, ["TIINGO_API_KEY"]),
        ({"OHLCACHE_API_KEYS": "secretsmanager:ohlcache/none"}, ["ohlcache/none", REGION, "create-secret"]),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_settings_end_the_start_and_are_named(table: Table, missing: dict[str, str], names: list[str]) -> None:
    """S1, E24, E26, O1: the import fails with the variable, or secret and region, and what to set."""
    secrets = {"AWS_ENDPOINT_URL_SECRETS_MANAGER": running("ministack").url}
    with LocalLambda(HANDLER, environment(table, **secrets, **missing)) as function:
        outcome = function.wait()
        assert outcome.kind == "init-error"
        assert outcome.body["errorType"] == "ConfigurationError"
        line = next(line for line in function.lines() if line.get("message") == "cannot start")
        assert line["level"] == "ERROR"
        for name in names:
            assert name in line["error"] + line["hint"]


def secrets_client() -> Any:
    import boto3

    return boto3.client("secretsmanager", region_name=REGION, endpoint_url=running("ministack").url)


def test_keys_live_in_secrets_manager_and_survive_rotation(table: Table) -> None:
    """O1, E10, E30, F5: the vendor's key is read with the first miss, read again on 401, and shows in no line."""
    secrets = secrets_client()
    old, new = "old-vendor-key-123", "new-vendor-key-456"
    for name, value in (
        (f"{table.name}/vendor", json.dumps({"tiingo": old})),
        (f"{table.name}/keys", "test-key,other"),
    ):
        secrets.create_secret(Name=name, SecretString=value)
    with FakeVendors() as fake:
        fake.tiingo.key = old
        settings = environment(
            table,
            OHLCACHE_SOURCE="tiingo",
            TIINGO_BASE_URL=fake.tiingo_url,
            TIINGO_API_KEY=f"secretsmanager:{table.name}/vendor#tiingo",
            OHLCACHE_API_KEYS=f"secretsmanager:{table.name}/keys",
            AWS_ENDPOINT_URL_SECRETS_MANAGER=running("ministack").url,
            OHLCACHE_LOG_LEVEL="DEBUG",
        )
        with LocalLambda(HANDLER, settings) as function:
            assert function.get(OHLC, headers={"x-api-key": "other"}).status == 200
            secrets.put_secret_value(SecretId=f"{table.name}/vendor", SecretString=json.dumps({"tiingo": new}))
            fake.tiingo.key = new
            _pass_the_refresh_interval()
            assert function.get("/api/v2/tickers/MSFT/ohlc").status == 200
            assert [call.outcome for call in fake.calls] == ["ok", "401", "ok"]
            assert not any(secret in function.text() for secret in (old, new, "test-key"))


def _pass_the_refresh_interval() -> None:
    import time

    from ohlcache.adapters.secrets import REFRESH_SECONDS_MIN

    time.sleep(REFRESH_SECONDS_MIN)


def test_the_traced_handler_answers_alike(table: Table) -> None:
    """O2: with tracing on, the answers are the same and a segment's failure to be sent fails nothing."""
    daemon = {"AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{free_port()}"}
    with LocalLambda("ohlcache.aws.traced_handler.handler", environment(table, **daemon)) as function:
        assert function.get(OHLC).status == 200
        assert function.get(OHLC).headers["x-cache-source"] == "in-memory"


def test_an_outage_of_the_engine_is_worked_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """F1, F2: with nothing behind the endpoint every answer still comes, and the four metrics tell the story."""
    nowhere = Table("none", "ohlcache-none", REGION, f"http://127.0.0.1:{free_port()}")
    with FakeVendors() as fake:
        vendor = {"OHLCACHE_SOURCE": "tiingo", "TIINGO_API_KEY": "k" * 20, "TIINGO_BASE_URL": fake.tiingo_url}
        with LocalLambda(HANDLER, environment(nowhere, **vendor)) as function:
            outcomes = [function.get(f"/api/v2/tickers/{ticker}/ohlc") for ticker in ("AAPL", "MSFT", "IBM", "F")]
            assert [outcome.status for outcome in outcomes] == [200] * 4
            assert function.metrics()["CircuitBreakerOpen"] == 1
            assert "cannot be reached" in function.text()


def test_only_http_events_are_answered(table: Table) -> None:
    """An event that no URL sends is a failed invocation that names itself, and the function lives on."""
    with LocalLambda(HANDLER, environment(table)) as function:
        assert function.invoke({"source": "aws.events"}).kind == "error"
        assert function.get("/healthz").status == 200


def test_compressed_answers_arrive_whole(table: Table) -> None:
    """A body that is not text travels as base64 and is the same once unpacked."""
    import base64
    import gzip

    with LocalLambda(HANDLER, environment(table)) as function:
        plain = function.get(OHLC, range="1Y")
        packed = function.get(OHLC, headers={"accept-encoding": "gzip"}, range="1Y")
        assert packed.headers["content-encoding"] == "gzip"
        assert packed.body["isBase64Encoded"] is True
        assert json.loads(gzip.decompress(base64.b64decode(packed.body["body"]))) == plain.json()


def test_the_start_imports_nothing_that_a_hit_does_not_need() -> None:
    """Lean: no HTTP client, no server, no terminal, no tracing before somebody needs them."""
    import subprocess
    import sys

    unwanted = ("aiohttp", "uvicorn", "uvloop", "httptools", "typer", "rich", "aws_xray_sdk", "pandas", "pyarrow")
    code = f"import sys, ohlcache.aws.handler; sys.exit(' '.join(m for m in {unwanted} if m in sys.modules) or 0)"
    settings = environment(Table("none", "ohlcache-none", REGION, "http://127.0.0.1:9"))
    settings |= {
        "OHLCACHE_SOURCE": "tiingo",
        "TIINGO_API_KEY": "k" * 20,
        "PATH": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
