"""The DynamoDB tables: names, keys and indexes. Every user path reads by key or index, never by scan."""

from typing import Any

SESSIONS = "llmops-sessions"
EVENTS = "llmops-events"
JOBS = "llmops-jobs"
LEDGER = "llmops-ledger"
DATASETS = "llmops-datasets"
PLANS = "llmops-plans"
CHECKPOINTS = "llmops-checkpoints"
NOTICES = "llmops-notices"

BY_PERSON = "by_person"
BY_PLAN = "by_plan"
LISTING = "listing"
# Sparse: only what still needs the watchdog carries the attribute `open`.
OPEN = "open"


def _key(name: str, kind: str) -> dict[str, str]:
    return {"AttributeName": name, "KeyType": kind}


def _table(
    name: str,
    keys: tuple[str, ...],
    indexes: dict[str, tuple[str, str]] | None = None,
    numbers: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Arguments of CreateTable: HASH and optional RANGE key, indexes by name."""
    indexes = indexes or {}
    attributes = dict.fromkeys((*keys, *(a for pair in indexes.values() for a in pair)))
    spec: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            {"AttributeName": a, "AttributeType": "N" if a in numbers else "S"} for a in attributes
        ],
        "KeySchema": [_key(k, kind) for k, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
    }
    if indexes:
        spec["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index,
                "KeySchema": [_key(pair[0], "HASH"), _key(pair[1], "RANGE")],
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, pair in indexes.items()
        ]
    return spec


SPECS: tuple[dict[str, Any], ...] = (
    _table(SESSIONS, ("session_id",), {BY_PERSON: ("person", "updated_at")}),
    _table(EVENTS, ("session_id", "seq"), numbers=("seq",)),
    _table(
        JOBS,
        ("job_name",),
        {
            BY_PERSON: ("person", "created_at"),
            BY_PLAN: ("plan_id", "created_at"),
            OPEN: ("open", "created_at"),
        },
    ),
    _table(LEDGER, ("scope", "entry")),
    _table(DATASETS, ("name",), {LISTING: ("listing", "name")}),
    _table(PLANS, ("plan_id", "part"), {OPEN: ("open", "created_at")}),
    _table(CHECKPOINTS, ("PK", "SK")),
    _table(NOTICES, ("owner", "notice_id")),
)
TTL_ATTRIBUTES = {EVENTS: "ttl", CHECKPOINTS: "ttl", NOTICES: "ttl"}
