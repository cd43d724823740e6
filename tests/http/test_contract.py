"""The contract holds: the OpenAPI document and docs/http-api.md say what the server does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ohlcache.adapters.prometheus import ALERTING, exposed_name
from ohlcache.domain.errors import ConfigurationError, OhlcacheError, StoreRefused
from ohlcache.domain.request import Range
from ohlcache.domain.resolution import Resolution
from ohlcache.http import coverage, errors, ohlc, tickers
from ohlcache.http.encodings import Document
from ohlcache.http.negotiation import Format
from ohlcache.ports import Metric
from ohlcache.testing import Fault

pytestmark = pytest.mark.asyncio(loop_scope="function")

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "http-api.md").read_text()
CONTRACT = json.loads((ROOT / "src" / "ohlcache" / "http" / "openapi.json").read_text())
AAPL = "/api/v2/tickers/AAPL/ohlc"
OF_SOME_ANSWERS = {
    "X-Cache-Degraded", "X-Cache-Stale", "X-Cache-Reason", "X-Cache-Missing", "X-Data-Until", "X-Data-Synthetic",
}  # fmt: skip


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in part:
        part = follow(part["$ref"])
    return part


def follow(pointer: str) -> dict[str, Any]:
    found: Any = CONTRACT
    for name in pointer.removeprefix("#/").split("/"):
        found = found[name]
    return found


def check(instance: object, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator({**schema, "components": CONTRACT["components"]}).validate(instance)


def operation(path: str, method: str = "get") -> dict[str, Any]:
    return CONTRACT["paths"][path][method]


REPLIES = [
    ("GET", AAPL, "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?range=1Y", "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?range=1D&resolution=5", "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?format=columns", "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?format=csv", "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?format=arrow", "/api/v2/tickers/{ticker}/ohlc", 200),
    ("GET", f"{AAPL}?range=x", "/api/v2/tickers/{ticker}/ohlc", 400),
    ("GET", "/api/v2/tickers/NOPE/ohlc", "/api/v2/tickers/{ticker}/ohlc", 404),
    ("POST", "/api/v2/tickers/AAPL/invalidate", "/api/v2/tickers/{ticker}/invalidate", 200),
    ("GET", "/api/v2/tickers/AAPL/coverage?range=1W", "/api/v2/tickers/{ticker}/coverage", 200),
    ("GET", "/api/v2/tickers?query=A", "/api/v2/tickers", 200),
    ("GET", "/api/v2/status", "/api/v2/status", 200),
    ("GET", "/healthz", "/healthz", 200),
    ("GET", "/readyz", "/readyz", 200),
    ("GET", "/metrics", "/metrics", 200),
    ("GET", "/openapi.json", "/openapi.json", 200),
    ("GET", "/docs", "/docs", 200),
]


@pytest.mark.parametrize(("method", "target", "path", "status"), REPLIES)
async def test_real_answers_fit_the_document(world: Any, method: str, target: str, path: str, status: int) -> None:
    """Every answer has a documented type, fits its schema and carries the documented headers."""
    reply = await world.driver.ask(method, target)
    assert reply.status == status
    documented = resolved(operation(path, method.lower())["responses"][str(status)])
    content_type = reply.headers["content-type"].partition(";")[0]
    content = documented["content"][content_type]
    if content_type.endswith("json"):
        check(reply.json, content["schema"])
    for name, header in documented.get("headers", {}).items():
        if name in OF_SOME_ANSWERS:
            continue
        value = reply.headers[name.lower()]
        schema = resolved(header)["schema"]
        check(int(value) if schema["type"] == "integer" else value, schema)


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.TOO_MANY, 429), (Fault.SERVER_ERROR, 503), (Fault.CUT_JSON, 502), (Fault.FORBIDDEN, 403)],
)
async def test_real_failures_fit_the_document(world: Any, fault: Fault, status: int) -> None:
    """Vendor failures, too."""
    world.vendor.faults.set(fault)
    reply = await world.driver.get(AAPL)
    assert reply.status == status
    documented = resolved(operation("/api/v2/tickers/{ticker}/ohlc")["responses"][str(status)])
    check(reply.json, documented["content"]["application/json"]["schema"])
    assert "Retry-After" not in documented["headers"] or "retry-after" in reply.headers


async def test_examples_fit_their_schemas() -> None:
    """What the document shows is what it says."""
    seen = 0
    bodies = [
        content
        for methods in CONTRACT["paths"].values()
        for shown in methods.values()
        for answer in shown["responses"].values()
        for content in resolved(answer).get("content", {}).values()
    ]
    for content in bodies:
        if "example" in content and "schema" in content:
            check(content["example"], content["schema"])
            seen += 1
    assert seen > 15


async def test_the_document_lists_what_is_served(world: Any) -> None:
    """Paths and methods of the document are those of the route table; its version is the server's."""
    served = {(route.template, method.lower()) for route in world.app.routes.routes for method in route.handlers}
    assert served == {(path, method) for path, methods in CONTRACT["paths"].items() for method in methods}
    shown = (await world.driver.get("/openapi.json")).json
    assert shown["info"]["version"] == "9.9.9"
    assert shown["openapi"].startswith("3.1")


