"""Keys in Secrets Manager: read once, read again when refused, and every failure names secret, region and permission."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from aws.faults import answer_with_error, raise_instead
from contracts.dynamodb_engines import CREDENTIALS, REGION
from ohlcache.adapters.aws_clients import ClientKey, _reset_all_clients, client_of
from ohlcache.adapters.secrets import REFRESH_SECONDS_MIN, SecretKey, SecretReference, read_secret
from ohlcache.domain.errors import BadVendorCredentials, ConfigurationError
from ohlcache.ports import Level
from ohlcache.testing import FakeClock, RecordingTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = ClientKey("secretsmanager", REGION, None)
NAME = "ohlcache/vendors"


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        client = boto3.client("secretsmanager", region_name=REGION)
        client.create_secret(Name=NAME, SecretString=json.dumps({"tiingo": " first-key \n", "empty": ""}))
        client.create_secret(Name="plain", SecretString="plain-key")
        _reset_all_clients()
        yield client
        _reset_all_clients()


def failure_of(name: str, field: str | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as failure:
        read_secret(SecretReference(name, field), region=REGION)
    return failure.value


def test_plain_and_json_secrets_are_read(manager: Any) -> None:
    """O1: a secret is its text, or a field of its JSON; blanks around a pasted key are not part of it."""
    assert read_secret(SecretReference("plain", None), region=REGION) == "plain-key"
    assert read_secret(SecretReference(NAME, "tiingo"), region=REGION) == "first-key"


def test_a_secret_that_is_not_there_is_named_with_its_region(manager: Any) -> None:
    """E26: name and region, and how to make it."""
    failure = failure_of("ohlcache/none")
    assert "'ohlcache/none'" in failure.message
    assert REGION in failure.message
    assert "aws secretsmanager create-secret --name ohlcache/none" in failure.hint


def test_a_missing_permission_is_named(manager: Any) -> None:
    """E25: the permission, the secret and whom to grant it."""
    answer_with_error(client_of(KEY), "AccessDeniedException")
    failure = failure_of("plain")
    assert "AWS denied secretsmanager:GetSecretValue on secret 'plain'" in failure.message
    assert "Grant secretsmanager:GetSecretValue" in failure.hint


@pytest.mark.parametrize("field", ["finnhub", "empty"])
def test_a_field_that_is_not_there_is_named(manager: Any, field: str) -> None:
    """E26: a JSON secret without the field, or with nothing in it, says so and shows no value."""
    failure = failure_of(NAME, field)
    assert NAME in failure.message
    assert "first-key" not in failure.message + failure.hint


def test_a_plain_secret_has_no_fields(manager: Any) -> None:
    """E26: a reference with a field to a secret that is plain text is told how to store it."""
    assert '{"tiingo"' in failure_of("plain", "tiingo").hint


def test_expired_credentials_are_renewed(manager: Any) -> None:
    """E10: one refusal costs one try with a new client."""
    old = client_of(KEY)
    answer_with_error(old, "ExpiredTokenException")
    assert read_secret(SecretReference("plain", None), region=REGION) == "plain-key"
    assert client_of(KEY) is not old


def test_two_failures_are_a_failure(manager: Any) -> None:
    """What stays unreachable is told after the second try."""
    from botocore.exceptions import EndpointConnectionError

    asked = raise_instead(client_of(KEY), EndpointConnectionError(endpoint_url="x"))
    assert "cannot be reached" in failure_of("plain").message
    assert len(asked) == 2


class Bench:
    """A vendor's key in its secret."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.telemetry = RecordingTelemetry()
        self.concealed: list[str] = []
        self.key = SecretKey(
            SecretReference(NAME, "tiingo"),
            region=REGION,
            clock=self.clock,
            telemetry=self.telemetry,
            conceal=self.concealed.extend,
        )


@pytest.mark.asyncio
async def test_a_key_is_read_once_however_many_ask(manager: Any) -> None:
    """F5: a hundred callers, one read; the key is concealed from the log, and not in the object's repr."""
    asked: list[object] = []
    client = await asyncio.to_thread(client_of, KEY)
    client.meta.events.register("before-call.secretsmanager.GetSecretValue", lambda **_: asked.append(1))
    bench = Bench()
    assert set(await asyncio.gather(*(bench.key.get() for _ in range(100)))) == {"first-key"}
    assert len(asked) == 1
    assert bench.concealed == ["first-key"]
    assert "first-key" not in repr(bench.key)


@pytest.mark.asyncio
async def test_a_refused_key_is_read_again_once(manager: Any) -> None:
    """E10, E30, F5: after a rotation the new key is there; a hundred refusals at once ask once."""
    bench = Bench()
    await bench.key.get()
    await asyncio.to_thread(manager.put_secret_value, SecretId=NAME, SecretString=json.dumps({"tiingo": "second-key"}))
    assert await bench.key.get() == "first-key"
    await bench.clock.advance(REFRESH_SECONDS_MIN)
    keys = await asyncio.gather(*(bench.key.get(refresh=True) for _ in range(100)))
    assert set(keys) == {"second-key"}
    assert bench.concealed == ["first-key", "second-key"]


@pytest.mark.asyncio
async def test_a_key_that_cannot_be_read_is_the_operators_business(manager: Any) -> None:
    """E26, S4: the caller hears that the key needs renewing; the log has secret, region and fix."""
    bench = Bench()
    await asyncio.to_thread(manager.delete_secret, SecretId=NAME, ForceDeleteWithoutRecovery=True)
    with pytest.raises(BadVendorCredentials) as failure:
        await bench.key.get()
    assert NAME not in failure.value.message + failure.value.hint
    (line,) = bench.telemetry.lines
    assert (line.level, line.event) == (Level.ERROR, "vendor key unreadable")
    assert NAME in str(line.fields["error"])
    assert REGION in str(line.fields["error"])
