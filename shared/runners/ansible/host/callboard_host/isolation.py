"""Keeps the job's process, and all that it starts, from the service and from other jobs. This is irreversible."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource

_PR_SET_NO_NEW_PRIVS = 38
_LANDLOCK_RESTRICT_SELF = 446
# of ten processes that the user may have, so that the service can always start one
_PARTS_OF_PROCESSES = 9
# from -1000 to 1000: which process the kernel ends first where memory runs out
_EXPENDABLE = 500


def confine(rules: int, no_new_privileges: bool) -> None:
    """Limits this process, which has one thread, and binds it by Landlock's rules."""
    _limit()
    libc = ctypes.CDLL(None, use_errno=True)
    if no_new_privileges and libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot give up privileges")
    if libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT_SELF), ctypes.c_int(rules), ctypes.c_uint(0)) != 0:
        raise OSError(ctypes.get_errno(), "this process cannot be isolated")
    os.close(rules)


def _limit() -> None:
    # what a program dumps may hold secrets
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if most != resource.RLIM_INFINITY:
        most = most * _PARTS_OF_PROCESSES // 10
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
    # refused where it is higher already
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(_EXPENDABLE))
