"""The simulated spot market: `spot.json` in the data directory says what happens to spot jobs.

Without the file nothing is interrupted. All of it is simulated and labelled so in status messages.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from localaws.errors import AwsError

FILE = "spot.json"
SAVINGS = 0.6
"""Share of the price that managed spot saves: the middle of what public job logs show (53–79 %)."""


class Market(BaseModel):
    """Each spot job is interrupted `times` times, each time after so many seconds of training.

    `wait_seconds` pass until there is an instance again; `savings` sets BillableTimeInSeconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    interrupt_after_seconds: float = Field(default=60.0, gt=0)
    times: int = Field(default=0, ge=0)
    wait_seconds: float = Field(default=0.0, ge=0)
    savings: float = Field(default=SAVINGS, ge=0, lt=1)


def read_market(home: Path) -> Market:
    """Asked when a spot job is created or started, so that a change counts at once."""
    path = home / FILE
    try:
        return Market.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Market()
    except ValidationError as error:
        raise AwsError("ServiceException", f"{path}: {error}", 501) from error
