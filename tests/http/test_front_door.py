"""What every request passes: ids, limits, keys, methods, origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ohlcache.adapters.telemetry import REQUEST_ID
from ohlcache.ports import Level, Metric

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.asyncio(loop_scope="function")

AAPL = "/api/v2/tickers/AAPL/ohlc"
INVALIDATE = "/api/v2/tickers/AAPL/invalidate"
API_PATHS = (AAPL, "/api/v2/tickers", "/api/v2/tickers/AAPL/coverage", "/api/v2/status", "/api/v2/nope", "/metrics")
OPEN_PATHS = ("/healthz", "/readyz", "/", "/AAPL", "/docs", "/openapi.json")


# --- request ids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["a", "trace-1.2_3", "x" * 128])
async def test_a_sane_request_id_is_kept(world: Any, wanted: str) -> None:
    """O1: the caller's id comes back."""
    assert (await world.driver.get(AAPL, x_request_id=wanted)).headers["x-request-id"] == wanted


@pytest.mark.parametrize("wanted", ["", "x" * 129, "a b", 'a"b', "a\tb", "é", "a,b", "a/b"])
async def test_a_harmful_request_id_is_replaced(world: Any, wanted: str) -> None:
    """What could do harm in a log or a header is never repeated."""
    seen = {(await world.driver.get(AAPL, x_request_id=wanted)).headers["x-request-id"] for _ in range(2)}
    assert wanted not in seen
    assert len(seen) == 2


async def test_lower_layers_see_the_request_id(world: Any) -> None:
    """O1: what runs on a request's behalf, the vendor call included, can name it in its lines."""
    seen: list[str | None] = []

    async def look(*args: object) -> None:
        seen.append(REQUEST_ID.get())

    world.vendor.before = look
    await world.driver.get(AAPL, x_request_id="from-afar")
    assert set(seen) == {"from-afar"}


async def test_every_request_is_measured_and_logged_once(world: Any) -> None:
    """One line and one value per request, by the route's template: a path may hold anything."""
    world.telemetry.clear()
    await world.driver.get(AAPL)
    await world.driver.get("/no/such/thing")
    lines = [line for line in world.telemetry.lines if line.event == "request"]
    assert [(line.fields["route"], line.fields["status"], line.fields.get("tier")) for line in lines] == [
        ("/api/v2/tickers/{ticker}/ohlc", 200, "tiingo"),
        ("unknown", 404, None),
    ]
    assert all(line.level is Level.INFO and line.fields["ms"] >= 0 for line in lines)
    assert len(world.telemetry.values(Metric.HTTP_SECONDS, status="200")) == 1
    assert len(world.telemetry.values(Metric.HTTP_SECONDS, route="unknown")) == 1


# --- methods ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [AAPL, "/api/v2/status", "/healthz", "/openapi.json", "/docs", "/", "/AAPL"])
async def test_head_is_get_without_the_body(world: Any, target: str) -> None:
    """HEAD has the headers of GET, its length included."""
    full = await world.driver.get(target)
    bare = await world.driver.ask("HEAD", target)
    assert (bare.status, bare.body) == (full.status, b"")
    assert bare.headers["content-length"] == full.headers["content-length"]
    assert bare.headers.get("etag") == full.headers.get("etag")


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("POST", AAPL, "GET, HEAD, OPTIONS"),
        ("DELETE", "/api/v2/status", "GET, HEAD, OPTIONS"),
        ("GET", INVALIDATE, "OPTIONS, POST"),
        ("HEAD", INVALIDATE, "OPTIONS, POST"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
        ("BREW", AAPL, "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(world: Any, method: str, target: str, allowed: str) -> None:
    """405 carries Allow."""
    reply = await world.driver.ask(method, target)
    assert reply.status == 405
    assert reply.headers["allow"] == allowed


async def test_options_lists_the_methods(world: Any) -> None:
    """OPTIONS is answered without a key: browsers send none with it."""
    for target in (AAPL, INVALIDATE, "/", "/healthz"):
        reply = await world.driver.ask("OPTIONS", target)
        assert (reply.status, reply.body) == (204, b"")
        assert "OPTIONS" in reply.headers["allow"]


@pytest.mark.parametrize(
    "target",
    ["/nope/nope", "/api", "/api/", "/api/v1/tickers", "/api/v2/tickers/", "/api/v2/tickers//ohlc", "/robots.txt",
     "/favicon.ico", "/api/v2/tickers/AAPL/ohlc/", "/api/v2/tickers/A%2FB/ohlc", "//", "/assets/x.js", "/a.js"],
)  # fmt: skip
async def test_an_unknown_path_is_404(world: Any, target: str) -> None:
    """Unknown paths are JSON 404s, not the page."""
    reply = await world.driver.get(target)
    if target == "/api":  # a ticker of that name exists
        assert reply.status == 200
        return
    assert (reply.status, reply.error["code"]) == (404, "not_found")


# --- limits ----------------------------------------------------------------------------------------------------------


async def test_a_long_target_is_refused(world: Any) -> None:
    """414 beyond 4096 bytes of path and query."""
    reply = await world.driver.get(f"{AAPL}?range={'x' * 5000}")
    assert (reply.status, reply.error["code"]) == (414, "uri_too_long")
    assert (await world.driver.get("/" + "a" * 5000)).status == 414


@pytest.mark.parametrize("declared", [True, False])
async def test_a_long_body_is_refused(world: Any, declared: bool) -> None:
    """413 beyond 4096 bytes, whether the length is declared or only turns out; the connection is closed."""
    headers = {"content-length": "9" * 5000} if declared else {}
    reply = await world.driver.ask("POST", INVALIDATE, headers, body=b"x" * 9000)
    assert (reply.status, reply.error["code"]) == (413, "too_large")
    assert reply.headers["connection"] == "close"


async def test_a_short_body_is_ignored(world: Any) -> None:
    """Clients that always send ``{}`` are welcome."""
    assert (await world.driver.ask("POST", INVALIDATE, {"content-length": "2"}, body=b"{}")).status == 200


# --- keys ------------------------------------------------------------------------------------------------------------


async def test_without_a_key_data_is_closed_and_health_is_open(make_world: Callable[..., Any]) -> None:
    """E23, O7: every /api path and the metrics need a key; health, the page and the contract do not."""
    world = await make_world(api_keys=("first-key", "second-key"))
    for target in API_PATHS:
        reply = await world.driver.get(target)
        assert (reply.status, reply.error["code"]) == (401, "unauthorized"), target
        assert reply.headers["www-authenticate"] == "Bearer"
        assert "X-API-Key" in reply.error["hint"]
    assert (await world.driver.ask("POST", INVALIDATE)).status == 401
    for target in OPEN_PATHS:
        assert (await world.driver.get(target)).status == 200
    assert not world.vendor.asked


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": "first-key"},
        {"x_api_key": "second-key"},
        {"authorization": "Bearer second-key"},
        {"authorization": "bearer  second-key"},
        {"x_api_key": "wrong", "authorization": "Bearer first-key"},
    ],
)
async def test_any_key_opens(make_world: Callable[..., Any], headers: dict[str, str]) -> None:
    """Either header, any of the keys."""
    world = await make_world(api_keys=("first-key", "second-key"))
    assert (await world.driver.get(AAPL, **headers)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"x_api_key": ""},
        {"x_api_key": "first-ke"},
        {"x_api_key": "first-key2"},
        {"x_api_key": "first-key, second-key"},
        {"authorization": "Basic first-key"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "first-key"},
    ],
)
async def test_a_wrong_key_does_not(make_world: Callable[..., Any], headers: dict[str, str]) -> None:
    """E23: 401 for anything but a whole key."""
    world = await make_world(api_keys=("first-key", "second-key"))
    assert (await world.driver.get(AAPL, **headers)).status == 401


