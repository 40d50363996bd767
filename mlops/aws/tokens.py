"""Model tokens in the same ledger as training: the most that a call can cost is reserved before it,
what it did cost is booked after it. Of a call that died in between the watchdog books that most."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.limits import Limits
from mlops.aws.tables import LEDGER
from mlops.ledger import Entry, EntryKind, person_scope
from mlops.money import show_usd
from mlops.plan import Plan
from mlops.token_rates import rate_of, token_rates

# What one turn may still use after a plan was made: some calls with the whole conversation.
ALLOWANCE_INPUT_TOKENS = 100_000
ALLOWANCE_OUTPUT_TOKENS = 4_000
# No model call takes this long: whoever reserved for one has died.
STALE = timedelta(minutes=15)
# The partition that lists reservations whose call has not been settled, oldest first.
_OPEN = "open#tokens"
# What follows a reservation; its amount and theirs add up to what the call cost.
_CLOSING = (EntryKind.TOKENS, EntryKind.RELEASE, EntryKind.ADJUST)


class Hold(NamedTuple):
    """What is reserved for one model call in each scope, under one key."""

    key: str
    at: datetime
    scopes: tuple[str, ...]
    micro: int


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
    rate = rate_of(aws.settings, now)
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
    """Books what the call did cost in place of its reservation; micro-USD, at the rate of the day
    of the reservation. `at_most` marks bounds."""
    cached = cache_read_tokens, cache_write_tokens
    cost = rate_of(aws.settings, hold.at).cost(input_tokens, output_tokens, *cached)
    note = f"{input_tokens} in, {output_tokens} out"
    if any(cached):
        note += f", {cache_read_tokens} read from and {cache_write_tokens} written to the cache"
    note = f"at most {note}" if at_most else note
    if not _book_bill(aws, hold, cost, note, now):
        _correct(aws, hold, cost, note, now)
    return cost


def release_tokens(aws: Aws, hold: Hold, now: datetime) -> bool:
    """Gives back what was reserved for a call that came to nothing; False when it was settled."""
    entries = _entries(hold, EntryKind.RELEASE, now, reserved_micro=-hold.micro)
    return Ledger(aws).book(entries, [_close(hold)])


def settle_stale_tokens(aws: Aws, now: datetime) -> tuple[str, ...]:
    """Books the most that calls which died can have cost: nobody knows what the provider billed.
    Their keys ("<session>#<turn>#…")."""
    return tuple(
        hold.key
        for hold in _open_until(aws, now - STALE)
        if _book_bill(aws, hold, hold.micro, f"at most {show_usd(hold.micro)}, the call died", now)
    )


def allowance(aws: Aws, now: datetime) -> int:
    """Micro-USD kept aside for the model's words until the report; none where no model speaks."""
    if not aws.settings.react:
        return 0
    rate = rate_of(aws.settings, now)
    return rate.cost(ALLOWANCE_INPUT_TOKENS, ALLOWANCE_OUTPUT_TOKENS)


def turn_spent(aws: Aws, person: str, session_id: str, turn: str, now: datetime) -> int:
    """Micro-USD of tokens that a turn has used so far, or holds for a call that has not ended.

    It may have begun last month.
    """
    months = (now, now.replace(day=1) - timedelta(days=1))
    return _spent(aws, f"{session_id}#{turn}#", (person_scope(person, m) for m in months))


def tokens_spent(aws: Aws, plan: Plan, approval: Approval) -> int:
    """Micro-USD of tokens of the turn that made a plan, from the day before it was made, when the
    turn may have begun, to the month after it, or to the approval's."""
    made = plan.created_at
    months = (
        made - timedelta(days=1),
        made,
        made.replace(day=28) + timedelta(days=4),
        approval.at,
    )
    scopes = (person_scope(plan.person, month) for month in months)
    return _spent(aws, f"{plan.session_id}#{plan.turn}#", scopes)


def _book_bill(aws: Aws, hold: Hold, micro: int, note: str, now: datetime) -> bool:
    """False when the call was closed before."""
    bill = _entries(hold, EntryKind.TOKENS, now, micro, -hold.micro, note)
    return Ledger(aws).book(bill, [_close(hold)])


def _correct(aws: Aws, hold: Hold, cost: int, note: str, now: datetime) -> None:
    """The call was taken for dead: the bill counts all the same, once, in place of its bound."""
    ledger = Ledger(aws)
    booked = ledger.find(hold.scopes[0], EntryKind.TOKENS, hold.key)
    more = cost - (booked.spent_micro if booked else 0)
    if more:
        ledger.book(_entries(hold, EntryKind.ADJUST, now, more, 0, note))


def _spent(aws: Aws, beginning: str, scopes: Iterable[str]) -> int:
    """Of the calls whose keys begin so: bills, and reservations that are open."""
    if _is_free(aws):
        return 0
    ledger = Ledger(aws)
    found: list[Entry] = []
    for scope in dict.fromkeys(scopes):
        reserved = ledger.entries(scope, f"{EntryKind.RESERVE}#{beginning}")
        found += reserved
        for kind in _CLOSING if reserved else ():
            found += ledger.entries(scope, f"{kind}#{beginning}")
    return sum(entry.spent_micro + entry.reserved_micro for entry in found)


def _is_free(aws: Aws) -> bool:
    rate = token_rates().get(aws.settings.bedrock_model_id)
    return rate is not None and rate.is_free


def _opened_scopes(aws: Aws, now: datetime) -> tuple[str, ...]:
    limits = Limits(aws)
    name = aws.settings.person
    person, team = limits.open_person(name, now), limits.team_of(name)
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
