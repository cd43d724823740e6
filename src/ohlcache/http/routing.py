"""Which resource answers a path: a table of templates, each variable part one segment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from ohlcache.http.messages import Request, Response

    Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A template such as ``/api/v2/tickers/{ticker}/ohlc`` and what answers each method; GET answers HEAD too."""

    template: str
    handlers: Mapping[str, Handler]
    methods: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = {*self.handlers, "OPTIONS"} | ({"HEAD"} if "GET" in self.handlers else set())
        object.__setattr__(self, "methods", tuple(sorted(names)))

    def handler(self, method: str) -> Handler | None:
        """Return what answers ``method``, None when nothing does."""
        return self.handlers.get("GET" if method == "HEAD" else method)


class RouteTable:
    """Finds the route of a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._fixed = {route.template: route for route in self.routes if "{" not in route.template}
        self._variable = [
            (re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(route.template)) + r"\Z"), route)
            for route in self.routes
            if "{" in route.template
        ]

    def find(self, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """Return the route of ``path`` and the variable parts of the path, None when nothing is served there."""
        route = self._fixed.get(path)
        if route is not None:
            return route, ()
        for pattern, candidate in self._variable:
            found = pattern.match(path)
            if found is not None:
                return candidate, found.groups()
        return None
