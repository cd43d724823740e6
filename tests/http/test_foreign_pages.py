"""No web page uses the server behind the user's back: foreign names, foreign origins, other sites; over real sockets."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Self

import pytest
from http_process import end, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = "/api/v2/tickers/AAPL/ohlc?range=1Y"
INVALIDATE = "/api/v2/tickers/AAPL/invalidate"
TIINGO = "/tiingo/daily/AAPL/prices"
KEY = "X-API-Key: the-key"
EVIL = "Host: evil.example:8000"
OWN = "Host: localhost:8000"
ON_THE_WAY_TO_DATA = (DATA, TIINGO, "/metrics", "/api/v2/status", "/api/test")
OPEN = ("/", "/AAPL?range=1Y", "/healthz", "/readyz", "/openapi.json", "/docs")


class Line:
    """One connection, on which heads are sent exactly as given."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, *lines: str, target: str = DATA, method: str = "GET", version: str = "1.1") -> None:
        self._socket.sendall("\r\n".join([f"{method} {target} HTTP/{version}", *lines, "", ""]).encode("latin-1"))

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        status = int(self._stream.readline().split()[1])
        headers = dict(iter(self._header, ("", "")))
        return status, headers, self._stream.read(int(headers.get("content-length", 0)))

    def _header(self) -> tuple[str, str]:
        name, _, value = self._stream.readline().decode("latin-1").strip().partition(": ")
        return name.lower(), value

    def ask(self, *lines: str, target: str = DATA, method: str = "GET", version: str = "1.1") -> tuple[int, str]:
        """Return the status, and the code of the error or the tier of the answer."""
        self.send(*lines, target=target, method=method, version=version)
        status, headers, body = self.reply()
        return status, headers.get("x-cache-source", "") if status < 400 else code_of(body)

    @property
    def is_closed(self) -> bool:
        return self._stream.read(1) == b""


def code_of(body: bytes) -> str:
    answer = json.loads(body)
    return str(answer["error"]["code"]) if "error" in answer else str(answer["detail"])


def serving(folder: pytest.TempPathFactory, **environment: str) -> Iterator[int]:
    server = launch(folder.mktemp("pages"), OHLCACHE_LOG_LEVEL="ERROR", **environment)
    yield server.ready()
    end(server)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Start a server without keys, as ``make run`` does."""
    yield from serving(tmp_path_factory)


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from serving(tmp_path_factory, OHLCACHE_API_KEYS="the-key")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from serving(
        tmp_path_factory, OHLCACHE_ALLOWED_HOSTS="Charts.example", OHLCACHE_CORS_ORIGINS="https://desk.example"
    )


@pytest.fixture(scope="module")
def keyed_and_named(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from serving(tmp_path_factory, OHLCACHE_API_KEYS="the-key", OHLCACHE_ALLOWED_HOSTS="charts.example")


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8000", "LocalHost:8000", "localhost:", "localhost.", "localhost.:1"),
        *("127.0.0.1", "127.0.0.1.", "127.0.0.1:65535", "127.0.0.2", "127.255.255.254:80"),
        *("[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]"),
    ],
)
def test_this_machine_s_own_names_are_answered(port: int, host: str) -> None:
    """Whatever the port, the case or the way of writing: a tunnel or a proxy may listen on another port."""
    with Line(port) as line:
        assert line.ask(f"Host: {host}")[0] == 200


FOREIGN = [
    *("evil.example", "evil.example:8000", "localhost.evil.example", "localhost:8000.evil.example"),
    *(
        "127.0.0.1.evil.example",
        "evil@localhost",
        "localhost:8000@evil.example",
        "localhost/",
        "localhost#",
    ),
    *(
        "localhost:port",
        "localhost:8000:8000",
        "localhost, localhost",
        "app.localhost",
        "xlocalhost",
        "localhost..",
        ".",
    ),
    *("", ":8000", "0.0.0.0:8000", "0", "127.1", "0x7f.0.0.1", "2130706433", "192.168.1.5:8000", "128.0.0.1"),
    *(
        "::1",
        "[::]",
        "[::1",
        "[::1]8000",
        "[::ffff:127.0.0.1]:8000",
        "[::1%lo]",
        "[fe80::1]",
        "[127.0.0.1]",
        "l\xf6calhost",
    ),
]


@pytest.mark.parametrize("host", FOREIGN)
def test_a_foreign_name_gets_nothing(port: int, host: str) -> None:
    """A page whose name was pointed at this machine gets neither data nor the page, and invalidates nothing."""
    with Line(port) as line:
        for target in (DATA, *OPEN):
            assert line.ask(f"Host: {host}", target=target) == (403, "foreign_host")
        assert line.ask(f"Host: {host}", "Content-Length: 0", target=INVALIDATE, method="POST") == (403, "foreign_host")
        assert line.ask(f"Host: {host}", target=DATA, method="OPTIONS") == (403, "foreign_host")


def test_a_rebound_name_invalidates_nothing(port: int) -> None:
    """For the browser it is of one origin with the server, so nothing but its Host gives it away."""
    page = (EVIL, "Origin: http://evil.example:8000", "Sec-Fetch-Site: same-origin")
    with Line(port) as line:
        assert line.ask(OWN)[0] == 200
        assert line.ask(*page) == (403, "foreign_host")
        assert line.ask(*page, "Content-Length: 0", target=INVALIDATE, method="POST") == (403, "foreign_host")
        assert line.ask(OWN) == (200, "in-memory")


def test_the_error_names_the_setting(port: int) -> None:
    """Whoever put a proxy in front of the server reads what to set."""
    with Line(port) as line:
        line.send(EVIL)
        error = json.loads(line.reply()[2])["error"]
        assert "'evil.example:8000'" in error["message"]
        assert "OHLCACHE_ALLOWED_HOSTS" in error["hint"]
        assert "OHLCACHE_ALLOWED_HOSTS" in line.ask(EVIL, target=TIINGO)[1]


def test_allowed_names_are_answered(named: int) -> None:
    """Those of the setting, in addition to this machine's own."""
    with Line(named) as line:
        for host in ("charts.example", "CHARTS.example.:443", "localhost"):
            assert line.ask(f"Host: {host}")[0] == 200
        for host in ("evil.example", "more.charts.example", ""):
            assert line.ask(f"Host: {host}") == (403, "foreign_host")


