"""Settings become a Lambda function: built while the environment starts, then one invocation after the other.

Everything that a hit needs is made at the start, where Lambda gives most CPU: settings, boto3 and its client, the
cache. What only a miss needs (the vendors' keys) is read by the first miss.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mangum import Mangum
from pydantic import SecretStr

from ohlcache.adapters.aws_clients import ClientKey, client_of
from ohlcache.adapters.secrets import SecretReference, read_secret
from ohlcache.assembly import build_cache, build_clock
from ohlcache.aws.bounds import BOUNDS, MARGIN_SECONDS
from ohlcache.aws.telemetry import LambdaTelemetry
from ohlcache.domain.errors import ConfigurationError
from ohlcache.http.app import HttpOptions, create_app
from ohlcache.http.request_ids import is_sane
from ohlcache.ports import Level
from ohlcache.settings import Settings, StoreEngine, load_settings
from ohlcache.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ohlcache.service.read_through import ReadThrough

    Event = Mapping[str, Any]


def function_settings() -> Settings:
    """Return the settings of the environment, checked for Lambda, with the callers' API keys read from their secret.

    Raises ConfigurationError that names the variable, or the secret, its region and the missing permission.
    """
    settings = load_settings()
    if settings.store is not StoreEngine.DYNAMODB:
        raise ConfigurationError(
            f"OHLCACHE_STORE={settings.store} keeps nothing on Lambda: an instance's disk goes with it.",
            hint="Set OHLCACHE_STORE=dynamodb and OHLC_CACHE_TABLE to the table's name.",
            field="OHLCACHE_STORE",
        )
    if not settings.api_keys:
        raise ConfigurationError(
            "OHLCACHE_API_KEYS is not set, and a function URL can be reached by everybody.",
            hint="Set it to one or more keys, or to where they are: secretsmanager:NAME.",
            field="OHLCACHE_API_KEYS",
        )
    return settings.model_copy(update={"api_keys": tuple(_read_keys(settings))})


def _read_keys(settings: Settings) -> list[SecretStr]:
    keys = []
    for key in settings.api_keys:
        reference = SecretReference.parse(key.get_secret_value())
        if reference is None:
            keys.append(key)
            continue
        text = read_secret(reference, region=settings.aws_region)
        keys += [SecretStr(part.strip()) for part in text.split(",") if part.strip()]
    return keys


class Function:
    """The handler: call it with an event and its context."""

    def __init__(self, settings: Settings) -> None:
        clock = build_clock(settings)
        keys = tuple(key.get_secret_value() for key in settings.api_keys)
        vendor_keys = (settings.tiingo_api_key, settings.finnhub_api_key)
        secrets = (*keys, *(key.get_secret_value() for key in vendor_keys if key is not None))
        self.telemetry = LambdaTelemetry(clock, level=Level(settings.log_level), secrets=secrets)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # Mangum looks for it there
        with suppress(Exception):  # what is wrong with it, the first read says, with the fix, and is worked around
            client_of(ClientKey("dynamodb", settings.aws_region, settings.dynamodb_endpoint_url))

        async def open_cache() -> ReadThrough:
            return await build_cache(settings, telemetry=self.telemetry, clock=clock)

        options = HttpOptions(
            version=__version__,
            api_keys=keys,
            cors_origins=settings.cors_origins,
            metrics=self.telemetry.registry,
            bounds=BOUNDS,
        )
        self._app = create_app(open_cache, options)
        self._loop.run_until_complete(self._app.lifecycle.open())
        self._mangum = Mangum(self._app, lifespan="off")
        self._handle = self.telemetry.logger.inject_lambda_context(self._invoke)

    def __call__(self, event: Event, context: Any) -> object:  # noqa: ANN401 - Lambda's own class
        """Answer one HTTP event of a function URL or an HTTP API (payload format 2.0)."""
        answer: object = self._handle(event, context)
        return answer

    def _invoke(self, event: Event, context: Any) -> object:  # noqa: ANN401 - Lambda's own class
        try:
            return self._mangum(with_request_id(event, context.aws_request_id), context)
        finally:
            self._loop.run_until_complete(self._finish(context.get_remaining_time_in_millis() / 1000))
            self.telemetry.flush()

    async def _finish(self, seconds: float) -> None:
        """Let what was begun end, above all writes: after the answer the environment is frozen, or never runs again."""
        begun = asyncio.all_tasks() - {asyncio.current_task()}
        if begun:
            _, unfinished = await asyncio.wait(begun, timeout=max(seconds - MARGIN_SECONDS / 2, 0.0))
            if unfinished:
                self.telemetry.log(Level.WARNING, "work left for the next invocation", tasks=len(unfinished))


def with_request_id(event: Event, request_id: str) -> dict[str, Any]:
    """Return the event with the invocation's own id as ``X-Request-Id``, unless the caller sent a sane one."""
    headers = dict(event.get("headers") or {})
    sent = {name: value for name, value in headers.items() if name.lower() == "x-request-id"}
    if not any(is_sane(value.encode()) for value in sent.values()):
        headers = {name: value for name, value in headers.items() if name not in sent}
        headers["x-request-id"] = request_id
    return {**event, "headers": headers}
