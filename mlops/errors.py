"""Every failure that a person may see, as data: a code, a message, and priced alternatives.

OpsError                       caught at the edges (Lambda, turn, command, screen)
├── RequestError   exit 2      the request needs something: the person can supply it
├── RefusedError   exit 3      budget, quota, price or approval says no
│   └── NotYoursError           it is somebody else's
├── JobFailedError exit 4      a training job ended without a model
└── FaultError     exit 1      a fault of ours or of a service
"""

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

AlternativeKind = Literal[
    "approve",
    "budget",
    "dataset",
    "fewer_epochs",
    "instance",
    "model",
    "prepare",
    "quota",
    "raise_budget",
    "retry",
    "schedule",
    "smaller_model",
    "spot",
    "time",
    "wait",
]


class Alternative(BaseModel):
    """One way out of a refusal; `cost_usd` is a decimal string, or None where no price exists.

    `minutes` is the time that it needs; `quota` the type ("ml.g5.xlarge spot") whose quota it asks
    AWS to raise; `changes` are the constraints to set in order to take it,
    and `raise_monthly_limit_usd` by how much the month's limit has to grow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: AlternativeKind
    message: str
    cost_usd: str | None = None
    minutes: int | None = None
    changes: dict[str, str | int | float | bool] = {}
    quota: str | None = None


class OpsError(Exception):
    """Base of everything we raise on purpose; `code` is stable, `message` is for a person."""

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, alternatives: tuple[Alternative, ...] = ()):
        super().__init__(message)
        self.code = code
        self.message = message
        self.alternatives = alternatives

    def as_data(self) -> dict[str, Any]:
        """The JSON shape of an `error` event."""
        return {
            "code": self.code,
            "exit_code": self.exit_code,
            "message": self.message,
            "alternatives": [a.model_dump() for a in self.alternatives],
        }


class RequestError(OpsError):
    """The person can mend it: unknown dataset, bad or missing value, broken file."""

    exit_code = 2


class RefusedError(OpsError):
    """A rule said no: budget, quota, price, approval."""

    exit_code = 3


class NotYoursError(RefusedError):
    """Somebody else's; `unknown` is what to say to whoever may not even learn that it exists."""

    def __init__(self, message: str, unknown: RequestError):
        super().__init__("not_yours", message)
        self.unknown = unknown


class JobFailedError(OpsError):
    """A training job ended without a model."""

    exit_code = 4


class FaultError(OpsError):
    """Ours or a service's; retrying may help."""

    exit_code = 1


_CLASSES = {cls.__name__: cls for cls in (RequestError, RefusedError, JobFailedError, FaultError)}


def to_wire(error: OpsError) -> dict[str, Any]:
    """What a Lambda returns instead of a result, so that the caller can raise the same class."""
    name = next(c.__name__ for c in type(error).__mro__ if c.__name__ in _CLASSES)
    return {"error": {"class": name, **error.as_data()}}


def from_wire(body: dict[str, Any]) -> OpsError:
    """The inverse of `to_wire`; an unknown class becomes a FaultError."""
    data = body["error"]
    alternatives = tuple(Alternative.model_validate(a) for a in data.get("alternatives", ()))
    cls = _CLASSES.get(str(data.get("class")), FaultError)
    return cls(str(data.get("code")), str(data.get("message")), alternatives)


def explain_validation(error: ValidationError) -> str:
    """A pydantic error in one plain line: `field: what is wrong; …`."""
    lines = (
        f"{'.'.join(str(part) for part in e['loc']) or 'value'}: {e['msg']}"
        for e in error.errors(include_url=False, include_input=False)
    )
    return "; ".join(lines)
