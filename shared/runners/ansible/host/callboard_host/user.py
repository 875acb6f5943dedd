"""Becomes the user that a job runs as, where the service is root. This is irreversible.

As a program, ``python user.py USER PROGRAM ARGUMENT...`` with USER in JSON, it then becomes another one.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from dataclasses import dataclass

_DATABASE = b"/etc/passwd"
_CLONE_NEWNS = 1 << 17
_MS_BIND, _MS_REC, _MS_SLAVE = 1 << 12, 1 << 14, 1 << 19
_PR_SET_DUMPABLE = 4
# what shells say where a program cannot be run
_NOT_RUN = 126


@dataclass(frozen=True)
class User:
    """A user, and the file that stands for the user database where that does not know him."""

    name: str
    uid: int
    gid: int
    database: str | None


def introduce(user: User) -> None:
    """Makes the user known to this process and all that it starts, and to nobody else."""
    if user.database is not None:
        libc = ctypes.CDLL(None, use_errno=True)
        _check(libc.unshare(_CLONE_NEWNS))
        # what is mounted elsewhere still comes in, and nothing goes out
        _check(libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None))
        _check(libc.mount(user.database.encode(), _DATABASE, None, ctypes.c_ulong(_MS_BIND), None))


def become(user: User) -> None:
    """Gives up being root: groups first, while that is still allowed."""
    if user.database is None:
        os.initgroups(user.name, user.gid)
    else:
        os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    # the kernel gives what /proc has of a process that has changed its user to root, and Ansible reads its own there
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)


def _check(status: int) -> None:
    if status != 0:
        raise OSError(ctypes.get_errno(), "the job's user cannot be made known to the job")


def main() -> None:
    """Becomes the user and the program that the arguments name."""
    user, program = User(**json.loads(sys.argv[1])), sys.argv[2:]
    introduce(user)
    become(user)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(_NOT_RUN)


if __name__ == "__main__":
    main()
