"""Service quotas of training instances: limit minus in use; what is not known stays unknown (None)."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

ACCOUNT_WIDE = "Number of instances across all training jobs"


class Quota(BaseModel):
    """One type's allowance, training and spot training apart; None means unknown, not zero."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_type: str
    spot: bool
    limit: int | None
    in_use: int | None
    account_left: int | None = None

    @property
    def available(self) -> int | None:
        """Never more than what the account-wide quota leaves, where that is known."""
        if self.limit is None or self.in_use is None:
            return None
        own = max(0, self.limit - self.in_use)
        return own if self.account_left is None else min(own, max(0, self.account_left))

    @property
    def is_account_full(self) -> bool:
        """Its own limit leaves room, the account-wide one does not."""
        return self.available == 0 and (self.limit or 0) > (self.in_use or 0)


def quota_name(instance_type: str, spot: bool) -> str:
    """The name under which Service Quotas lists it (codes differ between sources, names do not)."""
    return f"{instance_type} for {'spot ' if spot else ''}training job usage"


def combine(
    instance_type: str,
    spot: bool,
    limits: Mapping[str, int],
    in_use: Mapping[tuple[str, bool], int] | None,
) -> Quota:
    """A quota from the listed limits and the counted use; a name that is not listed is unknown, and
    so is a use that was not counted."""
    whole = limits.get(ACCOUNT_WIDE)
    return Quota(
        instance_type=instance_type,
        spot=spot,
        limit=limits.get(quota_name(instance_type, spot)),
        in_use=None if in_use is None else in_use.get((instance_type, spot), 0),
        account_left=None if whole is None or in_use is None else whole - sum(in_use.values()),
    )
