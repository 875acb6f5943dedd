"""Semaphores and shared memory that need no ``/dev/shm``.

AWS Lambda has no ``/dev/shm``, so ``sem_open`` and ``shm_open`` fail there and stock Ansible stops with
"Unable to use multiprocessing". Ansible forks its workers, so an eventfd in semaphore mode will do: it
crosses ``fork``, needs no name, costs one descriptor, and leaves nothing behind.
"""

from __future__ import annotations

import _multiprocessing
import math
import os
import select
import tempfile
import threading
import time
from typing import Any

RECURSIVE_MUTEX = 0
SEM_VALUE_MAX = (1 << 31) - 1


class EventSemaphore:
    """A stand-in for ``_multiprocessing.SemLock``: same constructor, same methods, backed by an eventfd."""

    SEM_VALUE_MAX = SEM_VALUE_MAX

    def __init__(self, kind: int, value: int, maxvalue: int, _name: str, _unlink: bool) -> None:
        self._fd = -1
        self.kind = kind
        self.maxvalue = maxvalue
        self.name = None
        self.handle = id(self)
        self._owner: tuple[int, int] | None = None
        self._depth = 0
        self._fd = os.eventfd(value, os.EFD_SEMAPHORE | os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Takes one permit; waits for it unless ``block`` is false or ``timeout`` seconds pass."""
        if self.kind == RECURSIVE_MUTEX and self._is_mine():
            self._depth += 1
            return True
        deadline = None if timeout is None else time.monotonic() + max(timeout, 0.0)
        while not self._take():
            if not block or not self._wait(deadline):
                return False
        self._depth = self._depth + 1 if self._is_mine() else 1
        self._owner = _caller()
        return True

    def release(self) -> None:
        """Gives one permit back; a recursive lock only when its outermost holder lets go."""
        if self.kind == RECURSIVE_MUTEX:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            if self._depth > 1:
                self._depth -= 1
                return
        elif self._is_full():
            raise ValueError("semaphore or lock released too many times")
        self._depth -= 1
        os.eventfd_write(self._fd, 1)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def __del__(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def _count(self) -> int:
        return self._depth

    def _is_mine(self) -> bool:
        return self._depth > 0 and self._owner == _caller()

    def _is_full(self) -> bool:
        if self.maxvalue == 1:
            return not self._is_zero()
        return self.maxvalue < SEM_VALUE_MAX and self._get_value() >= self.maxvalue

    def _get_value(self) -> int:
        with open(f"/proc/self/fdinfo/{self._fd}") as file:
            return next(int(line.split()[1], 16) for line in file if line.startswith("eventfd-count:"))

    def _is_zero(self) -> bool:
        return not self._wait(0.0)

    def _after_fork(self) -> None:
        self._depth = 0

    def _take(self) -> bool:
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return False
        return True

    def _wait(self, deadline: float | None) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if deadline is None:
            return bool(poll.poll())
        return bool(poll.poll(math.ceil(max(deadline - time.monotonic(), 0.0) * 1000)))


def _caller() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def install() -> None:
    """Puts eventfds in the place of named semaphores and plain files in the place of shared memory."""
    module: Any = _multiprocessing
    module.SemLock = EventSemaphore
    _install_shared_memory()


def _install_shared_memory() -> None:
    try:
        import _posixshmem
    except ImportError:
        return
    module: Any = _posixshmem

    def path_of(name: str) -> str:
        return os.path.join(tempfile.gettempdir(), "shm-" + name.lstrip("/").replace("/", "_"))

    def shm_open(path: str, flags: int, mode: int = 0o600) -> int:
        return os.open(path_of(path), flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def shm_unlink(path: str) -> None:
        os.unlink(path_of(path))

    module.shm_open = shm_open
    module.shm_unlink = shm_unlink
