"""What an AWS failure means: a sentence, what to do about it, and whether another try is worth it.

botocore raises some two hundred classes; an operator knows eight situations::

    unreachable        time-outs, refused and dropped connections           one more try
    busy               throttling and 5xx of the service                     one more try
    expired            credentials that have run out or were rotated         one more try, with a new client
    no credentials     nothing configured
    denied             a permission is missing: named
    not there          the resource is not in this account and region: named
    misconfigured      no region, an impossible endpoint, a wrong schema
    broken             anything else, the client itself included             one more try, with a new client
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

EXPIRED_CODES = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "UnrecognizedClientException"}
    | {"InvalidSignatureException", "InvalidClientTokenId", "SignatureDoesNotMatch"}
)
BUSY_CODES = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded"}
    | {"TooManyRequestsException", "LimitExceededException", "InternalServerError", "InternalFailure"}
    | {"InternalServiceError", "ServiceUnavailable", "TransactionInProgressException", "SlowDown"}
)
DENIED_CODES = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "NotAuthorized"})
NOT_THERE_CODES = frozenset({"ResourceNotFoundException", "ResourceNotFound", "TableNotFoundException"})
SERVER_STATUS_MIN = 500


class Resource(NamedTuple):
    """What was being used, in the words its operator knows; ``make_hint`` says how to come by it."""

    service: str
    prefix: str
    kind: str
    name: str
    region: str | None
    endpoint_url: str | None
    make_hint: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r} in {self.place}"

    @property
    def place(self) -> str:
        """The region, or the address of a local engine."""
        return self.endpoint_url or f"region {self.region or '(none set)'}"


@dataclass(frozen=True, slots=True)
class AwsFailure:
    """One failure, explained. ``again``: another try may work; ``renew``: but not with this client."""

    message: str
    hint: str
    again: bool = False
    renew: bool = False


def error_code(exc: BaseException) -> str:
    """Return the service's error code of a botocore ClientError; empty for any other exception."""
    response = getattr(exc, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def explain(exc: Exception, operation: str, resource: Resource) -> AwsFailure:
    """Return what ``exc``, raised by ``operation`` on ``resource``, means. Never repeats a credential or a payload."""
    code = error_code(exc)
    return _explain_answer(exc, code, operation, resource) if code else _explain_local(exc, resource)


def _explain_answer(exc: Exception, code: str, operation: str, resource: Resource) -> AwsFailure:
    """Explain what the service answered."""
    status = _status(exc)
    if code in EXPIRED_CODES:
        return AwsFailure(
            f"AWS does not accept the credentials for {resource} ({code}).",
            "They have expired, were rotated, or the machine's clock is wrong: renew them (aws sso login, or the role"
            " of this machine). New ones are picked up without a restart.",
            again=True,
            renew=True,
        )
    if code in BUSY_CODES or status >= SERVER_STATUS_MIN:
        return AwsFailure(
            f"{resource} is overloaded or failing ({code}).",
            "Nothing to do if it passes. If it stays: look for throttled requests in CloudWatch, and for an incident on"
            " the AWS health page.",
            again=True,
        )
    if code in DENIED_CODES:
        return AwsFailure(
            f"AWS denied {resource.prefix}:{operation} on {resource}.",
            f"Grant {resource.prefix}:{operation} on it to the role that this process runs under (and kms:Decrypt where"
            " it is encrypted with a key of your own).",
        )
    if code in NOT_THERE_CODES:
        return AwsFailure(f"There is no {resource}.", resource.make_hint)
    return AwsFailure(
        f"{resource.service} refused {operation} on {resource} ({code or 'no code'}).",
        f"{_text(exc)}. {resource.make_hint}".removeprefix(". "),
    )


def _explain_local(exc: Exception, resource: Resource) -> AwsFailure:
    """Explain what went wrong before there was an answer."""
    # Imported here and not above: what raised has imported it already, and nobody else needs it.
    from botocore import exceptions as botocore  # noqa: PLC0415

    if isinstance(exc, (botocore.NoCredentialsError, botocore.PartialCredentialsError)):
        return AwsFailure(
            f"No AWS credentials were found for {resource}.",
            "Give this process a role, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (any values"
            " for a local engine).",
            renew=True,
        )
    if isinstance(exc, (botocore.CredentialRetrievalError, botocore.TokenRetrievalError, botocore.SSOError)):
        return AwsFailure(
            f"The AWS credentials for {resource} could not be renewed.",
            "Renew them (aws sso login, or the role of this machine); new ones are picked up without a restart.",
            again=True,
            renew=True,
        )
    if isinstance(exc, (botocore.NoRegionError, botocore.InvalidRegionError)):
        return AwsFailure(
            f"No usable AWS region is set for {resource.kind} {resource.name!r}.",
            "Set AWS_REGION to the region it is in, for example AWS_REGION=eu-central-1.",
            renew=True,
        )
    if isinstance(exc, (botocore.ConnectionError, botocore.HTTPClientError)):
        timed_out = isinstance(exc, (botocore.ReadTimeoutError, botocore.ConnectTimeoutError))
        return AwsFailure(
            f"{resource.service} cannot be reached for {resource} ({type(exc).__name__}).",
            "Check AWS_REGION (a mistyped region has no address), the network route or VPC endpoint, and the AWS health"
            " page.",
            # A second wait of the same length would cost more than the vendor.
            again=not timed_out,
        )
    if isinstance(exc, (botocore.BotoCoreError, ValueError)):
        return AwsFailure(f"AWS is misconfigured for {resource} ({type(exc).__name__}).", f"{exc}", renew=True)
    return AwsFailure(
        f"The AWS client for {resource} broke ({type(exc).__name__}).",
        "It was replaced. If this repeats, look at the log lines before it and report a bug.",
        again=True,
        renew=True,
    )


def _status(exc: Exception) -> int:
    response = getattr(exc, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _text(exc: Exception) -> str:
    response = getattr(exc, "response", {})
    return str(response.get("Error", {}).get("Message", ""))[:300].strip().rstrip(".")
