"""The OpenAPI document taken at its word by a stranger's tool: schemathesis against a running server."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from http_process import end, get, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "8"))  # noqa: TID251 - an option of the test run
CASES_MIN = 100
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)
"""All but positive_data_acceptance: "a range or dates, never both" and "a day of the past" are nothing a schema can say."""
PRIVATE = re.compile(r"Traceback|File \"|/src/|\.py\b|site-packages|sqlite|0x[0-9a-f]{6}")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    server = launch(tmp_path, OHLCACHE_LOG_LEVEL="ERROR")
    try:
        yield (listening := server.ready())
        assert get(listening, "/healthz")[0] == 200  # it has survived
    finally:
        end(server)


@pytest.mark.timeout(600)
def test_the_server_keeps_to_its_document(port: int, tmp_path: Path) -> None:
    """S3, S4: valid, invalid and chained requests get documented answers: never a 500, never a word about our insides."""
    exchanges = tmp_path / "exchanges.ndjson"
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG)),
            *("run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES)),
            *("--generation-deterministic", "--no-color", "--request-timeout", "20"),
            *("--report", "ndjson", "--report-ndjson-path", str(exchanges)),
        ],
        cwd=tmp_path,  # it would keep its own notes beside the sources
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases is not None
    assert int(cases.group(1)) > CASES_MIN
    shown = answers_of(exchanges)
    assert shown
    for text in shown:
        assert not PRIVATE.search(text), text


def answers_of(exchanges: Path) -> list[str]:
    """Return the body of every error that the server sent, as text."""
    found = []
    for line in exchanges.read_text().splitlines():
        for name, event in json.loads(line).items():
            interactions = event.get("recorder", {}).get("interactions", {}) if name == "ScenarioFinished" else {}
            for interaction in interactions.values():
                response = interaction["response"]
                if response is not None and response["status_code"] >= HTTPStatus.BAD_REQUEST:
                    found.append(base64.b64decode((response["content"] or {"$base64": ""})["$base64"]).decode())
    return found
