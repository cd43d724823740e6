"""Secrets that live in AWS Secrets Manager: read once, kept, read again when the vendor refuses what they hold.

Wherever a key is set (``TIINGO_API_KEY``, ``FINNHUB_API_KEY``, ``OHLCACHE_API_KEYS``) the setting may say where it is
instead of what it is: ``secretsmanager:ohlcache/tiingo``, or with the field of a JSON secret
``secretsmanager:ohlcache/vendors#tiingo``; the name may be an ARN. So a rotated key needs no restart, and no key stands
in a function's environment.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, NamedTuple

from ohlcache.adapters.aws_clients import ClientKey, client_of, discard_client
from ohlcache.adapters.aws_errors import Resource, explain
from ohlcache.domain.errors import BadVendorCredentials, ConfigurationError
from ohlcache.ports import Level

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ohlcache.ports import Clock, Telemetry

REFERENCE_PREFIX = "secretsmanager:"
REFRESH_SECONDS_MIN = 1.0
"""A hundred requests that are refused at once ask Secrets Manager once."""
ATTEMPTS_MAX = 2


class SecretReference(NamedTuple):
    """Where a secret is: its name or ARN, and the field where it is a JSON object."""

    name: str
    field: str | None

    @classmethod
    def parse(cls, setting: str) -> SecretReference | None:
        """Return the reference that a setting's value is; None when it is the secret itself."""
        if not setting.startswith(REFERENCE_PREFIX):
            return None
        name, _, field = setting.removeprefix(REFERENCE_PREFIX).partition("#")
        return cls(name, field or None)


def read_secret(reference: SecretReference, *, region: str | None, endpoint_url: str | None = None) -> str:
    """Return the secret. Blocks: call it in a worker thread, or before there is a loop.

    Raises ConfigurationError that names the secret, the region and the permission that is missing.
    """
    resource = Resource(
        service="Secrets Manager",
        prefix="secretsmanager",
        kind="secret",
        name=reference.name,
        region=region,
        endpoint_url=endpoint_url,
        make_hint=f"Make it in {endpoint_url or region or 'the right region'}: aws secretsmanager create-secret"
        f" --name {reference.name} --secret-string …; or correct the setting and AWS_REGION.",
    )
    key = ClientKey("secretsmanager", region, endpoint_url)
    for attempt in range(1, ATTEMPTS_MAX + 1):
        client = None
        try:
            client = client_of(key)
            answer = client.get_secret_value(SecretId=reference.name)
        except ConfigurationError:
            raise
        except Exception as exc:
            failure = explain(exc, "GetSecretValue", resource)
            if failure.renew and client is not None:
                discard_client(key, client)
            if failure.again and attempt < ATTEMPTS_MAX:
                continue
            raise ConfigurationError(failure.message, hint=failure.hint, field=reference.name) from exc
        return _value_in(answer.get("SecretString"), reference, resource)
    raise AssertionError("the last attempt returns or raises")


def _value_in(text: object, reference: SecretReference, resource: Resource) -> str:
    value = text
    if reference.field is not None and isinstance(text, str):
        try:
            value = json.loads(text)[reference.field]
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigurationError(
                f"The {resource} has no field {reference.field!r}.",
                hint=f'Store it as a JSON object: {{"{reference.field}": "…"}}.',
                field=reference.name,
            ) from exc
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(
            f"The {resource} holds no text.", hint="Store the key as a plain string.", field=reference.name
        )
    return value.strip()


class SecretKey:
    """A vendor's key that lives in Secrets Manager; a VendorKey. It does not show in ``repr``.

    ``conceal`` is told every key that was read, so that no log line ever shows it.
    """

    def __init__(
        self,
        reference: SecretReference,
        *,
        region: str | None,
        clock: Clock,
        telemetry: Telemetry,
        conceal: Callable[[Iterable[str]], None] = lambda _: None,
        endpoint_url: str | None = None,
    ) -> None:
        self._reference = reference
        self._region = region
        self._endpoint_url = endpoint_url
        self._clock = clock
        self._telemetry = telemetry
        self._conceal = conceal
        self._key: str | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()

    async def get(self, *, refresh: bool = False) -> str:
        """Return the key; with ``refresh`` read it again, because the vendor refused the one last returned.

        Raises BadVendorCredentials, and logs the fix, when the secret cannot be read.
        """
        async with self._reading:
            age = self._clock.now() - self._read_at
            if self._key is None or (refresh and age >= REFRESH_SECONDS_MIN):
                self._key = await self._read()
                self._conceal([self._key])
                self._read_at = self._clock.now()
            return self._key

    async def _read(self) -> str:
        try:
            return await asyncio.to_thread(
                read_secret, self._reference, region=self._region, endpoint_url=self._endpoint_url
            )
        except ConfigurationError as exc:
            self._telemetry.log(Level.ERROR, "vendor key unreadable", error=exc.message, hint=exc.hint)
            raise BadVendorCredentials("The vendor key of this cache cannot be read.") from exc
