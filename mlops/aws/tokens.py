"""Model tokens in the same ledger as training: the most that a call can cost is reserved before it,
what it did cost is booked after it; a call that died in between is given back by the watchdog."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.tables import LEDGER
from mlops.errors import Alternative, RefusedError, RequestError
from mlops.ledger import Entry, EntryKind, person_scope
from mlops.plan import Plan
from mlops.settings import Settings
from mlops.token_rates import TokenRate, stated_rate, token_rates

# What one turn may still use after a plan was made: some calls with the whole conversation.
ALLOWANCE_INPUT_TOKENS = 100_000
ALLOWANCE_OUTPUT_TOKENS = 4_000
# No model call takes this long: whoever reserved for one has died.
STALE = timedelta(minutes=15)
# The partition that lists reservations whose call has not been settled, oldest first.
_OPEN = "open#tokens"


class Hold(NamedTuple):
    """What is reserved for one model call in each scope, under one key."""

    key: str
    at: datetime
    scopes: tuple[str, ...]
    micro: int


def rate_of(settings: Settings) -> TokenRate:
    """Of the settings' model; RefusedError when nobody has dated it: never a guess."""
    model_id = settings.bedrock_model_id
    rate = token_rates().get(model_id)
    if rate is not None:
        return rate
    if settings.model_rate is not None:
        return _stated(model_id, settings.model_rate)
    raise RefusedError(
        "price_unknown",
        f"The token price of {model_id[:120]} is not known, so it may not be used. Look it up and"
        ' set LLMOPS_MODEL_RATE="<USD per million tokens> in, <USD> out, <date>".',
        tuple(
            Alternative(kind="model", message=f"Set BEDROCK_MODEL_ID to {known}")
            for known in sorted(token_rates())
        ),
    )


def _stated(model_id: str, text: str) -> TokenRate:
    try:
        return stated_rate(model_id, text)
    except (ValueError, RequestError) as error:
        raise RequestError("bad_setting", f"LLMOPS_MODEL_RATE={text[:80]!r}: {error}") from error


def hold_tokens(
    aws: Aws,
    session_id: str,
    call_id: str,
    input_tokens: int,
    output_tokens: int,
    now: datetime,
    cache_write_tokens: int = 0,
) -> Hold | None:
    """Reserves the worst case of one call ("<turn>#…"); None for a free model.

    RefusedError, and nothing is reserved, when the month has too little left.
    """
    rate = rate_of(aws.settings)
    cost = rate.cost(input_tokens, output_tokens, cache_write_tokens=cache_write_tokens)
    if cost == 0:
        return None
    hold = Hold(f"{session_id}#{call_id}", now, _opened_scopes(aws, now), cost)
    entries = _entries(hold, EntryKind.RESERVE, now, reserved_micro=cost)
    Ledger(aws).book(entries, [{"Put": {"TableName": LEDGER, "Item": _item(hold)}}])
    return hold


def settle_tokens(
    aws: Aws,
    hold: Hold,
    input_tokens: int,
    output_tokens: int,
    now: datetime,
    cache_read_tokens: int = 0,
    cache_write_tokens: int = 0,
    at_most: bool = False,
) -> int:
    """Books what the call did cost in place of its reservation; micro-USD. `at_most` marks bounds."""
    cached = cache_read_tokens, cache_write_tokens
    cost = rate_of(aws.settings).cost(input_tokens, output_tokens, *cached)
    note, ledger = f"{input_tokens} in, {output_tokens} out", Ledger(aws)
    if any(cached):
        note += f", {cache_read_tokens} read from and {cache_write_tokens} written to the cache"
    note = f"at most {note}" if at_most else note
    settled = _entries(hold, EntryKind.TOKENS, now, cost, -hold.micro, note)
    if not ledger.book(settled, [_close(hold)]):
        # Taken for dead and given back meanwhile: the bill still counts, once.
        ledger.book(_entries(hold, EntryKind.ADJUST, now, cost, 0, note))
    return cost


def release_tokens(aws: Aws, hold: Hold, now: datetime) -> bool:
    """Gives back what was reserved for a call that came to nothing; False when it was settled."""
    entries = _entries(hold, EntryKind.RELEASE, now, reserved_micro=-hold.micro)
    return Ledger(aws).book(entries, [_close(hold)])


def release_stale_tokens(aws: Aws, now: datetime) -> tuple[str, ...]:
    """Gives back the reservations of calls that died; their keys ("<session>#<turn>#…")."""
    return tuple(
        hold.key for hold in _open_until(aws, now - STALE) if release_tokens(aws, hold, now)
    )


def allowance(aws: Aws) -> int:
    """Micro-USD kept aside for the model's words until the report."""
    rate = rate_of(aws.settings)
    return rate.cost(ALLOWANCE_INPUT_TOKENS, ALLOWANCE_OUTPUT_TOKENS)


def turn_spent(aws: Aws, person: str, session_id: str, turn: str, now: datetime) -> int:
    """Micro-USD of tokens that a turn has used so far."""
    if allowance(aws) == 0:
        return 0
    prefix = f"{session_id}#{turn}#"
    bills = (EntryKind.TOKENS, EntryKind.ADJUST)
    entries = Ledger(aws).entries(person_scope(person, now))
    return sum(e.spent_micro for e in entries if e.kind in bills and e.key.startswith(prefix))


def tokens_spent(aws: Aws, plan: Plan, approval: Approval) -> int:
    """Micro-USD of tokens of the turn that made a plan."""
    return turn_spent(aws, plan.person, plan.session_id, plan.turn, approval.at)


def _opened_scopes(aws: Aws, now: datetime) -> tuple[str, ...]:
    limits = Limits(aws)
    person, team = limits.open_person(aws.settings.person, now), limits.limited_team()
    return (person, limits.open_team(team, now)) if team is not None else (person,)


def _entries(
    hold: Hold,
    kind: EntryKind,
    now: datetime,
    spent_micro: int = 0,
    reserved_micro: int = 0,
    note: str = "",
) -> list[Entry]:
    return [
        Entry(
            scope=scope,
            kind=kind,
            key=hold.key,
            at=now,
            spent_micro=spent_micro,
            reserved_micro=reserved_micro,
            note=note,
        )
        for scope in hold.scopes
    ]


def _item(hold: Hold) -> dict[str, Any]:
    return {
        **_key(hold),
        "key": hold.key,
        "at": hold.at.isoformat(),
        "scopes": list(hold.scopes),
        "held": hold.micro,
    }


def _key(hold: Hold) -> dict[str, str]:
    return {"scope": _OPEN, "entry": f"{hold.at.isoformat()}#{hold.key}"}


def _close(hold: Hold) -> dict[str, Any]:
    """Only one of settling and giving back can happen."""
    return {
        "Delete": {
            "TableName": LEDGER,
            "Key": _key(hold),
            "ConditionExpression": "attribute_exists(#s)",
            "ExpressionAttributeNames": {"#s": "scope"},
        }
    }


def _open_until(aws: Aws, moment: datetime) -> Sequence[Hold]:
    answer = aws.dynamodb.query(
        TableName=LEDGER,
        KeyConditionExpression="#s = :open AND #e < :until",
        ExpressionAttributeNames={"#s": "scope", "#e": "entry"},
        ExpressionAttributeValues={":open": _OPEN, ":until": moment.isoformat()},
        ConsistentRead=True,
    )
    return [
        Hold(
            item["key"],
            datetime.fromisoformat(item["at"]),
            tuple(item["scopes"]),
            int(item["held"]),
        )
        for item in answer["Items"]
    ]
