"""DynamoDB as all our tables use it: queries to their last page, keys in batches, writes whose condition
may not hold, and transactions that wait for one another."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from mlops.aws.clients import Item, cancellation_reasons, error_code, translate
from mlops.errors import Alternative, FaultError

# Why a write of a transaction was the one that failed.
UNMET = "ConditionalCheckFailed"
# The most keys that one BatchGetItem takes.
_BATCH = 100
_ATTEMPTS = 30
_RETRY = Alternative(kind="retry", message="Try again in a moment")


def query(db: Any, **request: Any) -> Iterator[Item]:
    """All items, page after page, as far as they are read."""
    while True:
        answer = db.query(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def read_keys(
    db: Any, table: str, keys: Sequence[dict[str, str]], attributes: str
) -> Iterator[Item]:
    """What is there of these keys, in any order. A part may come back unread: it is asked for again."""
    for start in range(0, len(keys), _BATCH):
        wanted = {"Keys": keys[start : start + _BATCH], "ProjectionExpression": attributes}
        request: Any = {table: {**wanted, "ConsistentRead": True}}
        while request:
            answer = db.batch_get_item(RequestItems=request)
            yield from answer["Responses"].get(table, ())
            request = answer.get("UnprocessedKeys")


def written(write: Callable[..., Any], **request: Any) -> bool:
    """Puts or updates one item; False when its condition does not hold."""
    try:
        write(**request)
    except (ClientError, BotoCoreError) as error:
        failed = isinstance(error, ClientError) and error_code(error)
        if failed == "ConditionalCheckFailedException":
            return False
        raise translate(error) from error
    return True


def transact(
    db: Any,
    writes: Sequence[dict[str, Any]],
    what: str,
    pause: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Empty when all writes were carried out; else none was, and here is a code for each, UNMET for
    those whose condition does not hold. Whoever else writes to an item is waited for.

    Raises FaultError when others keep winning: `what` names the table's content.
    """
    for attempt in range(_ATTEMPTS):
        try:
            db.transact_write_items(TransactItems=list(writes))
        except (ClientError, BotoCoreError) as error:
            reasons = cancellation_reasons(error) if isinstance(error, ClientError) else []
            if UNMET in reasons:
                return reasons
            if "TransactionConflict" not in reasons:
                raise translate(error) from error
            pause(random.uniform(0, 0.01 * (attempt + 1)))
            continue
        return []
    raise FaultError(f"{what}_busy", f"The {what} is too busy; try again.", (_RETRY,))
