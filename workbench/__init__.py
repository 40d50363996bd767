"""The door for people without a browser and for the screens alike: `workbench.connect()`.

Loaded when first asked for, so that what needs no AWS (`llmops parse`) stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench import boot
    from workbench.workbench import Workbench, connect

__all__ = ["Workbench", "boot", "connect"]


def __getattr__(name: str) -> Any:
    if name == "boot":
        return import_module("workbench.boot")
    if name in __all__:
        return getattr(import_module("workbench.workbench"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
