"""``ohlcache smoke-test URL``: after a deployment, ask twice; the second answer must come from a cache."""
# ruff: noqa: PLC0415 - what a command needs is imported when it runs, so that --help stays fast

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHES = frozenset({"in-memory", "dynamodb", "sqlite", "memory"})
"""What ``X-Cache-Source`` says of an answer for which no vendor was asked."""
ANSWER_SECONDS_MAX = 35.0
"""A little more than the function's own time-out: its 503 says more than ours."""
SHOWN_CHARACTERS_MAX = 300


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def source(self) -> str:
        """Which tier answered."""
        return self.headers.get("X-Cache-Source", "(no X-Cache-Source)")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("smoke-test")(smoke_test)


def smoke_test(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False, help="Where the server or function is.")],
    ticker: Annotated[str, typer.Option("--ticker", help="What to ask for.")] = "AAPL",
    time_range: Annotated[str, typer.Option("--range", help="Over which range.")] = "1M",
) -> None:
    """Ask a deployed server for one ticker twice; fail unless both answers are complete and the second from a cache.

    The API key is read from SMOKE_TEST_API_KEY.
    """
    from ohlcache.cli.running import command_settings, run

    key = command_settings().smoke_test_api_key
    run(_smoke(url.rstrip("/"), ticker, time_range, key.get_secret_value() if key is not None else None))


async def _smoke(url: str, ticker: str, time_range: str, key: str | None) -> None:
    from ohlcache.cli.checks import check, expect

    target = f"{url}/api/v2/tickers/{ticker}/ohlc?range={time_range}"
    with check("the first answer is complete"):
        first = await _ask(target, key)
        candles = _complete(first)
    with check("the second answer comes from a cache"):
        second = await _ask(target, key)
        expect(
            second.source in CACHES,
            f"The second answer came from {second.source!r}, not from a cache.",
            hint="Look at CacheError and at the lines `store failed`: the store does not keep what is written.",
        )
    with check("both answers are the same"):
        expect(_complete(second) == candles, "The second answer's candles differ from the first's.")
    sys.stdout.write(f"{ticker}: {len(candles)} candles, first from {first.source}, then from {second.source}\n")


async def _ask(target: str, key: str | None) -> Answer:
    import aiohttp

    from ohlcache.cli.checks import CheckFailed

    headers = {"X-API-Key": key} if key is not None else {}
    try:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(target, headers=headers) as answer:
            return Answer(answer.status, answer.headers, await answer.text())
    except (aiohttp.ClientError, TimeoutError, ValueError) as exc:
        raise CheckFailed(
            f"{target} does not answer ({type(exc).__name__}).", hint="Check the URL, and that it is deployed and up."
        ) from exc


def _complete(answer: Answer) -> list[Any]:
    """Return the candles of a complete answer; CheckFailed says what else it is."""
    from ohlcache.cli.checks import CheckFailed, expect

    if answer.status != 200:  # noqa: PLR2004 - what a good answer has
        raise CheckFailed(f"The answer is {answer.status}: {answer.body[:SHOWN_CHARACTERS_MAX]}", hint=_way_out(answer))
    try:
        body = json.loads(answer.body)
        candles, complete = list(body["candles"]), body["complete"]
    except (ValueError, KeyError, TypeError) as exc:
        raise CheckFailed(
            f"The answer is not one of ohlcache: {answer.body[:SHOWN_CHARACTERS_MAX]!r}", hint="Check the URL."
        ) from exc
    expect(bool(candles), "The answer has no candles.", hint="Choose a --ticker and a --range that must have some.")
    expect(complete is True, "The answer is not complete, and does not say so with an error.")
    return candles


def _way_out(answer: Answer) -> str:
    if answer.status == 401:  # noqa: PLR2004 - the status for a missing key
        return "Set SMOKE_TEST_API_KEY to one of the server's keys."
    return "The body says what is wrong; the log has more, under the request id " + answer.headers.get(
        "X-Request-Id", "(none)"
    )