# --- origins ---------------------------------------------------------------------------------------------------------


async def test_without_the_option_no_page_of_another_origin_reads(world: Any) -> None:
    """No CORS headers unless asked for."""
    reply = await world.driver.get(AAPL, origin="https://elsewhere.example")
    assert not [name for name in reply.headers if name.startswith("access-control")]


async def test_an_allowed_origin_reads_answers_and_errors(make_world: Callable[..., Any]) -> None:
    """The origin is named back, the cache's headers are readable, caches keep origins apart."""
    world = await make_world(cors_origins=("https://charts.example",), api_keys=("the-key",))
    for headers, status in (({"x_api_key": "the-key"}, 200), ({}, 401)):
        reply = await world.driver.get(AAPL, origin="https://charts.example", **headers)
        assert reply.status == status
        assert reply.headers["access-control-allow-origin"] == "https://charts.example"
        assert "X-Cache-Source" in reply.headers["access-control-expose-headers"]
        assert "Origin" in reply.headers["vary"]
    other = await world.driver.get(AAPL, origin="https://elsewhere.example", x_api_key="the-key")
    assert "access-control-allow-origin" not in other.headers
    assert "Origin" in other.headers["vary"]


async def test_a_preflight_is_answered_without_a_key(make_world: Callable[..., Any]) -> None:
    """Browsers ask first, and send no key when they do."""
    world = await make_world(cors_origins=("*",), api_keys=("the-key",))
    asked = {"origin": "https://any.example", "access-control-request-method": "GET"}
    reply = await world.driver.ask("OPTIONS", AAPL, asked)
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "GET" in reply.headers["access-control-allow-methods"]
    assert "X-API-Key" in reply.headers["access-control-allow-headers"]


async def test_a_foreign_page_changes_nothing(make_world: Callable[..., Any]) -> None:
    """A plain POST needs no preflight, so a page of another site is refused by its Origin."""
    world = await make_world(cors_origins=("https://charts.example",))
    for origin, status in (
        ("https://elsewhere.example", 403),
        ("null", 403),
        ("http://localhost:8000", 200),
        ("https://charts.example", 200),
    ):
        reply = await world.driver.ask("POST", INVALIDATE, {"origin": origin})
        assert reply.status == status
        assert status == 200 or reply.error["code"] == "foreign_origin"


# --- hygiene ---------------------------------------------------------------------------------------------------------


async def test_nobody_guesses_types(world: Any) -> None:
    """Everything says nosniff, errors included."""
    for target in (*API_PATHS, *OPEN_PATHS):
        assert (await world.driver.get(target)).headers["x-content-type-options"] == "nosniff"


async def test_other_protocols_are_refused(world: Any) -> None:
    """A WebSocket is closed at once."""
    sent = []

    async def send(message: object) -> None:
        sent.append(message)

    await world.app({"type": "websocket"}, None, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
