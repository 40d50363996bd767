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


NER = ("token-classification",)

# Sizes: training-and-prices facts (non-embedding parameters, layers, hidden width).
LADDER: tuple[Model, ...] = (
    Model(name="crf", engine=Engine.CRF, tasks=NER, parameters=0, title="CRF baseline"),
    Model(
        name="distilbert-base-multilingual-cased",
        engine=Engine.LORA,
        tasks=NER,
        parameters=42_500_000,
        layers=6,
        hidden=768,
        gpu_memory_gib=8,
        title="DistilBERT multilingual with LoRA",
    ),
    Model(
        name="roberta-large",
        engine=Engine.LORA,
        tasks=NER,
        parameters=302_000_000,
        layers=24,
        hidden=1024,
        gpu_memory_gib=14,
        title="RoBERTa large with LoRA",
    ),
)
OTHERS: tuple[Model, ...] = (
    Model(
        name="distilbert-base-uncased",
        engine=Engine.LORA,
        tasks=NER,
        parameters=42_500_000,
        layers=6,
        hidden=768,
        gpu_memory_gib=8,
        title="DistilBERT with LoRA",
    ),
    Model(
        name="bert-base-cased",
        engine=Engine.LORA,
        tasks=NER,
        parameters=85_000_000,
        layers=12,
        hidden=768,
        gpu_memory_gib=10,
        title="BERT base with LoRA",
    ),
)


def find(wanted: str) -> Model:
    """A model by the name a person gave; RequestError with the known names."""
    key = wanted.lower()
    for model in (*LADDER, *OTHERS):
        if key in (model.name, model.name.split("/")[-1]):
            return model
    known = [m.name for m in (*LADDER, *OTHERS)]
    raise RequestError(
        "unknown_model",
        f"I cannot train {wanted!r}. Models: {', '.join(known)}.",
        tuple(
            Alternative(kind="model", message=f"Use {name}", changes={"model": name})
            for name in known[:3]
        ),
    )


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
