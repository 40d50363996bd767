"""What processes of the embedded AWS may touch: a command in, the same command confined out.

Enforced by Landlock where the kernel has it, and nowhere else; `kind` says which. A confined program
reads the system and its Python, writes only its own folders, and signals only its own processes.
Without `network` it opens no TCP connection (kernel 6.7 on); UDP is never closed.
"""

import glob
import json
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

from localaws import confine

_SHIM = Path(confine.__file__)
_SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt/rocm"),
    *("/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/class", "/sys/bus/pci"),
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/mime.types"),
    *("/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/etc/passwd", "/etc/group"),
    *("/etc/hosts", "/etc/host.conf", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/gai.conf"),
    *("/etc/services", "/run/systemd/resolve"),
)
# /dev/shm: semaphores of multiprocessing have no other place.
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/shm")
_GPU_DEVICES = ("/dev/nvidia*", "/dev/dri", "/dev/kfd")


class Confinement(StrEnum):
    LANDLOCK = "landlock"
    NONE = "none"


@cache
def kind() -> Confinement:
    return Confinement.LANDLOCK if confine.landlock_abi() > 0 else Confinement.NONE


def confined(
    command: Sequence[str],
    *,
    write: Sequence[Path],
    read: Sequence[Path] = (),
    network: bool = True,
    dies_with_starter: bool = False,
) -> list[str]:
    """`command[0]` is an absolute path. `dies_with_starter`: with the thread that starts it."""
    if not sys.platform.startswith("linux"):
        return list(command)
    rules = {
        "read": [*_SYSTEM, *_interpreter(), *map(str, read)],
        "write": [*_devices(), *map(str, write)],
        "tcp": network,
        "starter": os.getpid() if dies_with_starter else None,
    }
    return [sys.executable, "-I", "-S", str(_SHIM), json.dumps(rules), *command]


@cache
def _interpreter() -> tuple[str, ...]:
    """The environment, and the installation that it was made from."""
    return tuple({sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix})


def _devices() -> list[str]:
    return [*_DEVICES, *(path for pattern in _GPU_DEVICES for path in glob.glob(pattern))]
