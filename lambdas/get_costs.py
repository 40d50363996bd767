"""Tool: the person's month, spent and reserved against the limit."""

from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.serve import now, tool
from mlops.ledger import Totals, person_scope
from mlops.money import parse_usd, to_usd
from mlops.tools import CostsInput, CostsOutput


def costs(aws: Aws, wanted: CostsInput) -> CostsOutput:
    moment = now()
    scope = person_scope(wanted.person, moment)
    default = Totals(scope=scope, limit_micro=parse_usd(aws.settings.monthly_limit_usd))
    totals = Ledger(aws).totals(scope) or default
    return CostsOutput(
        month=f"{moment:%Y-%m}",
        limit_usd=to_usd(totals.limit_micro),
        spent_usd=to_usd(totals.spent_micro),
        reserved_usd=to_usd(totals.reserved_micro),
        left_usd=to_usd(totals.left_micro),
        sandbox=aws.settings.sandbox,
    )


lambda_handler = tool("get_costs", costs)
