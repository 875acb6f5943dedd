"""Keeps the job's process, and all that it starts, from the service and from other jobs. This is irreversible."""

from __future__ import annotations

import ctypes
import os
import resource

_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_RESTRICT_SELF = 446


def confine(rules: int, no_new_privileges: bool) -> None:
    """Binds this process, which has one thread, by Landlock's rules; what it dumps may hold secrets, so it dumps nothing."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if no_new_privileges and libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot give up privileges")
    if libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT_SELF), ctypes.c_int(rules), ctypes.c_uint(0)) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot be isolated")
    os.close(rules)
