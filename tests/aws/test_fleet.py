"""Many processes, one table, one vendor call: herds, killed and paused holders, killed writers, on real engines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.dynamodb_engines import CREDENTIALS, ENVIRONMENT
from ohlcache.service.lease_wait import WAIT_SECONDS, WAIT_TRIES
from ohlcache.testing import FakeVendors, Fault, Market
from ohlcache.testing.market import DEFAULT_STOCKS, Stock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contracts.dynamodb_engines import Table

pytestmark = pytest.mark.alone

MEMBER = Path(__file__).with_name("fleet_member.py")
WAIT_SECONDS_MAX = WAIT_TRIES * WAIT_SECONDS
"""How long a waiter gives a holder before one of them takes over (L2): the documented bound, besides the fetch itself."""
STORE_SECONDS = 4.0
"""What fifteen rounds of reads by many processes take on an emulator and two cores, beyond the pauses themselves."""

WRITTEN_AND_KILLED = {f"T{number}": number for number in range(1, 11)}
"""Tickers whose writer dies at its first, second, … tenth write."""


class Member:
    """A process of the fleet."""

    def __init__(self, table: Table, fake: FakeVendors, *words: str, **environment: str) -> None:
        inherited = {name: ENVIRONMENT[name] for name in ("PATH", "HOME", "LANG") if name in ENVIRONMENT}
        assert table.endpoint_url is not None
        self.process = subprocess.Popen(
            [sys.executable, str(MEMBER), *words],
            env={
                **inherited,
                **CREDENTIALS,
                "OHLCACHE_STORE": "dynamodb",
                "OHLC_CACHE_TABLE": table.name,
                "AWS_REGION": table.region,
                "AWS_ENDPOINT_URL_DYNAMODB": table.endpoint_url,
                "OHLCACHE_SOURCE": "tiingo",
                "TIINGO_API_KEY": "k" * 20,
                "TIINGO_BASE_URL": fake.tiingo_url,
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Member:  # noqa: PYI034 - a test's own
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def ready(self) -> Member:
        assert self._line() == "ready"
        return self

    def order(self, ticker: str = "AAPL", time_range: str = "1M", *, callers: int = 1, **more: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"ticker": ticker, "range": time_range, "callers": callers, **more}) + "\n")
        self.process.stdin.flush()

    def answers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._line())
        return found

    def ask(self, *words: str, **order: Any) -> list[dict[str, Any]]:
        self.order(*words, **order)
        return self.answers()

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line or self.process.stderr is None, self.process.stderr.read()
        return line


@pytest.fixture
def fake() -> Iterator[FakeVendors]:
    stocks = {**DEFAULT_STOCKS, **dict.fromkeys(WRITTEN_AND_KILLED, Stock("A Company", listed=date(2010, 1, 4)))}
    with FakeVendors(Market(stocks=stocks)) as made:
        yield made


@pytest.fixture
def member(server_table: Table, fake: FakeVendors) -> Iterator[Callable[..., Member]]:
    with ExitStack() as stack:
        yield lambda *words, **environment: stack.enter_context(Member(server_table, fake, *words, **environment))


one_engine = pytest.mark.parametrize("server_table", ["ministack"], indirect=True)
"""For what depends on the fleet's own doing and not on the engine's."""


def until(fact: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


def test_ten_processes_with_ten_callers_each_make_one_vendor_call(
    member: Callable[..., Member], fake: FakeVendors
) -> None:
    """L4, D1: a hundred cold callers, one call, a hundred identical complete answers."""
    fleet = [member() for _ in range(10)]
    for process in fleet:
        process.ready()
    for process in fleet:
        process.order(callers=10)
    answers = [answer for process in fleet for answer in process.answers()]
    assert len(answers) == 100
    assert not [answer for answer in answers if "error" in answer]
    assert len(fake.calls) == 1
    assert len({answer["digest"] for answer in answers}) == 1
    assert all(answer["complete"] for answer in answers)
    assert {answer["tier"] for answer in answers} == {"tiingo", "dynamodb"}


@one_engine
def test_tickers_and_ranges_never_wait_for_one_another(member: Callable[..., Member], fake: FakeVendors) -> None:
    """D11, D12, L5: while one ticker's holder hangs, others are fetched by another process at once."""
    fake.tiingo.faults.then((Fault.LATENCY, 8.0))
    slow, quick = member().ready(), member().ready()
    slow.order("AAPL")
    until(lambda: len(fake.calls) == 1)
    for ticker in ("MSFT", "IBM"):
        (answer,) = quick.ask(ticker)
        assert answer["tier"] == "tiingo"
        assert answer["seconds"] < WAIT_SECONDS_MAX


