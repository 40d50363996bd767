"""Everything that a plan was computed from, as one value: it is stored beside the plan, and its digest is in
the log, so that the plan can be computed again without asking AWS anything."""

import hashlib
import zlib

from pydantic import BaseModel, ConfigDict, ValidationError

from mlops.constraints import Constraints
from mlops.errors import FaultError
from mlops.estimate import PastRun
from mlops.grid import History, TrainingData
from mlops.offers import Market
from mlops.plan import Asker, Plan, build
from mlops.version import rules_version

# Offers and past runs are bounded; a DynamoDB item holds 400 kB.
MAX_PACKED_BYTES = 350_000
_MAX_BYTES = 8_000_000


class Runs(BaseModel):
    """Past runs of one model on one instance type."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    instance_type: str
    runs: tuple[PastRun, ...]


class Snapshot(BaseModel):
    """The planner's inputs: prices with source and date and quotas with use are in `market.offers`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: str
    constraints: Constraints
    dataset: TrainingData
    market: Market
    asker: Asker
    history: tuple[Runs, ...]

    def plan(self) -> Plan:
        """As `mlops.plan.build` makes it now; its refusals too."""
        past = {(r.model, r.instance_type): r.runs for r in self.history}
        return build(self.constraints, self.dataset, self.market, self.asker, past)


class Packed(BaseModel):
    """A snapshot as it is stored: compressed JSON, and the digest of the JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    body: bytes
    sha256: str


def take(
    constraints: Constraints,
    dataset: TrainingData,
    market: Market,
    asker: Asker,
    history: History,
) -> Snapshot:
    return Snapshot(
        rules=rules_version(),
        constraints=constraints,
        dataset=dataset,
        market=market,
        asker=asker,
        history=tuple(
            Runs(model=model, instance_type=instance, runs=tuple(runs))
            for (model, instance), runs in history.items()
        ),
    )


def pack(snapshot: Snapshot) -> Packed:
    """FaultError when it is larger than one item may be."""
    text = snapshot.model_dump_json().encode()
    body = zlib.compress(text, 9)
    if len(body) > MAX_PACKED_BYTES:
        raise FaultError("snapshot_too_large", "What this plan was computed from is too large.")
    return Packed(body=body, sha256=hashlib.sha256(text).hexdigest())


def unpack(body: bytes) -> tuple[Snapshot, str]:
    """The snapshot and the digest of what is stored; FaultError when this version cannot read it."""
    try:
        text = zlib.decompressobj().decompress(body, _MAX_BYTES)
        return Snapshot.model_validate_json(text), hashlib.sha256(text).hexdigest()
    except (zlib.error, ValidationError) as error:
        message = "What this plan was computed from cannot be read by this version."
        raise FaultError("bad_snapshot", message) from error
