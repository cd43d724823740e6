"""The Lambda handler ``ohlcache.aws.handler.handler``. Importing it validates every setting and opens the cache."""

from aws_lambda_powertools import Logger

from ohlcache.aws.function import Function, function_settings
from ohlcache.domain.errors import ConfigurationError

try:
    handler = Function(function_settings())
except ConfigurationError as exc:
    # The runtime logs the message; what to do about it would be lost.
    Logger().error("cannot start", extra={"error": exc.message, "hint": exc.hint, "setting": exc.field})
    raise
