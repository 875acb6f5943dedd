"""Processes that end with this one, together with all that they have started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from types import FrameType
from typing import Any


class Processes:
    """Starts each process in a group of its own. ``stop`` ends every group, and no more are started after it."""

    def __init__(self, grace: float = 0) -> None:
        self.grace = grace
        self.lock = threading.Lock()
        self.started = list[subprocess.Popen[str]]()
        self.stopping = threading.Event()

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Starts a process."""
        with self.lock:
            if self.stopping.is_set():
                raise InterruptedError("interrupted")
            process = subprocess.Popen(command, start_new_session=True, text=True, **options)
            self.started.append(process)
            return process

    def run(self, command: Sequence[str], **options: Any) -> None:
        """Runs a process to its end; raises ``CalledProcessError`` with its output unless that is a good one."""
        process = self.start(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        )
        output, _ = process.communicate()
        with self.lock:
            self.started.remove(process)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command, output)

    def stop(self) -> None:
        """Ends all that was started: asks first and waits for the grace period if there is one, then kills."""
        with self.lock:
            self.stopping.set()
        if self.grace:
            self.signal(signal.SIGTERM)
            for process in self.started:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self.grace)
        self.signal(signal.SIGKILL)
        for process in self.started:
            process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Signals all that has stayed in the groups."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)


def exit_on_signals() -> None:
    """Has a signal end this process by way of its ``finally`` clauses, which further signals do not disturb."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def leave(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in numbers:
        signal.signal(number, leave)
