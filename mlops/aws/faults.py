"""Every AWS error that our calls can meet, as one of ours: a stable code, plain words, and ways out.

Nothing here chooses for a person: what costs or changes the result is offered, never done.
"""

import re
from dataclasses import dataclass

from botocore import exceptions as raised

from mlops.errors import Alternative, FaultError, OpsError, RefusedError, RequestError

_MAX_WORDS = 300
_RETRY = Alternative(kind="retry", message="Try again in a moment")
_WAIT = Alternative(kind="wait", message="Wait until a running job ends")
_LATER = Alternative(kind="wait", message="Try again later: capacity comes and goes")
_QUOTA = Alternative(kind="quota", message="Ask AWS for a higher quota")
_INSTANCE = Alternative(kind="instance", message="Use another instance type")
_MODEL = Alternative(kind="model", message="Set BEDROCK_MODEL_ID to another model")


@dataclass(frozen=True, eq=False)
class Fault:
    """A row of the table; `words`: AWS's own are worth adding, they say what was wrong."""

    raises: type[OpsError]
    code: str
    message: str
    alternatives: tuple[Alternative, ...] = ()
    words: bool = True

    def error(self, said: str = "") -> OpsError:
        told = scrubbed(said) if self.words else ""
        message = f"{self.message} AWS says: {told}" if told else self.message
        return self.raises(self.code, message, self.alternatives)


_QUOTA_FULL = Fault(
    RefusedError, "quota", "The account's quota is used up.", (_WAIT, _INSTANCE, _QUOTA)
)
_NO_CAPACITY = Fault(
    RefusedError, "no_capacity", "AWS has no such instance free now.", (_LATER, _INSTANCE)
)
_DENIED = Fault(RefusedError, "access_denied", "AWS does not allow this.", words=False)
_SIGN_IN = Fault(
    RefusedError,
    "no_credentials",
    "There are no valid AWS credentials, or they have expired: sign in again, or set AWS_PROFILE.",
    words=False,
)
_INVALID = Fault(RequestError, "invalid_request", "AWS did not take the request.")
_NOT_FOUND = Fault(RequestError, "not_found", "AWS does not know it.")
_NO_DATA = Fault(RequestError, "not_found", "The data of this job is not in its bucket.")
_ROLE = Fault(
    RefusedError,
    "access_denied",
    "SageMaker may not use the training role: see LLMOPS_ROLE_ARN.",
    words=False,
)
_THROTTLED = Fault(FaultError, "throttled", "AWS is asked too often just now.", (_RETRY,))
_DOWN = Fault(FaultError, "unavailable", "AWS has a fault of its own just now.", (_RETRY,))
_UNREACHABLE = Fault(
    FaultError, "aws_unreachable", "AWS could not be reached.", (_RETRY,), words=False
)
_CHANGED = Fault(
    FaultError, "changed_meanwhile", "Somebody else changed it at the same moment.", (_RETRY,)
)
_IN_USE = Fault(RefusedError, "in_use", "It is there already, or is being changed.", (_RETRY,))
_TOO_LARGE = Fault(RequestError, "too_large", "This is more than AWS takes at once.")
_KEY = Fault(RefusedError, "encryption_key", "The encryption key of this data cannot be used.")
_FUNCTION = Fault(
    FaultError,
    "tool_broken",
    "The tool's Lambda function is not set up right; whoever runs this installation can mend it.",
)
_DISABLED = Fault(RefusedError, "disabled", "This is switched off in the AWS account.")
_NOT_READY = Fault(FaultError, "model_not_ready", "The model is not ready yet.", (_RETRY, _MODEL))
_MODEL_FAILED = Fault(FaultError, "model_failed", "The model failed.", (_RETRY, _MODEL))
_MODEL_SLOW = Fault(FaultError, "model_timeout", "The model took too long.", (_RETRY, _MODEL))
_BAD_SETTING = Fault(
    RequestError, "bad_setting", "The AWS settings of this machine cannot be used."
)
_UNKNOWN = Fault(FaultError, "aws_error", "AWS answered with an error.", (_RETRY,))

