"""How many forks of Ansible there is room for: each takes open files and memory."""

from __future__ import annotations

import contextlib
import functools
import os
import resource
from pathlib import Path
from typing import Any

from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.utils.display import Display

# what a fork holds open in Ansible's own process: the two pipes of a queue and of a process, and three semaphores
FILES = 7
# what is left for everything else, in a fork too
SPARE_FILES = 64
# the least that a fork takes, which waits for ssh; one that runs a module here takes more
BYTES = 11 << 20
# Ansible's own default; how much memory is free is not known so exactly that fewer would be right
FEWEST_FOR_MEMORY = 5
_CGROUP = Path("/sys/fs/cgroup")


def install() -> None:
    """Has each play take no more forks than there is room for, and say so where those are fewer than it would take."""
    initialize = TaskQueueManager._initialize_processes

    @functools.wraps(initialize)
    def bounded(self: Any, num: int) -> None:
        initialize(self, _bounded(num))

    TaskQueueManager._initialize_processes = bounded


def _bounded(wanted: int) -> int:
    most, why = min(_for_files(), _for_memory())
    if wanted <= most:
        return wanted
    Display().warning(f"This play takes {most} forks instead of {wanted}: {why}")
    return most


def _for_files() -> tuple[int, str]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = limit - len(os.listdir("/proc/self/fd")) - SPARE_FILES
    return max(1, free // FILES), (
        f"each takes {FILES} open files, and this process may have {limit}. "
        "Raise that limit (ulimit -n), or ask for fewer forks."
    )


def _for_memory() -> tuple[int, str]:
    free = min(_free_on_the_machine(), _free_in_the_group())
    return max(FEWEST_FOR_MEMORY, free // BYTES), (
        f"each takes {BYTES >> 20} MiB of memory or more, and {free >> 20} MiB are free. "
        "Give the worker more memory, or ask for fewer forks."
    )


def _free_on_the_machine() -> int:
    found = _numbers(Path("/proc/meminfo"))
    return (found["MemAvailable:"] + found["SwapFree:"]) << 10


def _free_in_the_group() -> int:
    """Returns what the control group of this process may still take; files that it has read can be dropped."""
    most = 1 << 62
    with contextlib.suppress(OSError, ValueError, KeyError):
        group = Path("/proc/self/cgroup").read_text().rpartition("::/")[2].strip()
        folder = _CGROUP / group
        limit = int((folder / "memory.max").read_text())
        taken = int((folder / "memory.current").read_text()) - _numbers(folder / "memory.stat")["inactive_file"]
        return min(most, max(0, limit - taken))
    return most


def _numbers(file: Path) -> dict[str, int]:
    lines = (line.split() for line in file.read_text().splitlines())
    return {line[0]: int(line[1]) for line in lines}
