"""Programs that the servers consist of, and the end of all that they start."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Where system programs are that a user's PATH may not name.
SYSTEM = "/usr/local/sbin:/usr/sbin:/sbin"
PR_SET_CHILD_SUBREAPER = 36
END_LIMIT = 5


class Unavailable(Exception):
    """A server cannot be had; the text says why and what to do."""


def program(name: str, why: str) -> str:
    """Returns the path of a program that must be there."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM}")
    if not path:
        raise Unavailable(f"`{name}` is not on PATH; it is needed {why}")
    return path


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Runs a program to its end and returns what it printed; raises ``Unavailable`` with that unless it went well."""
    finished = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise Unavailable(f"{' '.join(command)} ended with {finished.returncode}:\n{finished.stdout}")
    return finished.stdout


def adopt_orphans() -> None:
    """Has every orphaned descendant become a child of this process, so that none is lost sight of."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> None:
    """Kills all that this process has started, whatever group or session it moved to."""
    deadline = time.monotonic() + END_LIMIT
    while (living := descendants()) and time.monotonic() < deadline:
        for pid in living:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def descendants() -> set[int]:
    """Returns the living processes below this one."""
    parents = dict(filter(None, map(read, Path("/proc").glob("[0-9]*/stat"))))
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return family - {os.getpid()}


def read(stat: Path) -> tuple[int, int] | None:
    """Returns a process and its parent, unless it has ended."""
    try:
        state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else (int(stat.parent.name), int(parent))