def test_with_keys_every_name_is_answered(keyed: int) -> None:
    """The key is what protects: no page has it."""
    with Line(keyed) as line:
        assert line.ask(EVIL, KEY)[0] == 200
        assert line.ask(EVIL) == (401, "unauthorized")
        assert line.ask("Host: ", target="/healthz")[0] == 200


def test_with_keys_and_names_health_is_open(keyed_and_named: int) -> None:
    """Load balancers ask for health by address."""
    with Line(keyed_and_named) as line:
        assert line.ask(EVIL, KEY) == (403, "foreign_host")
        assert line.ask("Host: charts.example", KEY)[0] == 200
        for target in ("/healthz", "/readyz"):
            assert line.ask("Host: 10.0.0.7", target=target)[0] == 200


# --- heads that leave open which host they mean -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (DATA, ()),
        (DATA, (OWN, OWN)),
        (DATA, (OWN, EVIL)),
        (DATA, (EVIL, OWN)),
        (f"http://evil.example{DATA}", (OWN,)),
        (f"http://evil.example:8000{DATA}", (OWN,)),
        (f"http://localhost:8000@evil.example{DATA}", (OWN,)),
        (f"http://localhost:8001{DATA}", (OWN,)),
    ],
)
def test_an_unclear_host_is_refused(port: int, keyed: int, target: str, lines: tuple[str, ...]) -> None:
    """None, two, or another one in the target: 400, with keys too, and nothing more on that connection."""
    for each in (port, keyed):
        with Line(each) as line:
            assert line.ask(*lines, KEY, target=target) == (400, "invalid_host")
            assert line.is_closed


def test_a_target_with_the_same_host_is_answered(port: int) -> None:
    """Proxies send it; a foreign one stays foreign."""
    with Line(port) as line:
        assert line.ask(OWN, target=f"http://LOCALHOST:8000{DATA}")[0] == 200
        assert line.ask(EVIL, target=f"http://evil.example:8000{DATA}") == (403, "foreign_host")


def test_older_clients_need_no_host_but_where_it_protects(port: int, keyed: int) -> None:
    """HTTP/1.0 knows no Host: with keys it is answered, without them it names no name of this machine."""
    with Line(keyed) as line:
        assert line.ask(KEY, version="1.0")[0] == 200
    with Line(port) as line:
        assert line.ask(version="1.0") == (403, "foreign_host")
    with Line(port) as line:
        assert line.ask(OWN, version="1.0")[0] == 200


def test_what_came_before_an_unclear_head_is_answered(port: int) -> None:
    """Requests that were sent in one piece are answered in their order."""
    with Line(port) as line:
        whole = f"GET {DATA} HTTP/1.1\r\n{OWN}\r\n\r\n"
        line._socket.sendall(f"{whole}GET {DATA} HTTP/1.1\r\n\r\n{whole}".encode())
        assert [line.reply()[0] for _ in range(2)] == [200, 400]
        assert line.is_closed


# --- sites and origins ---------------------------------------------------------------------------------------------------


def site(where: str, mode: str = "no-cors", dest: str = "image") -> tuple[str, ...]:
    return f"Sec-Fetch-Site: {where}", f"Sec-Fetch-Mode: {mode}", f"Sec-Fetch-Dest: {dest}"