_TABLE: dict[Fault, str] = {
    _QUOTA_FULL: "ResourceLimitExceeded ServiceQuotaExceededException QuotaExceededException"
    " LimitExceeded LimitExceededException",
    _NO_CAPACITY: "CapacityError InsufficientInstanceCapacity InsufficientCapacityException"
    " InsufficientCapacity",
    _DENIED: "AccessDenied AccessDeniedException AuthorizationError UnauthorizedException"
    " UnauthorizedOperation NotAuthorized OptInRequired DependencyAccessDeniedException Forbidden"
    " AllAccessDisabled AccountProblem InvalidSecurity",
    _SIGN_IN: "UnrecognizedClientException ExpiredToken ExpiredTokenException RequestExpired"
    " InvalidClientTokenId InvalidAccessKeyId InvalidToken TokenRefreshRequired"
    " SignatureDoesNotMatch InvalidSignatureException IncompleteSignature"
    " MissingAuthenticationToken MissingAuthenticationTokenException RequestTimeTooSkewed",
    _INVALID: "ValidationException ValidationError InvalidParameter InvalidParameterValue"
    " InvalidParameterException InvalidParameterValueException ParameterValueInvalid"
    " InvalidParameterCombination MissingParameter InvalidRequest InvalidRequestContentException"
    " InvalidArgument IllegalArgumentException InvalidAction MalformedQueryString"
    " SerializationException InvalidNextToken InvalidNextTokenException ExpiredNextTokenException"
    " InvalidPaginationTokenException UnsupportedMediaTypeException InvalidObjectState"
    " InvalidWriteOffset TooManyParts EncryptionTypeMismatch IdempotentParameterMismatchException"
    " MethodNotAllowed NotImplemented UnknownOperationException ModeNotSupportedException",
    _NOT_FOUND: "ResourceNotFound ResourceNotFoundException NoSuchResourceException"
    " NotFoundException NotFound NoSuchKey NoSuchBucket NoSuchVersion NoSuchUpload"
    " NoPublishedVersionException",
    _THROTTLED: "Throttling ThrottlingException ThrottledException TooManyRequestsException"
    " TooManyRequests ProvisionedThroughputExceededException ProvisionedThroughputExceeded"
    " RequestLimitExceeded RequestThrottled RequestThrottledException BandwidthLimitExceeded"
    " SlowDown EC2ThrottledException PriorRequestNotComplete KMSThrottling KMSThrottlingException"
    " ThrottlingError",
    _DOWN: "InternalFailure InternalError InternalErrorException InternalServerError"
    " InternalServerException ServiceException ServiceUnavailable ServiceUnavailableException"
    " RequestTimeout RequestTimeoutException EC2UnexpectedException",
    _CHANGED: "ConditionalCheckFailedException ConditionalRequestConflict"
    " PreconditionFailed TransactionConflictException TransactionCanceledException"
    " TransactionInProgressException ReplicatedWriteConflictException OperationAborted",
    _IN_USE: "ResourceInUse ResourceInUseException ResourceConflictException ConflictException"
    " ResourceAlreadyExistsException InvalidResourceStateException BucketAlreadyOwnedByYou"
    " DurableExecutionAlreadyStartedException",
    _TOO_LARGE: "RequestTooLargeException SerializedRequestEntityTooLargeException EntityTooLarge"
    " RequestEntityTooLargeException ItemCollectionSizeLimitExceededException MaxMessageLengthExceeded",
    _KEY: "KMSAccessDenied KMSAccessDeniedException KMSDisabled KMSDisabledException KMSNotFound"
    " KMSInvalidState KMSInvalidStateException KMSNotFoundException KMSOptInRequired"
    " KMS.DisabledException KMS.NotFoundException KMS.InvalidStateException",
    _FUNCTION: "CodeArtifactUserDeletedException CodeArtifactUserFailedException"
    " CodeArtifactUserPendingException EC2AccessDeniedException EFSIOException"
    " EFSMountConnectivityException EFSMountFailureException EFSMountTimeoutException"
    " ENILimitReachedException ENINotReadyException InvalidRuntimeException"
    " InvalidSecurityGroupIDException InvalidSubnetIDException InvalidZipFileException"
    " RecursiveInvocationException ResourceNotReadyException RuntimeAliasDeletedException"
    " RuntimeVersionDeletedException S3FilesMountConnectivityException"
    " S3FilesMountFailureException S3FilesMountTimeoutException SnapStartException"
    " SnapStartNotReadyException SnapStartRegenerationFailureException SnapStartTimeoutException"
    " SubnetIPAddressLimitReachedException",
    _DISABLED: "EndpointDisabled PlatformApplicationDisabled",
    _NOT_READY: "ModelNotReadyException",
    _MODEL_FAILED: "ModelErrorException ModelStreamErrorException",
    _MODEL_SLOW: "ModelTimeoutException",
}
_BY_CODE = {code: fault for fault, codes in _TABLE.items() for code in codes.split()}
# One code, several meanings: AWS's words tell them apart.
_BY_WORDS = (
    ("ValidationException", r"resource not found|could not find|does not exist", _NOT_FOUND),
    ("ValidationException", r"no s3 objects found|s3 .*not found|datasource", _NO_DATA),
    ("ValidationException", r"assume (the )?role|role .*(invalid|not exist)", _ROLE),
    (
        "ValidationException",
        r"insufficient .*capacity|capacity .*(unavailable|insufficient)",
        _NO_CAPACITY,
    ),
    ("ValidationException", r"token .*expired", _SIGN_IN),
    ("TransactionCanceledException", r"throttl|provisionedthroughput|requestlimit", _THROTTLED),
    ("TransactionCanceledException", r"itemcollectionsize", _TOO_LARGE),
    ("TransactionCanceledException", r"validationerror", _INVALID),
)
_BY_STATUS = {401: _SIGN_IN, 403: _DENIED, 404: _NOT_FOUND, 413: _TOO_LARGE, 429: _THROTTLED}
_BY_EXCEPTION: tuple[tuple[tuple[type[Exception], ...], Fault], ...] = (
    (
        (
            raised.NoCredentialsError,
            raised.PartialCredentialsError,
            raised.CredentialRetrievalError,
            raised.NoAuthTokenError,
            raised.TokenRetrievalError,
            raised.SSOError,
            raised.LoginError,
            raised.RefreshWithMFAUnsupportedError,
        ),
        _SIGN_IN,
    ),
    (
        (
            raised.ProfileNotFound,
            raised.NoRegionError,
            raised.InvalidRegionError,
            raised.ConfigNotFound,
            raised.ConfigParseError,
            raised.InvalidConfigError,
            raised.EndpointProviderError,
            raised.UnknownEndpointError,
        ),
        _BAD_SETTING,
    ),
    ((raised.ParamValidationError,), _INVALID),
)

