"""Every way in which AWS fails is a StoreError with the fix in it, and what can recover does."""

from __future__ import annotations

import asyncio
import threading
from datetime import date
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from botocore import exceptions as botocore

from aws.faults import answer_with_error, raise_instead
from aws.holdings import chunks, series
from aws.test_dynamodb_store import LOCK, SPAN, Bench
from contracts.dynamodb_engines import CREDENTIALS, REGION, Table, free_port
from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.domain.errors import StoreError
from ohlcache.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio

KEY = ClientKey("dynamodb", REGION, None)


@pytest_asyncio.fixture
async def bench(moto_table: Table) -> AsyncIterator[Bench]:
    made = Bench(moto_table)
    yield made
    await made.store.close()


async def failure_of(bench: Bench) -> StoreError:
    with pytest.raises(StoreError) as failure:
        await bench.clock.drive(bench.store.read(series(), SPAN))
    return failure.value


@pytest.mark.parametrize(
    ("code", "status", "tries", "message", "hint"),
    [
        ("AccessDeniedException", 400, 1, "denied dynamodb:Query on table", "Grant dynamodb:Query"),
        ("ResourceNotFoundException", 400, 1, "no table 'ohlcache-", "OHLC_CACHE_TABLE and AWS_REGION"),
        ("ProvisionedThroughputExceededException", 400, 2, "overloaded", "throttled requests"),
        ("InternalServerError", 500, 2, "overloaded or failing", "health page"),
        ("ServiceUnavailable", 503, 2, "overloaded or failing", "health page"),
        ("ValidationException", 400, 1, "refused Query", "the key does not match. Set OHLC_CACHE_TABLE"),
    ],
)
async def test_what_the_service_answers_is_explained(
    bench: Bench, code: str, status: int, tries: int, message: str, hint: str
) -> None:
    """E25, O1: the message names table and region, the hint says what to do, and only what may pass is tried twice."""
    asked = answer_with_error(bench.client, code, "the key does not match", status=status)
    failure = await failure_of(bench)
    assert message in failure.message
    assert hint in failure.hint
    assert REGION in failure.message
    assert len(asked) == tries


@pytest.mark.parametrize(
    ("error", "tries", "message", "hint"),
    [
        (botocore.EndpointConnectionError(endpoint_url="x"), 2, "cannot be reached", "AWS_REGION"),
        (botocore.ConnectionClosedError(endpoint_url="x"), 2, "cannot be reached", "network"),
        (botocore.ReadTimeoutError(endpoint_url="x"), 1, "cannot be reached", "network"),
        (botocore.ConnectTimeoutError(endpoint_url="x"), 1, "cannot be reached", "network"),
        (botocore.CredentialRetrievalError(provider="sso", error_msg="x"), 2, "could not be renewed", "aws sso login"),
        (botocore.NoCredentialsError(), 1, "No AWS credentials", "AWS_PROFILE"),
        (botocore.NoRegionError(), 1, "No usable AWS region", "AWS_REGION="),
        (botocore.ProfileNotFound(profile="x"), 1, "misconfigured", "x"),
        (RuntimeError("boom"), 2, "broke", "replaced"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_what_fails_before_an_answer_is_explained(
    bench: Bench, error: Exception, tries: int, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O1: no SDK exception escapes, whatever it is."""
    monkeypatch.setattr("ohlcache.adapters.stores.dynamodb_table.discard_client", lambda *_: None)
    asked = raise_instead(bench.client, error)
    failure = await failure_of(bench)
    assert message in failure.message
    assert hint in failure.hint
    assert len(asked) == tries


@pytest.mark.parametrize("code", ["ExpiredTokenException", "UnrecognizedClientException", "RequestExpired"])
async def test_expired_credentials_are_renewed_with_a_new_client(bench: Bench, code: str) -> None:
    """S9, E10: the client that was refused is replaced, credentials are looked up anew, and the call goes through."""
    old = bench.client
    asked = answer_with_error(old, code)
    await bench.clock.drive(bench.store.write(chunks(date(2024, 5, 20))))
    assert len(await bench.store.read(series(), SPAN)) == 1
    assert await asyncio.to_thread(client_of, KEY) is not old
    assert len(asked) == 1


async def test_credentials_that_stay_expired_say_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """E10: two refusals are a failure whose hint says how to renew; the next call looks credentials up anew."""
    with monkeypatch.context() as patch:
        patch.setattr("ohlcache.adapters.stores.dynamodb_table.client_of", _always_expired)
        failure = await failure_of(bench)
    assert "does not accept the credentials" in failure.message
    assert "without a restart" in failure.hint
    assert list(await bench.store.read(series(), SPAN)) == []


def _always_expired(key: ClientKey) -> object:
    client = client_of(key)
    answer_with_error(client, "ExpiredTokenException")
    return client


async def test_a_broken_client_is_replaced(bench: Bench) -> None:
    """S9: an error that is no AWS error at all costs one try, not the process."""
    old = bench.client
    raise_instead(old, RuntimeError("cannot schedule new futures after shutdown"))
    await bench.clock.drive(bench.store.write(chunks(date(2024, 5, 20))))
    assert await asyncio.to_thread(client_of, KEY) is not old


async def test_an_engine_that_is_not_there_fails_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """E11: a refused connection is a StoreError at once, with the address in it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    nowhere = f"http://127.0.0.1:{free_port()}"
    bench = Bench(Table("none", "ohlcache-none", REGION, nowhere))
    failure = await failure_of(bench)
    assert nowhere in failure.message
    await bench.store.close()


async def test_more_callers_than_connections_all_get_their_turn(bench: Bench) -> None:
    """E11: 200 reads at once share the pool; none fails and no connection is thrown away."""
    found = await asyncio.gather(*(bench.store.read(series(), SPAN) for _ in range(200)))
    assert found == [[]] * 200


async def test_a_cancelled_caller_does_not_stop_its_write(bench: Bench) -> None:
    """E9: the client went away; what was on its way to the table arrives."""
    began, go = threading.Event(), threading.Event()

    def hold(**_: object) -> None:
        began.set()
        go.wait(5)

    bench.client.meta.events.register("before-send.dynamodb.UpdateItem", hold)
    task = asyncio.get_running_loop().create_task(
        bench.store.acquire(LOCK, "me", now=bench.clock.now(), life_seconds=30)
    )
    await asyncio.to_thread(began.wait, 5)
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.store.close()
    assert [item["PK"]["S"] for item in bench.items()] == [LOCK]


async def test_a_region_or_endpoint_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """O1: what a shell leaves empty is no region with an empty name, for which there is an impossible address."""
    for name in ("AWS_REGION", "AWS_ENDPOINT_URL_DYNAMODB", "SMOKE_TEST_API_KEY"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.aws_region, settings.dynamodb_endpoint_url, settings.smoke_test_api_key) == (None, None, None)