async def test_the_document_lists_every_parameter_and_value() -> None:
    """Names and enumerations follow the code."""

    def names(path: str) -> dict[str, dict[str, Any]]:
        found = [resolved(parameter) for parameter in operation(path)["parameters"]]
        return {parameter["name"]: parameter["schema"] for parameter in found if parameter["in"] == "query"}

    candles = names("/api/v2/tickers/{ticker}/ohlc")
    assert set(candles) == set(ohlc.PARAMETERS)
    assert candles["range"]["enum"] == [name.value for name in Range]
    assert candles["resolution"]["enum"] == [name.value for name in Resolution]
    assert candles["format"]["enum"] == [name.value for name in Format]
    assert set(names("/api/v2/tickers/{ticker}/coverage")) == set(coverage.PARAMETERS)
    assert set(names("/api/v2/tickers")) == set(tickers.PARAMETERS)
    documented = operation("/api/v2/tickers/{ticker}/ohlc")["responses"]["200"]["content"]
    assert set(documented) == {form.media_type for form in Format}


async def test_every_error_code_is_documented() -> None:
    """The codes of the tree, the document's and the page's are the same."""
    assert errors.NoSuchPath
    kinds: list[type[OhlcacheError]] = [OhlcacheError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    ours = {kind for kind in kinds if kind.__module__ in {"ohlcache.domain.errors", "ohlcache.http.errors"}}
    codes = {kind.code for kind in ours - {ConfigurationError, StoreRefused}}
    documented = follow("#/components/schemas/Error")["properties"]["error"]["properties"]["code"]["enum"]
    assert set(documented) == codes
    rows = dict.fromkeys(codes, False)
    for line in re.findall(r"^\| (\d{3}(?:, \d{3})*|\d{3}) \| (.*?) \|", DOCS, re.MULTILINE):
        for code in re.findall(r"`(\w+)`", line[1]):
            assert code in codes, f"docs/http-api.md lists {code}, which does not exist"
            rows[code] = True
    assert all(rows.values()), f"docs/http-api.md does not list {[code for code, found in rows.items() if not found]}"


async def test_the_page_lists_every_field_in_order() -> None:
    """The JSON example of docs/http-api.md has the fields of an answer, in their order."""
    example = json.loads(re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)[0])
    assert tuple(example) == Document.__struct_fields__
    check(example, follow("#/components/schemas/Answer"))


async def test_the_page_s_status_is_the_status(world: Any) -> None:
    """The second JSON example has the status's fields, all the way down."""

    def shape(value: Any) -> Any:
        return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None

    example = json.loads(re.findall(r"```json\n(.*?)```", DOCS, re.DOTALL)[1])
    check(example, follow("#/components/schemas/Status"))
    real = (await world.driver.get("/api/v2/status")).json
    for each in (example, real):
        each["resolutions"] = None
    assert shape(real) == shape(example)


async def test_the_page_lists_every_header(world: Any) -> None:
    """Every header of an answer is in docs/http-api.md, and every one it lists is sent."""
    await world.driver.get(f"{AAPL}?range=1M")
    await world.clock.advance(86_400)
    world.vendor.faults.set(Fault.SERVER_ERROR)
    stale = await world.driver.get(f"{AAPL}?range=1M")
    section = DOCS.split("### Headers of an answer")[1].split("\n## ")[0]
    listed = {name.lower() for name in re.findall(r"^\| `([\w-]+)`", section, re.MULTILINE)}
    general = {"content-type", "content-length", "x-content-type-options"}
    of_the_sample = {"x-data-until", "x-data-synthetic"}
    assert listed == (set(stale.headers) - general) | of_the_sample


async def test_the_page_lists_every_resource_and_parameter() -> None:
    """Each path of the document is on the page, and each parameter of the candles."""
    for path in CONTRACT["paths"]:
        assert path in DOCS
    for name in ohlc.PARAMETERS:
        assert f"`{name}`" in DOCS
    for form in Format:
        assert f"`{form.media_type}`" in DOCS


async def test_the_page_lists_every_metric() -> None:
    """O3: the table of docs/http-api.md has every metric under its exposed name, the alerting ones first."""
    listed = re.findall(r"^\| `(ohlcache_\w+)`", DOCS, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == {exposed_name(metric) for metric in Metric}
    assert listed[:4] == [exposed_name(metric) for metric in ALERTING]
