"""Model tokens in the same ledger as training: each call is booked, at a dated rate, in the person's month."""

from datetime import datetime

from mlops.approvals import Approval
from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.errors import Alternative, RefusedError
from mlops.ledger import Entry, EntryKind, person_scope
from mlops.money import parse_usd
from mlops.plan import Plan
from mlops.prices import TokenRate, token_rates

# What one turn may still use after a plan was made: some calls with the whole conversation.
ALLOWANCE_INPUT_TOKENS = 60_000
ALLOWANCE_OUTPUT_TOKENS = 4_000


def rate_of(model_id: str) -> TokenRate:
    """RefusedError when the model's price is unknown: never a guess."""
    rate = token_rates().get(model_id)
    if rate is None:
        raise RefusedError(
            "price_unknown",
            f"The token price of {model_id} is not known, so it may not be used.",
            (Alternative(kind="model", message="Set BEDROCK_MODEL_ID to a priced model"),),
        )
    return rate


def book_tokens(
    aws: Aws, session_id: str, call_id: str, input_tokens: int, output_tokens: int, now: datetime
) -> int:
    """Books one model call, once per call id ("<turn>#…"); micro-USD. Free models book nothing."""
    cost = rate_of(aws.settings.bedrock_model_id).cost(input_tokens, output_tokens)
    if cost == 0:
        return 0
    ledger = Ledger(aws)
    scope = person_scope(aws.settings.person, now)
    ledger.open_scope(scope, parse_usd(aws.settings.monthly_limit_usd))
    entry = Entry(
        scope=scope,
        kind=EntryKind.TOKENS,
        key=f"{session_id}#{call_id}",
        at=now,
        spent_micro=cost,
        reserved_micro=0,
        note=f"{input_tokens} in, {output_tokens} out",
    )
    ledger.book([entry])
    return cost


def allowance(aws: Aws) -> int:
    """Micro-USD kept aside for the model's words until the report."""
    rate = rate_of(aws.settings.bedrock_model_id)
    return rate.cost(ALLOWANCE_INPUT_TOKENS, ALLOWANCE_OUTPUT_TOKENS)


def turn_spent(aws: Aws, person: str, session_id: str, turn: str, now: datetime) -> int:
    """Micro-USD of tokens that a turn has used so far."""
    if allowance(aws) == 0:
        return 0
    prefix = f"{session_id}#{turn}#"
    entries = Ledger(aws).entries(person_scope(person, now))
    return sum(
        e.spent_micro for e in entries if e.kind is EntryKind.TOKENS and e.key.startswith(prefix)
    )


def tokens_spent(aws: Aws, plan: Plan, approval: Approval) -> int:
    """Micro-USD of tokens of the turn that made a plan."""
    return turn_spent(aws, plan.person, plan.session_id, plan.turn, approval.at)
