"""The commands of operation, run as an operator runs them: as processes, against engines and servers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.dynamodb_engines import CREDENTIALS, ENVIRONMENT, REGION, free_port, raw_client, running, table_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contracts.dynamodb_engines import Table

COMMAND = [str(Path(sys.executable).parent / "ohlcache")]


def ohlcache(*words: str, data_dir: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: ENVIRONMENT[name] for name in ("PATH", "HOME", "LANG") if name in ENVIRONMENT}
    more = {"OHLCACHE_DATA_DIR": str(data_dir)} if data_dir is not None else {}
    return subprocess.run(
        [*COMMAND, *words],
        env={**inherited, **CREDENTIALS, **more, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    with table_on("ministack", monkeypatch) as made:
        yield made


# --- smoke test ----------------------------------------------------------------------------------------------------


class Server:
    """Answers GETs with what it is told, and remembers what it was sent."""

    def __init__(self, *answers: tuple[int, dict[str, str], str]) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        queue = list(answers)
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                requests.append((self.path, dict(self.headers)))
                status, headers, body = queue.pop(0) if len(queue) > 1 else queue[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:  # noqa: PYI034 - a test's own
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


GOOD = json.dumps({"candles": [{"date": "2024-05-24", "close": 1.0}], "complete": True})


def test_the_smoke_test_passes_when_the_second_answer_is_cached() -> None:
    """O4: two requests with the key of SMOKE_TEST_API_KEY; the second answer's source is a cache."""
    with Server((200, {"X-Cache-Source": "tiingo"}, GOOD), (200, {"X-Cache-Source": "dynamodb"}, GOOD)) as server:
        done = ohlcache("smoke-test", server.url, SMOKE_TEST_API_KEY="s3cret-key")
        assert (done.returncode, done.stderr) == (0, "")
        assert "first from tiingo, then from dynamodb" in done.stdout
        assert [headers["X-API-Key"] for _, headers in server.requests] == ["s3cret-key"] * 2
        assert "s3cret-key" not in done.stdout


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ([(200, {"X-Cache-Source": "tiingo"}, GOOD)], "not from a cache"),
        ([(401, {}, '{"error": {"code": "unauthorized"}}')], "Set SMOKE_TEST_API_KEY"),
        ([(503, {"X-Request-Id": "abc-1"}, "{}")], "abc-1"),
        ([(200, {}, "<html>")], "not one of ohlcache"),
        ([(200, {}, '{"candles": [], "complete": true}')], "no candles"),
        ([(200, {}, '{"candles": [1], "complete": false}')], "not complete"),
        (
            [
                (200, {"X-Cache-Source": "tiingo"}, GOOD),
                (200, {"X-Cache-Source": "dynamodb"}, '{"candles": [2], "complete": true}'),
            ],
            "differ",
        ),
    ],
    ids=["never cached", "no key", "down", "foreign", "empty", "incomplete", "different"],
)
def test_the_smoke_test_fails_and_says_why(answers: list[tuple[int, dict[str, str], str]], says: str) -> None:
    """O4: whatever is wrong ends with exit code 1, a sentence and a hint."""
    with Server(*answers) as server:
        done = ohlcache("smoke-test", server.url)
        assert done.returncode == 1
        assert says in done.stderr
        assert "hint:" in done.stderr
        assert "Traceback" not in done.stderr


def test_the_smoke_test_of_nothing_fails() -> None:
    """O4: nobody listens: one sentence, no traceback."""
    done = ohlcache("smoke-test", f"http://127.0.0.1:{free_port()}")
    assert (done.returncode, "does not answer" in done.stderr) == (1, True)


# --- the table -----------------------------------------------------------------------------------------------------


