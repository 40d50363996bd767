"""Monthly limits of people and teams, and who belongs to which team: what is stored counts in every process.

A limit that is set counts for this month and for every month that is opened after it. What nobody
set is what the settings say; a team that nobody limited is booked all the same.
"""

from datetime import datetime

from mlops.aws.clients import Aws, Item
from mlops.aws.ledger import Ledger
from mlops.aws.tables import LEDGER
from mlops.errors import RefusedError
from mlops.ledger import NO_LIMIT_MICRO, Totals, person_scope, team_scope
from mlops.money import parse_usd

# The partition of the ledger that holds them, by owner.
_LIMITS = "limits"


class Limits:
    def __init__(self, aws: Aws):
        self._settings = aws.settings
        self._db = aws.dynamodb
        self._ledger = Ledger(aws)

    def adopt(self, now: datetime) -> None:
        """Stores what this process's settings state explicitly, so that it counts everywhere.

        A statement that is new or changed counts; one that was adopted before does not undo what a
        person set since. A limit below what this month has taken admits nothing more in it.
        """
        settings = self._settings
        person, team = settings.person, settings.team
        if team and self.team_of(person) != team:
            self._write(f"member#{person}", now, team=team)
        if "monthly_limit_usd" in settings.model_fields_set:
            scope, usd = person_scope(person, now), settings.monthly_limit_usd
            self._adopt(f"person#{person}", scope, usd, now)
        if team and settings.team_monthly_limit_usd is not None:
            scope, usd = team_scope(team, now), settings.team_monthly_limit_usd
            self._adopt(f"team#{team}", scope, usd, now)

    def team_of(self, person: str) -> str | None:
        """Whose month pays too. The settings' team is stored when it is first seen: a process
        without that setting books it as well."""
        kept = self._kept(f"member#{person}")
        team = self._settings.team if person == self._settings.person else None
        if kept is not None:
            return str(kept["team"])
        if team is not None:
            self._write(f"member#{person}", None, team=team)
        return team

    def of_person(self, person: str) -> int:
        """Micro-USD of a month that is opened now."""
        kept = self._kept(f"person#{person}")
        return int(kept["limit"]) if kept else parse_usd(self._settings.monthly_limit_usd)

    def of_team(self, team: str) -> int | None:
        """None when nobody limited the team."""
        kept = self._kept(f"team#{team}")
        stated = self._settings.team_monthly_limit_usd
        if kept is None and team == self._settings.team and stated is not None:
            return parse_usd(stated)
        return int(kept["limit"]) if kept else None

    def open_person(self, person: str, now: datetime) -> str:
        """The scope of a person's month, which has its limit from now on."""
        scope = person_scope(person, now)
        self._ledger.open_scope(scope, self.of_person(person))
        return scope

    def open_team(self, team: str, now: datetime) -> str:
        scope = team_scope(team, now)
        self._ledger.open_scope(scope, self._of_open_team(team))
        return scope

    def month_of_person(self, person: str, now: datetime) -> Totals:
        """As it is, or as it would be opened."""
        scope = person_scope(person, now)
        known = self._ledger.totals(scope)
        return known or Totals(scope=scope, limit_micro=self.of_person(person))

    def month_of_team(self, team: str, now: datetime) -> Totals:
        scope = team_scope(team, now)
        known = self._ledger.totals(scope)
        return known or Totals(scope=scope, limit_micro=self._of_open_team(team))

    def set_person(self, person: str, limit_micro: int, now: datetime) -> None:
        """RefusedError below what this month has spent and reserved."""
        self._ledger.set_limit(person_scope(person, now), limit_micro)
        self._write(f"person#{person}", now, limit=limit_micro)

    def set_team(self, team: str, limit_micro: int, now: datetime) -> None:
        """As `set_person`."""
        self._ledger.set_limit(team_scope(team, now), limit_micro)
        self._write(f"team#{team}", now, limit=limit_micro)

    def _of_open_team(self, team: str) -> int:
        limit = self.of_team(team)
        return NO_LIMIT_MICRO if limit is None else limit

    def _adopt(self, owner: str, scope: str, usd: str, now: datetime) -> None:
        kept, limit = self._kept(owner), parse_usd(usd)
        if kept is not None and kept.get("stated") == limit:
            return
        try:
            self._ledger.set_limit(scope, limit)
        except RefusedError:
            taken = self._ledger.totals(scope)
            assert taken is not None
            self._ledger.set_limit(scope, taken.spent_micro + taken.reserved_micro)
        self._write(owner, now, limit=limit, stated=limit)

    def _kept(self, owner: str) -> Item | None:
        key = {"scope": _LIMITS, "entry": owner}
        answer = self._db.get_item(TableName=LEDGER, Key=key, ConsistentRead=True)
        return answer.get("Item")

    def _write(self, owner: str, now: datetime | None, **values: int | str) -> None:
        """These values alone: what else is kept of an owner stays."""
        changes: dict[str, int | str] = {**values, **({"at": now.isoformat()} if now else {})}
        self._db.update_item(
            TableName=LEDGER,
            Key={"scope": _LIMITS, "entry": owner},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in changes),
            ExpressionAttributeNames={f"#{name}": name for name in changes},
            ExpressionAttributeValues={f":{name}": value for name, value in changes.items()},
        )