def test_a_killed_holder_is_replaced_by_exactly_one(member: Callable[..., Member], fake: FakeVendors) -> None:
    """D2, E18, L5: SIGKILL in the middle of the fetch: within the bound all others are served, by one more call."""
    fake.tiingo.faults.then((Fault.LATENCY, 30.0))
    holder, others = member().ready(), [member().ready() for _ in range(3)]
    holder.order()
    until(lambda: len(fake.calls) == 1)
    holder.process.send_signal(signal.SIGKILL)
    for other in others:
        other.order(callers=5)
    answers = [answer for other in others for answer in other.answers()]
    assert not [answer for answer in answers if "error" in answer]
    assert len(fake.calls) == 2
    assert max(answer["seconds"] for answer in answers) < 2 * WAIT_SECONDS_MAX + STORE_SECONDS
    assert len({answer["digest"] for answer in answers}) == 1


def test_a_paused_holder_does_no_harm_when_it_wakes(member: Callable[..., Member], fake: FakeVendors) -> None:
    """D3, D6: stopped while its answer is on the way and displaced; its late write and release change nothing."""
    fake.tiingo.faults.then((Fault.LATENCY, 1.0))
    holder, other = member().ready(), member().ready()
    holder.order()
    until(lambda: len(fake.calls) == 1)
    holder.process.send_signal(signal.SIGSTOP)
    (served,) = other.ask()
    assert served["tier"] == "tiingo"
    assert len(fake.calls) == 2
    holder.process.send_signal(signal.SIGCONT)
    (late,) = holder.answers()
    assert late["digest"] == served["digest"]
    (after,) = member().ready().ask()
    assert (after["tier"], after["digest"], after["complete"]) == ("dynamodb", served["digest"], True)
    assert len(fake.calls) == 2


@one_engine
def test_a_second_instance_reads_what_the_first_wrote(member: Callable[..., Member], fake: FakeVendors) -> None:
    """F8, E15: first the vendor, then in another process the table, then that process's memory."""
    (first,) = member().ready().ask()
    second = member().ready()
    (stored,), (remembered,) = second.ask(), second.ask()
    assert [answer["tier"] for answer in (first, stored, remembered)] == ["tiingo", "dynamodb", "in-memory"]
    assert len({answer["digest"] for answer in (first, stored, remembered)}) == 1
    # Any range of the same year is in the table, too.
    assert [answer["tier"] for answer in member().ready().ask("AAPL", "1Y")] == ["dynamodb"]


@one_engine
def test_a_failing_fetch_is_shared_and_not_repeated(member: Callable[..., Member], fake: FakeVendors) -> None:
    """L4, E29, F4: 429 goes to everybody who waited, from one call; nobody tries again in series."""
    fake.tiingo.faults.always = {Fault.LATENCY: 0.5}
    fake.tiingo.faults.then(Fault.TOO_MANY)
    fleet = [member().ready() for _ in range(4)]
    for process in fleet:
        process.order(callers=5)
    answers = [answer for process in fleet for answer in process.answers()]
    assert len(answers) == 20
    assert {answer.get("error") for answer in answers} == {"quota_exceeded"}
    assert len(fake.calls) == 1


@one_engine
def test_killed_between_any_two_writes_leaves_no_partial_hit(member: Callable[..., Member], fake: FakeVendors) -> None:
    """S5, E16, E27: five years are many items; whichever of them is the last one written, the next answer is whole.

    One writer per write that a fetch makes: the lease, the listing, six years, the forming day's, the release.
    """
    deaths = WRITTEN_AND_KILLED
    writers = {ticker: member("--kill-at", str(number)) for ticker, number in deaths.items()}
    for ticker, writer in writers.items():
        writer.ready().order(ticker, "5Y")
    codes = [
        writer.process.wait(timeout=60) if number <= 8 else 0
        for writer, number in zip(writers.values(), deaths.values(), strict=True)
    ]
    assert codes[:8] == [-signal.SIGKILL] * 8
    (reader, other) = (member().ready() for _ in range(2))
    answers = reader.ask(tickers=list(deaths), time_range="5Y")
    assert all(answer["complete"] for answer in answers)
    again = other.ask(tickers=list(deaths), time_range="5Y")
    assert [answer["digest"] for answer in again] == [answer["digest"] for answer in answers]
    assert {answer["tier"] for answer in again} == {"dynamodb"}
    calls = Counter(call.ticker for call in fake.calls)
    assert set(calls) == set(deaths)
    assert all(calls[ticker] == 2 for ticker, number in deaths.items() if 2 <= number <= 7)
