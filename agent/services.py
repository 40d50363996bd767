"""What a server of ours needs of its process: the back end that the composition root made."""

from typing import Protocol

from agent.gateway import ToolGateway
from agent.turns import Turns
from mlops.aws.clients import Aws
from mlops.settings import Settings


class Services(Protocol):
    """One back end, ready to work; safe to share between threads."""

    @property
    def settings(self) -> Settings: ...
    @property
    def aws(self) -> Aws: ...
    @property
    def gateway(self) -> ToolGateway: ...
    @property
    def turns(self) -> Turns: ...
