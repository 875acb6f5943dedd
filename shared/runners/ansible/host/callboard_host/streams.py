"""The job's standard output and standard error: written at once, in one pipe and so in one order.

What goes to standard error stands between two marks, so that the service can tell the two apart again. Programs that a
playbook starts inherit descriptors and know no marks: their standard error has a pipe of its own where the service asks
for one.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
import sys
from typing import Any

_pipe = -1
_nonce = ""


class _Channel(io.RawIOBase):
    """Writes to the job's pipe without a buffer, as ``PYTHONUNBUFFERED=1`` has Python do, and always all of it."""

    mode = "w"

    def __init__(self, name: str, fd: int, pipe: int, before: bytes = b"", after: bytes = b"") -> None:
        self.name = name
        self._fd = fd
        self._pipe = pipe
        self._before = before
        self._after = after

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        text = bytes(data)
        if text:
            _write_all(self._pipe, self._before + text + self._after)
        return len(text)


def take(output: int, errors: int, nonce: str) -> None:
    """Makes the pipes this process's standard output and standard error."""
    global _pipe, _nonce
    # a descriptor that no program inherits, and that stays the pipe's whatever a plugin does with the first two
    _pipe, _nonce = fcntl.fcntl(output, fcntl.F_DUPFD_CLOEXEC, 10), nonce
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.close(output)
    os.close(errors)
    # not the host's objects: they remember whether what they were opened on could seek
    out = _text(_Channel("<stdout>", 1, 1), "strict")
    err = _text(_Channel("<stderr>", 2, _pipe, _marker("2"), _marker("1")), "backslashreplace")
    vars(sys).update(stdout=out, __stdout__=out, stderr=err, __stderr__=err)


def give(uid: int, gid: int) -> None:
    """Lets a user open the pipes anew, as programs do that write to ``/dev/stdout``."""
    for fd in (1, 2):
        os.fchown(fd, uid, gid)


def mark(kind: str) -> None:
    """Puts a mark where the output stands now."""
    _write_all(_pipe, _marker(kind))


def _marker(kind: str) -> bytes:
    return f"\x1b]{_nonce};{kind}\x07".encode()


def _text(channel: Any, errors: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(channel, encoding="utf-8", errors=errors, write_through=True)


def _write_all(fd: int, text: bytes) -> None:
    rest = memoryview(text)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:  # a plugin or a program has made the pipe one that does not wait
            select.select([], [fd], [])
