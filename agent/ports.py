"""What the graph's nodes need of the world, handed in by the turn runner."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agent.bedrock import Model
from agent.gateway import ToolGateway
from agent.journal import Journal
from agent.metering import Meter
from mlops.aws.plans import Plans
from mlops.settings import Settings


@dataclass(frozen=True)
class Ports:
    """One set per process; safe to share between turns."""

    settings: Settings
    gateway: ToolGateway
    model: Model
    meter: Meter
    journal: Journal
    plans: Plans
    clock: Callable[[], datetime]
