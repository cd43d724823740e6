"""The web page: the built files where they are there, else a small page that draws a chart without any build.

Files are read once, at the start, and answered from memory: a path can only ever name one of them, so no request
reaches the file system. Names that carry a hash of their content are kept by browsers for a year, everything else is
revalidated.
"""

from __future__ import annotations

import mimetypes
import re
from base64 import b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ohlcache.http.compression import COMPRESSED_BYTES_MIN, compress
from ohlcache.http.conditional import entity_tag, is_held
from ohlcache.http.messages import Response
from ohlcache.http.negotiation import Coding, choose_coding

if TYPE_CHECKING:
    from ohlcache.http.messages import Header, Request

PAGES_DIR = Path(__file__).parent / "pages"
INDEX = "index.html"

_HASHED_NAME = re.compile(r"-[A-Za-z0-9_-]{8,}\.[a-z0-9]+\Z")
_TICKER_PATH = re.compile(r"/[A-Za-z0-9][A-Za-z0-9-]{0,11}(\.(?!js\Z)[A-Za-z]{1,2})?\Z")
_INLINE_SCRIPT = re.compile(rb"<script(?:\s+type=\"module\")?>(.*?)</script>", re.DOTALL)
_COMPRESSIBLE = ("text/", "application/json", "image/svg", "application/manifest")
# The system's own table of types differs from machine to machine; these are the ones a build consists of.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(slots=True)
class Asset:
    """One file: its bytes, and the compressed forms that were asked for so far."""

    body: bytes
    content_type: str
    cache_control: bytes
    policy: bytes | None = None
    _forms: dict[Coding, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, body: bytes) -> Asset:
        """Return the asset of a file called ``name``; HTML gets a policy that allows its own inline scripts only."""
        suffix = Path(name).suffix
        content_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        hashed = bool(_HASHED_NAME.search(name))
        keep = b"public, max-age=31536000, immutable" if hashed else b"no-cache"
        return cls(body, content_type, keep, content_security_policy(body) if suffix == ".html" else None)

    def answer(self, request: Request) -> Response:
        """Return the file in the coding that the caller takes, or 304 when it has it."""
        coding = choose_coding(request.headers.get(b"accept-encoding", b""))
        if len(self.body) < COMPRESSED_BYTES_MIN or not self.content_type.startswith(_COMPRESSIBLE):
            coding = Coding.IDENTITY
        etag = entity_tag(self.body, coding)
        headers: list[Header] = [
            (b"etag", etag),
            (b"cache-control", self.cache_control),
            (b"vary", b"Accept-Encoding"),
            (b"referrer-policy", b"no-referrer"),
        ]
        if self.policy is not None:
            headers.append((b"content-security-policy", self.policy))
        if is_held(request.headers.get(b"if-none-match", b""), etag):
            return Response(304, headers)
        if coding not in self._forms:
            self._forms[coding] = compress(self.body, coding)
        headers.append((b"content-type", self.content_type.encode()))
        if coding is not Coding.IDENTITY:
            headers.append((b"content-encoding", coding.encode()))
        return Response(200, headers, self._forms[coding])


class Page:
    """Answers every path that belongs to the page."""

    def __init__(self, page_dir: Path | None) -> None:
        self._assets = {} if page_dir is None else _read_assets(page_dir)
        if f"/{INDEX}" not in self._assets:
            self._assets[f"/{INDEX}"] = read_page("placeholder.html")
        self._index = self._assets[f"/{INDEX}"]

    def find(self, path: str) -> Asset | None:
        """Return the file at ``path``; the page itself at ``/`` and at deep links such as ``/AAPL``; None elsewhere."""
        asset = self._assets.get(path)
        if asset is not None:
            return asset
        return self._index if path == "/" or _TICKER_PATH.match(path) else None


def read_page(name: str) -> Asset:
    """Return one of the pages that ship with the package."""
    return Asset.of(name, (PAGES_DIR / name).read_bytes())


def content_security_policy(html: bytes) -> bytes:
    """Return the policy of a page: nothing from elsewhere, no inline script but those in ``html`` now."""
    digests = [b64encode(sha256(script).digest()) for script in _INLINE_SCRIPT.findall(html)]
    scripts = b"".join(b" 'sha256-%b'" % digest for digest in digests)
    return (
        b"default-src 'self'; script-src 'self'%b; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ) % scripts


def _read_assets(folder: Path) -> dict[str, Asset]:
    """Return the files below ``folder`` by path; hidden files and source maps are not for visitors."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part.startswith(".") for part in name.split("/")) and path.suffix != ".map":
            found[f"/{name}"] = Asset.of(name, path.read_bytes())
    return found
