"""`python -m benchmarks [NAME…]`: runs the named benchmarks, or all, and prints their tables.

Nothing here reads or changes a person's data: every run has its own back end in a temporary folder.
"""

import os
import sys
from collections.abc import Callable, Iterator

from benchmarks import agent, journey, learning_curves, localaws, money, pages, planning
from benchmarks.tables import Table, machine

BENCHMARKS: dict[str, Callable[[], Iterator[Table]]] = {
    "agent": agent.run,
    "journey": journey.run,
    "localaws": localaws.run,
    "money": money.run,
    "pages": pages.run,
    "planning": planning.run,
    "curves": learning_curves.run,
}
_OURS = ("AWS_", "LLMOPS_", "BEDROCK_", "AGENTCORE_", "USE_AGENTCORE_", "FEATURE_", "STREAMLIT_")


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}.")
        return 2
    _forget_settings()
    for name in names or BENCHMARKS:
        for table in BENCHMARKS[name]():
            print(f"\n{table.text()}\n{machine()}", flush=True)
    return 0


def _forget_settings() -> None:
    """What a person has set changes no result, and no AWS account of theirs is found."""
    for name in [n for n in os.environ if n.startswith(_OURS)]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
