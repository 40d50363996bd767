"""The ladder from cheap to strong, and models by the name a person gives."""

import pytest

from mlops.errors import RequestError
from mlops.models import LADDER, OTHERS, Engine, find, ladder_for


def test_the_ladder_starts_with_the_crf_and_grows():
    assert LADDER[0].engine is Engine.CRF
    sizes = [model.parameters for model in LADDER]
    assert sizes == sorted(sizes)


def test_encoders_need_a_gpu_and_say_how_large():
    for model in (*LADDER, *OTHERS):
        assert model.needs_gpu == (model.engine is Engine.LORA)
        assert (model.gpu_memory_gib > 0) == model.needs_gpu


@pytest.mark.parametrize("name", ["crf", "CRF", "roberta-large", "Bert-Base-Cased"])
def test_models_are_found_whatever_the_case(name: str):
    assert find(name).name == name.lower()


def test_an_unknown_model_is_the_persons_to_mend():
    with pytest.raises(RequestError) as caught:
        find("gpt-17")
    assert caught.value.code == "unknown_model"
    assert "roberta-large" in caught.value.message
    assert caught.value.alternatives


def test_a_task_without_models_is_refused_with_a_way_out():
    assert ladder_for("token-classification") == LADDER
    with pytest.raises(RequestError) as caught:
        ladder_for("translation")
    assert caught.value.code == "unsupported_task"
    assert caught.value.alternatives
