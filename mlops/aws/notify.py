"""Delivers what waits in the outbox by the channels that this process knows, and warns of used-up budgets.

It comes last and takes a bounded time: nothing that goes wrong here hinders money or jobs.
"""

import logging
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict

from mlops.aws.clients import Aws, error_code
from mlops.aws.ledger import Ledger
from mlops.aws.notices import Notices, Pending
from mlops.aws.webhook import post
from mlops.errors import OpsError
from mlops.notices import Notice, of_budget, plain_message, reached, slack_message
from mlops.settings import SNS, WEBHOOK

_ROUND_SECONDS = 20.0
_CONFIG = Config(connect_timeout=3, read_timeout=4, retries={"total_max_attempts": 1})
_log = logging.getLogger(__name__)


class Round(BaseModel):
    """How many notices one round delivered, will try again, and gave up."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sent: int = 0
    failed: int = 0
    given_up: int = 0


def deliver_due(
    aws: Aws, clock: Callable[[], datetime], ticks: Callable[[], float] = time.monotonic
) -> Round:
    """One round over every channel of this process; never raises."""
    counts = {"sent": 0, "failed": 0, "given_up": 0}
    until = ticks() + _ROUND_SECONDS
    try:
        notices = Notices(aws)
        for channel in own_channels(aws):
            for row in notices.due(channel, clock()):
                if ticks() > until:
                    return Round(**counts)
                outcome = _deliver(aws, notices, row, clock)
                if outcome:
                    counts[outcome] += 1
    except (OpsError, ClientError, BotoCoreError):
        _log.exception("a round of notices broke off")
    return Round(**counts)


def own_channels(aws: Aws) -> list[str]:
    """The webhook's address is a secret that only some processes are given."""
    known = {SNS: aws.settings.notify_topic_arn, WEBHOOK: aws.settings.notify_webhook}
    return [channel for channel, address in known.items() if address is not None]


def send(aws: Aws, channel: str, notice: Notice) -> str:
    """ "" when the channel took it, else why not."""
    if channel == WEBHOOK:
        secret = aws.settings.notify_webhook
        return post(secret.get_secret_value(), slack_message(notice)) if secret else "not set"
    return _publish(aws, notice)


def warn_of_budget(aws: Aws, scopes: Iterable[str], now: datetime) -> None:
    """After a booking: a person or team hears once a month that a share of its limit is spent.

    What is reached counts, not what this booking did: if a warning is missed, the next one gives it.
    """
    try:
        for scope in scopes:
            totals = None if scope.startswith("plan#") else Ledger(aws).totals(scope)
            share = reached(totals) if totals else None
            if totals and share:
                Notices(aws).add_once(of_budget(totals, share, now), f"{scope}#{share}")
    except (OpsError, ClientError, BotoCoreError):
        _log.exception("a budget warning could not be stored")


def _deliver(
    aws: Aws, notices: Notices, row: Pending, clock: Callable[[], datetime]
) -> str | None:
    """None when another process is at it."""
    if not notices.claim(row, clock()):
        return None
    why = send(aws, row.channel, row.notice)
    if not why:
        notices.delivered(row, clock())
        return "sent"
    _log.warning("%s did not take %s: %s", row.channel, row.notice.notice_id, why)
    return "given_up" if notices.failed(row, why, clock()) else "failed"


def _publish(aws: Aws, notice: Notice) -> str:
    subject, text = plain_message(notice)
    options = {"region_name": aws.settings.region, "endpoint_url": aws.settings.endpoint_url}
    try:
        aws.session.client("sns", config=_CONFIG, **options).publish(
            TopicArn=aws.settings.notify_topic_arn,
            Subject=subject,
            Message=text,
            MessageAttributes={"kind": {"DataType": "String", "StringValue": notice.kind}},
        )
    except ClientError as error:
        return f"AWS answered {error_code(error)}"
    except BotoCoreError as error:
        return f"it could not be reached ({type(error).__name__})"
    return ""