def test_the_sanity_test_passes_and_leaves_nothing(table: Table) -> None:
    """O5: every check passes on a sound table, under TEST# keys, and afterwards the table is as empty as before."""
    assert table.endpoint_url is not None
    done = ohlcache(
        "sanity-test", "--table", table.name, "--region", REGION, AWS_ENDPOINT_URL_DYNAMODB=table.endpoint_url
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("ok  ") == 9
    assert "keys under TEST#" in done.stdout
    assert table.client().scan(TableName=table.name)["Items"] == []


def test_the_sanity_test_says_the_fix() -> None:
    """O5, S1: a table that is not there, and a name that is not set, are told with what to do."""
    url = running("ministack").url
    missing = ohlcache("sanity-test", "--table", "nowhere", AWS_REGION=REGION, AWS_ENDPOINT_URL_DYNAMODB=url)
    assert missing.returncode == 1
    assert "no table 'nowhere'" in missing.stderr
    assert "ohlcache create-table" in missing.stderr
    unset = ohlcache("sanity-test", AWS_ENDPOINT_URL_DYNAMODB=url)
    assert unset.returncode == 2
    assert "OHLC_CACHE_TABLE" in unset.stderr


@pytest.mark.parametrize("engine", ["ministack", "dynalite"])
def test_one_command_makes_the_table_and_again_is_no_harm(engine: str) -> None:
    """S7: keys and expiry are as the store needs them; a second run leaves the table alone."""
    where = {"AWS_ENDPOINT_URL_DYNAMODB": running(engine).url, "AWS_REGION": REGION, "OHLC_CACHE_TABLE": "made-by-hand"}
    first, second = ohlcache("create-table", **where), ohlcache("create-table", **where)
    assert "Made the table 'made-by-hand'" in first.stdout
    assert "is there already" in second.stdout
    assert (first.returncode, second.returncode) == (0, 0)
    client = raw_client(running(engine).url)
    description = client.describe_table(TableName="made-by-hand")["Table"]
    assert [key["AttributeName"] for key in description["KeySchema"]] == ["PK", "SK"]
    client.delete_table(TableName="made-by-hand")


def test_a_foreign_table_is_refused() -> None:
    """A table with other keys is somebody else's: named, and left alone."""
    client = raw_client(running("ministack").url)
    client.create_table(
        TableName="foreign",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    where = {"AWS_ENDPOINT_URL_DYNAMODB": running("ministack").url, "AWS_REGION": REGION}
    done = ohlcache("create-table", "--table", "foreign", **where)
    assert done.returncode == 1
    assert "not a table of this cache" in done.stderr
    client.delete_table(TableName="foreign")


# --- fidelity ------------------------------------------------------------------------------------------------------


def test_the_emulators_agree_where_the_store_relies_on_them(tmp_path: Path) -> None:
    """O6: no difference between ministack and dynalite that is not known; the run is remembered."""
    engines = [f"--engine={name}={running(name).url}" for name in ("ministack", "dynalite")]
    assert "never run" in ohlcache("fidelity", "--last", data_dir=tmp_path).stdout
    done = ohlcache("fidelity", *engines, data_dir=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "DIFFERS" not in done.stdout
    assert "on ministack, dynalite" in ohlcache("fidelity", "--last", data_dir=tmp_path).stdout


def test_a_week_later_the_fidelity_test_is_due(tmp_path: Path) -> None:
    """O6: it asks when it last ran, and fails when that is more than a week ago, or never."""
    assert ohlcache("fidelity", "--last", data_dir=tmp_path).returncode == 1
    (tmp_path / "fidelity.json").write_text(json.dumps({"at": 1_717_400_000, "engines": ["aws", "ministack"]}))
    recent = ohlcache("fidelity", "--last", data_dir=tmp_path, OHLCACHE_CLOCK="2024-06-08T00:00:00Z")
    assert (recent.returncode, "not due yet" in recent.stdout) == (0, True)
    late = ohlcache("fidelity", "--last", data_dir=tmp_path, OHLCACHE_CLOCK="2024-06-12T00:00:00Z")
    assert late.returncode == 1
    assert "due again" in late.stdout


def test_an_unknown_difference_fails_the_fidelity_test(tmp_path: Path) -> None:
    """O6: dynalite under a name without known differences is found out."""
    engines = [f"--engine=ministack={running('ministack').url}", f"--engine=other={running('dynalite').url}"]
    done = ohlcache("fidelity", *engines, data_dir=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count("DIFFERS") == 2


def test_without_an_engine_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """O6: neither an engine nor real DynamoDB: the message says how to name one."""
    for words in ((), ("--engine=ministack",)):
        done = ohlcache("fidelity", *words, data_dir=tmp_path)
        assert done.returncode == 2
        assert "NAME=URL" in done.stderr