_ARN = re.compile(r"arn:[\w-]*:[\w-]*:[\w-]*:\d*:([\w/.*:-]*)")
_WHO = re.compile(r"\b(assumed-role|federated-user|user)/[^\s,;:()\"']+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_SECRETS = re.compile(
    r"(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}|(?<!\d)\d{12}(?!\d)|\beyJ[\w-]{10,}(?:\.[\w-]*)*"
)
_SIGNED = re.compile(
    r"\b(X-Amz-[\w-]+|Signature|Credential|AWSAccessKeyId|aws_(?:access|secret|session)\w*|\w*password)(\s?[=:]\s?)[^\s&,;)]+"
    r"|\b(Bearer)( )\S+",
    re.IGNORECASE,
)
# Keys, tokens and digests; see _without_key for what only looks like one.
_BASE64 = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{40,}={0,2}")
_S3 = re.compile(r"(s3://[^\s?\"']+)")
_IDS = re.compile(r"\(?\b(?:Request ?ID|RequestId|HostId|Proxy)\b:?[^);,]*[);,]?", re.IGNORECASE)
_PERMISSION = re.compile(r"(?:perform|action):? ([a-z0-9-]+:[A-Za-z]+)")


def explained(code: str, said: str, status: int = 0, reasons: str = "") -> OpsError:
    """AWS's code and words as our error; `reasons` are those of a cancelled transaction."""
    code = code[:1].upper() + code[1:]
    if code in _BY_CODE and _BY_CODE[code] is _DENIED:
        return _denied(said)
    for known, pattern, fault in _BY_WORDS:
        if code == known and re.search(pattern, f"{said} {reasons}", re.IGNORECASE):
            return fault.error(said)
    if code in _BY_CODE:
        return _BY_CODE[code].error(said)
    if status >= 500:
        return _DOWN.error(said)
    return _BY_STATUS.get(status, _UNKNOWN).error(f"{code}: {said}")


def unanswered(error: Exception) -> OpsError:
    """What kept a request from being sent or answered, as our error."""
    for kinds, fault in _BY_EXCEPTION:
        if isinstance(error, kinds):
            return fault.error(str(error))
    return _UNREACHABLE.error()


def scrubbed(words: str) -> str:
    """Without accounts, persons, keys, signatures and request ids; what an ARN names stays."""
    plain = _ARN.sub(lambda found: found[1], words)
    plain = _SIGNED.sub(lambda found: f"{found[1] or found[3]}{found[2] or found[4]}…", plain)
    plain = _EMAIL.sub("…", _WHO.sub(r"\1/…", plain))
    plain = _SECRETS.sub("…", _IDS.sub("", plain))
    parts = _S3.split(plain)
    parts[::2] = [_BASE64.sub(_without_key, part) for part in parts[::2]]
    plain = "".join(parts)
    plain = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    return plain if len(plain) <= _MAX_WORDS else f"{plain[:_MAX_WORDS]}…"


def _without_key(found: re.Match[str]) -> str:
    """A path in lower case stays, and so does a long word."""
    run = found[0]
    has_digit = any(c.isdigit() for c in run)
    mixed = not run.islower() and not run.isupper()
    return "…" if has_digit and (mixed or "/" not in run) else run


def _denied(said: str) -> OpsError:
    """Who asked stays out of it; what is missing does not."""
    found = _PERMISSION.search(said)
    missing = f" The permission {found[1]} is missing." if found else ""
    return RefusedError(_DENIED.code, f"{_DENIED.message}{missing}")
