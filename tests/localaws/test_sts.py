"""Who is calling."""

from typing import Any


def test_one_identity(local: Any):
    identity = local.client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"].endswith(":user/local")
