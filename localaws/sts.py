"""STS: who is calling. One account, one identity."""

from typing import Any

from localaws.errors import ACCOUNT_ID

_USER_ID = "LOCALUSER"


class Sts:
    service_name = "sts"

    def get_caller_identity(self, _: dict[str, Any]) -> dict[str, Any]:
        arn = f"arn:aws:iam::{ACCOUNT_ID}:user/local"
        return {"UserId": _USER_ID, "Account": ACCOUNT_ID, "Arn": arn}
