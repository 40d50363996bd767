"""Monthly limits of people and teams: what a person set last, else what the settings say.

A limit that is set counts for this month and for every month that is opened after it.
"""

from datetime import datetime

from mlops.aws.clients import Aws
from mlops.aws.ledger import Ledger
from mlops.aws.tables import LEDGER
from mlops.ledger import Totals, person_scope, team_scope
from mlops.money import parse_usd

# The partition of the ledger that holds them, by owner.
_LIMITS = "limits"


class Limits:
    def __init__(self, aws: Aws):
        self._settings = aws.settings
        self._db = aws.dynamodb
        self._ledger = Ledger(aws)

    def of_person(self, person: str) -> int:
        """Micro-USD of a month that is opened now."""
        stored = self._stored(f"person#{person}")
        return parse_usd(self._settings.monthly_limit_usd) if stored is None else stored

    def of_team(self, team: str) -> int | None:
        """None when nobody limited the team."""
        stored = self._stored(f"team#{team}")
        stated = self._settings.team_monthly_limit_usd
        if stored is None and team == self._settings.team and stated is not None:
            return parse_usd(stated)
        return stored

    def limited_team(self) -> str | None:
        """The settings' team, when it has a limit: then its month is booked too."""
        team = self._settings.team
        return team if team is not None and self.of_team(team) is not None else None

    def open_person(self, person: str, now: datetime) -> str:
        """The scope of a person's month, which has its limit from now on."""
        scope = person_scope(person, now)
        self._ledger.open_scope(scope, self.of_person(person))
        return scope

    def open_team(self, team: str, now: datetime) -> str:
        scope = team_scope(team, now)
        self._ledger.open_scope(scope, self.of_team(team) or 0)
        return scope

    def month_of_person(self, person: str, now: datetime) -> Totals:
        """As it is, or as it would be opened."""
        scope = person_scope(person, now)
        known = self._ledger.totals(scope)
        return known or Totals(scope=scope, limit_micro=self.of_person(person))

    def month_of_team(self, team: str, now: datetime) -> Totals:
        scope = team_scope(team, now)
        known = self._ledger.totals(scope)
        return known or Totals(scope=scope, limit_micro=self.of_team(team) or 0)

    def set_person(self, person: str, limit_micro: int, now: datetime) -> None:
        """RefusedError below what this month has spent and reserved."""
        self._ledger.set_limit(person_scope(person, now), limit_micro)
        self._store(f"person#{person}", limit_micro, now)

    def set_team(self, team: str, limit_micro: int, now: datetime) -> None:
        """As `set_person`."""
        self._ledger.set_limit(team_scope(team, now), limit_micro)
        self._store(f"team#{team}", limit_micro, now)

    def _stored(self, owner: str) -> int | None:
        key = {"scope": _LIMITS, "entry": owner}
        answer = self._db.get_item(TableName=LEDGER, Key=key, ConsistentRead=True)
        return int(answer["Item"]["limit"]) if "Item" in answer else None

    def _store(self, owner: str, limit_micro: int, now: datetime) -> None:
        item = {"scope": _LIMITS, "entry": owner, "limit": limit_micro, "at": now.isoformat()}
        self._db.put_item(TableName=LEDGER, Item=item)
