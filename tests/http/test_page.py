"""The page: built files with the right lives, deep links, and the small page where nothing was built."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="function")

SCRIPT = b"console.log('built');" * 100


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(
        b'<!doctype html><script type="module" src="/assets/index-Bx3k9_2Q.js"></script>'
    )
    (folder / "assets" / "index-Bx3k9_2Q.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-Bx3k9_2Q.js.map").write_bytes(b"{}")
    (folder / "assets" / "inter-latin-4a5b6c7d.woff2").write_bytes(bytes(range(256)) * 8)
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    (folder / ".hidden").write_bytes(b"hidden")
    (tmp_path / "outside.txt").write_bytes(b"outside")
    return folder


async def test_the_built_page_is_served_with_the_right_lives(make_world: Callable[..., Any], built: Path) -> None:
    """Names with a hash are kept for a year, everything else is revalidated."""
    driver = (await make_world(page_dir=built)).driver
    index = await driver.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"
    assert index.headers["cache-control"] == "no-cache"
    script = await driver.get("/assets/index-Bx3k9_2Q.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await driver.get("/favicon.svg")).headers["cache-control"] == "no-cache"
    assert (await driver.get("/", if_none_match=index.headers["etag"])).status == 304


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_text_is_compressed_and_fonts_are_not(make_world: Callable[..., Any], built: Path, coding: str) -> None:
    """What shrinks is sent small, and comes out as the file."""
    driver = (await make_world(page_dir=built)).driver
    script = await driver.get("/assets/index-Bx3k9_2Q.js", accept_encoding=coding)
    assert script.headers["content-encoding"] == coding
    assert script.plain == SCRIPT
    font = await driver.get("/assets/inter-latin-4a5b6c7d.woff2", accept_encoding=coding)
    assert font.headers["content-type"] == "font/woff2"
    assert "content-encoding" not in font.headers


@pytest.mark.parametrize("path", ["/AAPL?range=1Y", "/brk.b", "/BRK-B?range=1Y&resolution=5", "/F", "/index.html"])
async def test_deep_links_open_the_page(make_world: Callable[..., Any], built: Path, path: str) -> None:
    """H8: a ticker's path is the page's, whatever it shows."""
    driver = (await make_world(page_dir=built)).driver
    assert (await driver.get(path)).body == (await driver.get("/")).body


@pytest.mark.parametrize(
    "path",
    ["/../outside.txt", "/%2e%2e/outside.txt", "/assets/../../outside.txt", "/assets/%2e%2e%2f..%2foutside.txt",
     "/.hidden", "/assets/index-Bx3k9_2Q.js.map",  "/assets/", "/assets/gone-00000000.js", "/static/index.html",
     "/ABCDEFGHIJKLM", "/A/B", "/%00", "/style.css"],
)  # fmt: skip
async def test_nothing_else_is_reached(make_world: Callable[..., Any], built: Path, path: str) -> None:
    """No path leads out of the folder, to hidden files or to source maps."""
    driver = (await make_world(page_dir=built)).driver
    reply = await driver.get(path)
    assert (reply.status, reply.error["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_pages_run_their_own_scripts_only(world: Any, path: str) -> None:
    """The policy names every inline script by its digest and lets nothing else in."""
    reply = await world.driver.get(path)
    policy = reply.headers["content-security-policy"]
    scripts = re.findall(rb"<script>(.*?)</script>", reply.body, re.DOTALL)
    assert scripts
    for script in scripts:
        assert f"'sha256-{b64encode(sha256(script).digest()).decode()}'" in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    assert b"http://" not in reply.body.replace(b"http://www.w3.org/2000/svg", b"")
    assert b"https://" not in reply.body


async def test_an_empty_folder_gives_the_small_page(make_world: Callable[..., Any], tmp_path: Path) -> None:
    """Without a build there is still a chart."""
    driver = (await make_world(page_dir=tmp_path)).driver
    assert b"<svg" in (await driver.get("/AAPL")).body


async def test_many_readers_at_once_get_the_same_file(make_world: Callable[..., Any], built: Path) -> None:
    """The first reader's compression is everybody's."""
    driver = (await make_world(page_dir=built)).driver
    replies = await asyncio.gather(
        *(driver.get("/assets/index-Bx3k9_2Q.js", accept_encoding="gzip") for _ in range(10))
    )
    assert len({reply.body for reply in replies}) == 1
