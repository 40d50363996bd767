"""The instance file is sound, and a person's way to write a type finds it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops.errors import RequestError
from mlops.instances import catalog, find, rows


def test_every_row_is_a_training_type_once():
    names = [row["instance_type"] for row in rows()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("ml.") for name in names)
    assert {row["status"] for row in rows()} == {"current", "retired"}


@pytest.mark.parametrize("name", list(catalog()))
def test_shapes_are_whole(name: str):
    """A GPU has a count and a memory; what is unknown is None, not zero."""
    instance = catalog()[name]
    if instance.gpu:
        assert instance.gpu_count > 0
        assert (instance.gpu_memory_gib_each or 0) > 0
    else:
        assert instance.gpu_count == 0 and instance.gpu_memory_gib_each is None
    assert instance.vcpu is None or instance.vcpu > 0
    assert not (instance.is_cpu and instance.gpu)


def test_a_type_of_unknown_shape_is_not_a_cpu_type():
    assert not find("ml.trn1.2xlarge").is_cpu
    assert find("ml.m5.large").is_cpu


@pytest.mark.parametrize("wanted", ["ml.g5.xlarge", "g5.xlarge", "ML.G5.XLARGE", "G5.xLarge"])
def test_types_are_found_as_people_write_them(wanted: str):
    assert find(wanted).name == "ml.g5.xlarge"


def test_an_unknown_type_names_near_ones_that_can_be_had():
    with pytest.raises(RequestError) as caught:
        find("ml.p3.16xlarge")
    assert caught.value.code == "unknown_instance"
    assert caught.value.alternatives
    for way in caught.value.alternatives:
        assert not find(way.message.removeprefix("Use ")).retired


@given(st.text(max_size=40))
def test_no_text_breaks_the_search(wanted: str):
    try:
        assert find(wanted).name in catalog()
    except RequestError as error:
        assert error.alternatives
