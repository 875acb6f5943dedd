"""Finding and ending every process that a job has started, sessions of their own included."""

from __future__ import annotations

import ctypes
import os
import signal
import time

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.005


def become_subreaper() -> None:
    """Makes orphaned descendants become children of this process instead of init's (Linux prctl)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def descendants(root: int) -> list[int]:
    """Lists the living descendants of ``root``, parents before children; zombies are left out."""
    children: dict[int, list[int]] = {}
    zombies = set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        stat = _read_stat(entry)
        if stat is None:
            continue
        state, parent = stat
        children.setdefault(parent, []).append(int(entry))
        if state in ("Z", "X"):
            zombies.add(int(entry))
    found: list[int] = []
    queue = [root]
    while queue:
        for pid in children.get(queue.pop(), ()):
            queue.append(pid)
            if pid not in zombies:
                found.append(pid)
    return found


def _read_stat(pid: str) -> tuple[str, int] | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[0].decode(), int(fields[1])


def signal_all(pids: list[int], number: int) -> list[int]:
    """Sends a signal to each process; returns those that this user may not signal."""
    refused = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            refused.append(pid)
    return refused


def reap() -> None:
    """Collects every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def end_all(root: int, patience: float = 10.0) -> list[int]:
    """Kills the descendants of ``root`` until none is left; returns the survivors after ``patience`` seconds."""
    deadline = time.monotonic() + patience
    while True:
        alive = descendants(root)
        if not alive:
            reap()
            return []
        signal_all(alive, signal.SIGKILL)
        if time.monotonic() > deadline:
            return alive
        reap()
        time.sleep(_POLL_SECONDS)
