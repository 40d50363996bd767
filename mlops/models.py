"""The models a stage can train, from cheap to strong, and what each needs."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative, RequestError


class Engine(StrEnum):
    """What runs inside the training script."""

    CRF = "crf"
    LORA = "lora"


class Model(BaseModel):
    """A trainable model; parameter counts without embeddings (they set the FLOPs of a token)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    engine: Engine
    tasks: tuple[str, ...]
    parameters: int
    layers: int = 0
    hidden: int = 0
    gpu_memory_gib: int = 0
    title: str

    @property
    def needs_gpu(self) -> bool:
        return self.engine is Engine.LORA


NER = "token-classification"


def _lora(name: str, title: str, **sizes: int) -> Model:
    engine = Engine.LORA
    return Model(name=name, engine=engine, tasks=(NER,), title=f"{title} with LoRA", **sizes)


# Sizes: training-and-prices facts (non-embedding parameters, layers, hidden width).
_DISTILBERT = {"parameters": 42_500_000, "layers": 6, "hidden": 768, "gpu_memory_gib": 8}
_BERT_BASE = {"parameters": 85_000_000, "layers": 12, "hidden": 768, "gpu_memory_gib": 10}
_LARGE = {"parameters": 302_000_000, "layers": 24, "hidden": 1024, "gpu_memory_gib": 14}

LADDER: tuple[Model, ...] = (
    Model(name="crf", engine=Engine.CRF, tasks=(NER,), parameters=0, title="CRF baseline"),
    _lora("distilbert-base-multilingual-cased", "DistilBERT multilingual", **_DISTILBERT),
    _lora("roberta-large", "RoBERTa large", **_LARGE),
)
OTHERS: tuple[Model, ...] = (
    _lora("distilbert-base-uncased", "DistilBERT", **_DISTILBERT),
    _lora("bert-base-cased", "BERT base", **_BERT_BASE),
)


def find(wanted: str) -> Model:
    """A model by the name a person gave; RequestError with the known names."""
    key = wanted.lower()
    models = (*LADDER, *OTHERS)
    if found := next((model for model in models if model.name == key), None):
        return found
    known = [model.name for model in models]
    raise RequestError(
        "unknown_model",
        f"I cannot train {wanted!r}. Models: {', '.join(known)}.",
        tuple(
            Alternative(kind="model", message=f"Use {name}", changes={"model": name})
            for name in known[:3]
        ),
    )


def all_models(task: str) -> tuple[Model, ...]:
    """The ladder's and the others that a person may name."""
    return tuple(m for m in (*LADDER, *OTHERS) if task in m.tasks)


def ladder_for(task: str) -> tuple[Model, ...]:
    """The models of the ladder that fit the task, cheap first; RequestError when there is none."""
    fitting = tuple(m for m in LADDER if task in m.tasks)
    if fitting:
        return fitting
    raise RequestError(
        "unsupported_task",
        f"Training for {task} is not built yet; token-classification (NER) is.",
        (Alternative(kind="model", message="Train a token-classification (NER) model"),),
    )
