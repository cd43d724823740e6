"""The names under which the server answers, so that no web page reaches it under a name of its own.

A page may point its own name at 127.0.0.1 after it was loaded (DNS rebinding). Its requests are then of one origin for
the browser and carry no sign of another site; only their ``Host`` gives them away. So without API keys the server
answers to this machine's own names only: those for which browsers also send ``Sec-Fetch-Site`` over plain HTTP.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

from ohlcache.http.errors import ForeignHost, InvalidHost

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ohlcache.domain.errors import OhlcacheError
    from ohlcache.http.messages import Header

REFUSAL = "ohlcache.refusal"
"""The ASGI extension by which a server hands on an error that it found in a request's head."""

OWN_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEALTH_PATHS = frozenset({"/healthz", "/readyz"})

_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[^\s\[\]@:/?#,\\]+)(?::[0-9]{0,5})?\Z")
_SHOWN_BYTES_MAX = 60


class Hosts:
    """The names that are answered: this machine's own, and ``names``; ``*`` is all of them.

    ``has_keys``: callers need an API key, which no page has. Then every name is answered unless ``names`` says
    otherwise, and health under any name, as load balancers ask for it.
    """

    def __init__(self, names: Collection[str], *, has_keys: bool) -> None:
        self._all = "*" in names or (has_keys and not names)
        self._names = OWN_NAMES | {name.lower().removesuffix(".") for name in names}
        self._open_paths = HEALTH_PATHS if has_keys else frozenset()

    def check(self, path: str, host: bytes) -> None:
        """Raise ForeignHost unless a request for ``path`` that calls the server ``host`` is answered."""
        if self._all or path in self._open_paths:
            return
        found = _HOST.match(host)
        name = found[1].decode("latin-1").lower().removesuffix(".") if found is not None else ""
        if name not in self._names and not _is_loopback(name):
            shown = host[:_SHOWN_BYTES_MAX].decode("latin-1")
            raise ForeignHost(f"This server does not answer to the name {shown!r}." if shown else "A Host is missing.")


def _is_loopback(name: str) -> bool:
    """Whether ``name`` is an address of which no request leaves the machine; none that only maps to one."""
    try:
        if name.startswith("["):
            return IPv6Address(name[1:-1]) == IPv6Address("::1")
        return IPv4Address(name).is_loopback
    except ValueError:
        return False


def refusal_of(target: bytes, headers: Iterable[Header], *, http_version: str) -> OhlcacheError | None:
    """Return what is wrong with the host of a request's head (RFC 9112, 3.2), None where nothing is.

    HTTP/1.1 demands exactly one ``Host``, older versions allow none; a target with a host must name the same one.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        return InvalidHost("The request has more than one Host.")
    if not hosts and http_version == "1.1":
        return InvalidHost("The request has no Host.")
    _, absolute, rest = target.partition(b"://") if not target.startswith(b"/") else (b"", b"", b"")
    if absolute and re.split(rb"[/?#]", rest, maxsplit=1)[0].lower() not in {host.lower() for host in hosts}:
        return InvalidHost("The request's target names another host than its Host.")
    return None
