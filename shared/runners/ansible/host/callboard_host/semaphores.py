"""Semaphores and shared memory that need no ``/dev/shm``.

AWS Lambda has no ``/dev/shm``, so ``sem_open`` and ``shm_open`` fail there and stock Ansible stops with
"Unable to use multiprocessing". Ansible forks its workers, so a pipe that holds one byte per permit is
a semaphore: it crosses ``fork``, needs no name, and leaves nothing behind.
"""

from __future__ import annotations

import os
import select
import tempfile
import threading
import time
from typing import Any

import _multiprocessing

RECURSIVE_MUTEX = 0
SEM_VALUE_MAX = 32767


class PipeSemaphore:
    """A stand-in for ``_multiprocessing.SemLock``: same constructor, same methods, backed by a pipe."""

    SEM_VALUE_MAX = SEM_VALUE_MAX

    def __init__(self, kind: int, value: int, maxvalue: int, _name: str, _unlink: bool) -> None:
        self.kind = kind
        self.maxvalue = maxvalue
        self.name = None
        self.handle = id(self)
        self._owner: tuple[int, int] | None = None
        self._depth = 0
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        self._put(value)

    def acquire(self, block: bool = True, timeout: float | None = None) -> bool:
        """Takes one permit; waits for it unless ``block`` is false or ``timeout`` seconds pass."""
        if self.kind == RECURSIVE_MUTEX and self._is_mine():
            self._depth += 1
            return True
        deadline = None if timeout is None else time.monotonic() + max(timeout, 0.0)
        while not self._take():
            if not block or not self._wait(deadline):
                return False
        self._owner = _caller()
        self._depth = 1
        return True

    def release(self) -> None:
        """Gives one permit back; a recursive lock only when its outermost holder lets go."""
        if self.kind == RECURSIVE_MUTEX:
            if not self._is_mine():
                raise AssertionError("attempt to release recursive lock not owned by thread")
            self._depth -= 1
            if self._depth:
                return
        elif self.maxvalue < SEM_VALUE_MAX and self._get_value() >= self.maxvalue:
            raise ValueError("semaphore or lock released too many times")
        self._owner = None
        self._depth = 0
        self._put(1)

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_exc: object) -> None:
        self.release()

    def __del__(self) -> None:
        for fd in (self._read_fd, self._write_fd):
            os.close(fd)

    def _count(self) -> int:
        return self._depth if self._is_mine() else 0

    def _is_mine(self) -> bool:
        return self._depth > 0 and self._owner == _caller()

    def _get_value(self) -> int:
        import fcntl
        import struct
        import termios

        packed: bytes = fcntl.ioctl(self._read_fd, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", packed)[0])

    def _is_zero(self) -> bool:
        return self._get_value() == 0

    def _after_fork(self) -> None:
        self._depth = 0

    def _put(self, permits: int) -> None:
        if permits:
            os.write(self._write_fd, b"\0" * permits)

    def _take(self) -> bool:
        try:
            return os.read(self._read_fd, 1) == b"\0"
        except BlockingIOError:
            return False

    def _wait(self, deadline: float | None) -> bool:
        timeout = None if deadline is None else max(deadline - time.monotonic(), 0.0)
        ready, _, _ = select.select([self._read_fd], [], [], timeout)
        return bool(ready)


def _caller() -> tuple[int, int]:
    return os.getpid(), threading.get_ident()


def install() -> None:
    """Puts pipes in the place of named semaphores and plain files in the place of shared memory."""
    module: Any = _multiprocessing
    module.SemLock = PipeSemaphore
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
