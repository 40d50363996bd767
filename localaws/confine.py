"""Runs first in a process of ours, then becomes the given program: what it may touch is decided here.

argv: the rules as JSON, then the command. Landlock (Linux) confines files, signals and, on
request, TCP; prctl ends the program with its starter. Stands alone: only the standard library.
"""

import ctypes
import json
import os
import signal
import sys
from typing import Any

# linux/landlock.h; the system calls have these numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_ABI_1 = (1 << 13) - 1
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_TCP = 0b11
_SCOPES = 0b11
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
# sys_ptrace, sys_admin, perfmon: with these, root reads the memory of others whatever Landlock says.
_CAPABILITIES = (19, 21, 38)
_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def landlock_abi() -> int:
    """0 where the system has no Landlock."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, _libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG))


def main(argv: list[str]) -> None:
    rules, command = json.loads(argv[1]), argv[2:]
    if sys.platform.startswith("linux") and rules["starter"] is not None:
        _die_with(rules["starter"])
    if landlock_abi() > 0:
        _restrict(rules, landlock_abi())
    os.execv(command[0], command)


def _die_with(starter: int) -> None:
    """The starter's thread lives as long as this process, or is gone with all of its process."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != starter:
        sys.exit("the embedded AWS is gone")


def _restrict(rules: dict[str, Any], abi: int) -> None:
    """`read` and `write` are lists of paths, those absent do not matter; `tcp` false: none at all."""
    handled = _ABI_1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    wanted = _Ruleset(handled, 0 if rules["tcp"] or abi < 4 else _TCP, _SCOPES if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = _check(
        _libc.syscall(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), 0)
    )
    for path in rules["read"]:
        _allow(ruleset, path, _READ)
    for path in rules["write"]:
        _allow(ruleset, path, handled)
    for capability in _CAPABILITIES:
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused where we are not root
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.syscall(_RESTRICT_SELF, ruleset, 0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    if not os.path.isdir(path):
        access &= _OF_FILES
    beneath = _PathBeneath(access, descriptor)
    _check(_libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(beneath), 0))
    os.close(descriptor)


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    main(sys.argv)