REQUESTS_OF_PAGES = [
    *(site(where) for where in ("cross-site", "same-site", "Cross-Site", "anything")),
    *(site("cross-site", mode, dest) for mode, dest in (("no-cors", "script"), ("cors", "empty"))),
    *(site("cross-site", "navigate", dest) for dest in ("document", "iframe")),
    *(
        (f"Origin: {origin}",)
        for origin in ("https://evil.example", "null", "", "http://localhost", "http://localhost:8001")
    ),
    *(
        (f"Origin: {origin}",)
        for origin in ("localhost:8000", "file://localhost:8000", "http://localhost:8000.evil.example")
    ),
    ("Origin: http://localhost:8000", "Sec-Fetch-Site: cross-site"),
    ("Origin: https://evil.example", "Sec-Fetch-Site: same-origin"),
]


@pytest.mark.parametrize("lines", REQUESTS_OF_PAGES)
def test_pages_of_other_sites_get_no_data(port: int, lines: tuple[str, ...]) -> None:
    """Neither by a script nor by an image, a frame or a link; nor do they change anything."""
    with Line(port) as line:
        assert line.ask(OWN)[0] == 200
        for target in ON_THE_WAY_TO_DATA:
            status, code = line.ask(OWN, *lines, target=target)
            assert (status, code.startswith(("foreign_origin", "Error: A page of another site"))) == (403, True)
        assert line.ask(OWN, *lines, "Content-Length: 0", target=INVALIDATE, method="POST") == (403, "foreign_origin")
        assert line.ask(OWN) == (200, "in-memory")


@pytest.mark.parametrize(
    "lines",
    [
        site("same-origin", "cors", "empty"),
        site("none", "navigate", "document"),
        ("Origin: http://localhost:8000", "Sec-Fetch-Site: same-origin"),
        ("Origin: HTTP://LocalHost:8000",),
    ],
)
def test_the_own_page_and_the_user_are_served(port: int, lines: tuple[str, ...]) -> None:
    """The page's own requests, and an address that the user typed."""
    with Line(port) as line:
        assert line.ask(OWN, *lines)[0] == 200
        assert line.ask(OWN, *lines, "Content-Length: 0", target=INVALIDATE, method="POST")[0] == 200


def test_links_to_the_page_work(port: int) -> None:
    """A link in a chat or a document opens the page; what is open to everybody is not refused."""
    with Line(port) as line:
        for target in OPEN:
            assert line.ask(OWN, *site("cross-site", "navigate", "document"), target=target)[0] == 200


def test_allowed_origins_are_served(named: int) -> None:
    """Their pages read; what names no origin cannot be theirs for certain."""
    with Line(named) as line:
        line.send(OWN, "Origin: https://desk.example", *site("cross-site", "cors", "empty"))
        status, headers, _ = line.reply()
        assert (status, headers["access-control-allow-origin"]) == (200, "https://desk.example")
        assert line.ask(OWN, *site("cross-site")) == (403, "foreign_origin")


def test_every_origin_may_be_allowed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """With ``*`` a page may use images, too; a foreign name stays foreign."""
    for port in serving(tmp_path_factory, OHLCACHE_CORS_ORIGINS="*"):
        with Line(port) as line:
            assert line.ask(OWN, *site("cross-site"))[0] == 200
            assert line.ask(EVIL, *site("cross-site")) == (403, "foreign_host")


def test_with_keys_the_key_protects(keyed: int) -> None:
    """Reading is decided by the key and CORS, as ever; a change is refused by its Origin."""
    with Line(keyed) as line:
        assert line.ask(OWN, KEY, "Origin: https://evil.example", *site("cross-site"))[0] == 200
        change = (OWN, KEY, "Content-Length: 0")
        assert line.ask(*change, target=INVALIDATE, method="POST")[0] == 200
        assert line.ask(*change, "Origin: null", target=INVALIDATE, method="POST") == (403, "foreign_origin")


# --- repeated requests ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("foreign", "answer"),
    [
        ((EVIL,), (403, "foreign_host")),
        ((OWN, "Origin: https://evil.example"), (403, "foreign_origin")),
        ((OWN, "Sec-Fetch-Site: cross-site"), (403, "foreign_origin")),
        ((OWN, OWN), (400, "invalid_host")),
        ((), (400, "invalid_host")),
    ],
)
def test_a_repeated_request_is_checked_like_the_first(
    port: int, foreign: tuple[str, ...], answer: tuple[int, str]
) -> None:
    """Answers from the bytes alone belong to those bytes, Host and Origin included."""
    with Line(port) as line:
        for _ in range(4):
            assert line.ask(OWN)[0] == 200
        assert line.ask(OWN) == (200, "in-memory")
        assert line.ask(*foreign) == answer
    with Line(port) as line:
        assert line.ask(*foreign) == answer
    with Line(port) as line:
        assert line.ask(OWN) == (200, "in-memory")
