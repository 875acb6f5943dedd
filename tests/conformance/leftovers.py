"""What a run leaves alive: processes that are still there when the script has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

PATIENCE_SECONDS = 30


def end(variable: str) -> None:
    """Kills every process that was started with this variable, which only one run has."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while found := [pid for pid in processes() if variable.encode() in environment(pid)]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {found} do not end")
        time.sleep(0.02)


def processes() -> list[int]:
    """Lists all processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]


def environment(pid: int) -> list[bytes]:
    """Returns the variables that a process was started with; none if it is gone or another user's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
