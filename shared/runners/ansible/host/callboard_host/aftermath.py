"""What the host does when the service has died: it ends what that has started, and removes the folders of its jobs."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from callboard_host import processes

# Somewhat longer than a supervisor takes to end its job.
_PATIENCE_SECONDS = 15.0


def end(folder: str, supervisors: list[processes.Child]) -> None:
    """Ends everything, then becomes the program that removes the folder, and what was on its way out already."""
    # what a supervisor leaves becomes ours: the service, whose it would have become, is gone
    processes.become_subreaper()
    # a job may have stopped its supervisor
    processes.signal_all([supervisor.pid for supervisor in supervisors], signal.SIGCONT)
    _wait(supervisors)
    if survivors := processes.end_all():
        print(f"these processes could not be ended: {survivors}", file=sys.stderr)
    processes.end_marked(folder)
    gone = os.path.join(os.path.dirname(folder), "gone")
    left = [folder, *(os.path.join(gone, name) for name in os.listdir(gone))] if os.path.isdir(gone) else [folder]
    os.chdir("/")
    os.execvp("rm", ["rm", "-rf", "--", *left])


def _wait(supervisors: list[processes.Child]) -> None:
    """Waits until each has ended its job, which it does by itself; whatever has not by then is ended with it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while supervisors and (left := deadline - time.monotonic()) > 0:
        for ended in select.select(supervisors, [], [], left)[0]:
            supervisors.remove(ended)
            ended.wait()
