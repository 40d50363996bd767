"""The instance types we know: shapes from `instances.csv`. Prices are in `prices`, quotas in `quotas`."""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from mlops.errors import Alternative, RequestError


class InstanceType(BaseModel):
    """Shape of a SageMaker training instance; unknown figures are None, never guessed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    gpu: str | None
    gpu_count: int
    gpu_memory_gib_each: int | None
    vcpu: int | None
    memory_gib: int | None
    retired: bool

    @property
    def is_cpu(self) -> bool:
        return self.gpu is None and self.gpu_count == 0 and self.vcpu is not None


@cache
def rows() -> tuple[dict[str, str], ...]:
    """The lines of the data file as read, for `prices` and the embedded AWS."""
    text = files("mlops").joinpath("instances.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def catalog() -> Mapping[str, InstanceType]:
    """Every known type by name, in the order of the data file."""
    return MappingProxyType({row["instance_type"]: _read(row) for row in rows()})


def find(wanted: str) -> InstanceType:
    """The type a person named; RequestError with near names when we do not know it."""
    name = wanted.lower() if wanted.lower().startswith("ml.") else f"ml.{wanted.lower()}"
    known = catalog()
    if name in known:
        return known[name]
    family = re.match(r"ml\.[a-z]+", name)
    current = [n for n, instance in known.items() if not instance.retired]
    near = [n for n in current if family and n.startswith(family[0])][:5] or current[:5]
    raise RequestError(
        "unknown_instance",
        f"I do not know the instance type {wanted!r}. Near ones: {', '.join(near)}.",
        tuple(
            Alternative(kind="instance", message=f"Use {n}", changes={"instance_type": n})
            for n in near[:3]
        ),
    )


def _read(row: dict[str, str]) -> InstanceType:
    gpu = row["gpu"] if row["gpu"] not in ("", "none") else None
    return InstanceType(
        name=row["instance_type"],
        gpu=gpu,
        gpu_count=int(row["gpu_count"] or 0),
        gpu_memory_gib_each=int(row["gpu_memory_gib_each"] or 0) or None,
        vcpu=int(row["vcpu"] or 0) or None,
        memory_gib=int(row["memory_gib"] or 0) or None,
        retired=row["status"] == "retired",
    )
