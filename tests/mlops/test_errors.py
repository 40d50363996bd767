"""Errors as data: exit codes, the wire there and back, plain words for bad input."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.errors import (
    Alternative,
    FaultError,
    JobFailedError,
    NotYoursError,
    OpsError,
    RefusedError,
    RequestError,
    explain_validation,
    from_wire,
    to_wire,
)

EXIT_CODES = {RequestError: 2, RefusedError: 3, JobFailedError: 4, FaultError: 1}


@pytest.mark.parametrize("cls", EXIT_CODES)
def test_exit_codes_are_the_ones_people_rely_on(cls: type[OpsError]):
    error = cls("some_code", "Some message.")
    assert error.exit_code == EXIT_CODES[cls]
    assert error.as_data()["exit_code"] == EXIT_CODES[cls]
    assert str(error) == "Some message."


@pytest.mark.parametrize("cls", EXIT_CODES)
def test_an_error_survives_the_wire(cls: type[OpsError]):
    ways = (
        Alternative(kind="wait", message="Wait"),
        Alternative(kind="raise_budget", message="Raise it", cost_usd="3.10"),
    )
    read = from_wire(to_wire(cls("a_code", "Über 10 $.", ways)))
    assert type(read) is cls
    assert (read.code, read.message, read.alternatives) == ("a_code", "Über 10 $.", ways)


def test_an_error_of_an_unknown_class_is_a_fault():
    read = from_wire({"error": {"class": "KeyError", "code": "x", "message": "y"}})
    assert type(read) is FaultError
    assert read.alternatives == ()


def test_what_is_somebody_elses_crosses_the_wire_as_a_refusal():
    unknown = RequestError("unknown_plan", "There is no plan.")
    read = from_wire(to_wire(NotYoursError("It is Ada's.", unknown)))
    assert (type(read), read.code, read.message) == (RefusedError, "not_yours", "It is Ada's.")


def test_alternatives_are_data_in_the_promised_shape():
    data = RefusedError("quota", "No.", (Alternative(kind="spot", message="Spot"),)).as_data()
    promised = {"kind": "spot", "message": "Spot", "cost_usd": None}
    assert promised.items() <= data["alternatives"][0].items()


def test_an_alternative_of_no_known_kind_is_refused():
    with pytest.raises(ValidationError):
        Alternative.model_validate({"kind": "pray", "message": "Hope"})


def test_validation_is_explained_by_field_without_the_value():
    class Form(BaseModel):
        model_config = ConfigDict(extra="forbid")
        count: int
        inner: dict[str, int] = {}

    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"count": "SECRET", "inner": {"a": "b"}, "foo": 1})
    text = explain_validation(caught.value)
    assert "count: " in text and "inner.a: " in text and "foo: Extra inputs" in text
    assert "SECRET" not in text and "http" not in text and "\n" not in text
