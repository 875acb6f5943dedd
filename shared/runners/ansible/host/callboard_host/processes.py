"""Starting processes, finding what a job has started, sessions of their own included, and ending it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator

_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.005
_MOMENT_SECONDS = 0.05
_MAX_NAMED = 20


class Child:
    """A forked child and a descriptor that becomes readable when it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    @classmethod
    def fork(cls, run: Callable[[], int]) -> Child:
        """Forks a child that does nothing but ``run``, and exits with what that returns."""
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = run()
            except BaseException:
                traceback.print_exc()
            finally:  # never into the caller's frames: they belong to the parent
                os._exit(status)
        try:
            return cls(pid)
        except OSError as error:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            # unlike a fork that fails: the child may have begun
            raise RuntimeError("a child could not be watched") from error

    def fileno(self) -> int:
        """Names the descriptor, for ``select``."""
        return self._fd

    def wait(self) -> int:
        """Collects the child and returns its wait status."""
        os.close(self._fd)
        return os.waitpid(self.pid, 0)[1]


def become_subreaper() -> None:
    """Makes orphaned descendants become children of this process instead of init's (Linux prctl)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def descendants(root: int) -> list[int]:
    """Lists the descendants of ``root``, parents before children."""
    children: dict[int, list[int]] = {}
    for pid, parent, _state in _processes():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    queue = [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def _processes() -> Iterator[tuple[int, int, str]]:
    """Yields each process: its id, its parent's, and its state's letter."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", "rb") as file:
                state, parent = file.read().rpartition(b")")[2].split()[:2]
                yield int(entry), int(parent), state.decode()


def end_marked(folder: str, patience: float = 10.0) -> None:
    """Kills the processes of this user, but this one, whose folder for temporary files is below a folder.

    That is what the programs have that the service runs for its jobs, ssh-agent and git among them.
    """
    mark = f"TMPDIR={folder}/".encode()
    deadline = time.monotonic() + patience
    while (found := [pid for pid in _marked(mark) if pid != os.getpid()]) and time.monotonic() < deadline:
        signal_all(found, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _marked(mark: bytes) -> Iterator[int]:
    for pid, _parent, state in _processes():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
            if state not in "ZX" and any(entry.startswith(mark) for entry in file.read().split(b"\0")):
                yield pid


def signal_all(pids: Iterable[int], number: int) -> None:
    """Sends a signal to each process that still lives and that this user may signal."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_all(patience: float = 10.0) -> list[int]:
    """Kills and collects the descendants of this process.

    Returns what still lives after ``patience`` seconds: processes of another user, or stuck in the kernel.
    """
    deadline = time.monotonic() + patience
    while has_children():
        found = descendants(os.getpid())
        signal_all(found, signal.SIGKILL)
        reap()
        if time.monotonic() > deadline:
            return found
        time.sleep(_POLL_SECONDS)
    return []


def left_running() -> list[str]:
    """Names what a playbook has left running on purpose: not the connections that Ansible keeps open for a while.

    What is on its way out gets a moment for that.
    """
    if not _running_children():
        return []
    time.sleep(_MOMENT_SECONDS)
    names = _running_children()
    return [*names[:_MAX_NAMED], f"and {len(names) - _MAX_NAMED} more"] if len(names) > _MAX_NAMED else names


def _running_children() -> list[str]:
    alive = [(pid, parent) for pid, parent, state in _processes() if state not in "ZX"]
    parents = {parent for _, parent in alive}
    return [name for pid, parent in alive if parent == os.getpid() and (name := _name(pid, pid in parents))]


def _name(pid: int, has_children: bool) -> str | None:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return None
    arguments = [os.path.basename(part) for part in command]
    # a connection that is kept open has "ssh: " and its socket for a command
    if not arguments or command[0].startswith("ssh: ") or arguments[0].startswith("ssh"):
        return None
    if "ansible_connection_cli_stub.py" in arguments:
        return None
    if "async_wrapper.py" not in arguments:
        return f"{arguments[0]} (pid {pid})"
    # it looks for its task's end every few seconds, so it stays for a while when that has ended
    job = arguments[arguments.index("async_wrapper.py") + 1 :][:1]
    return f"the asynchronous task {job[0] if job else '?'} (pid {pid})" if has_children else None


def has_children() -> bool:
    """Tells whether this process has children, ended ones included.

    A scan of /proc can miss the child of a process that ends meanwhile; the kernel's answer cannot.
    """
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap() -> None:
    """Collects every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def used() -> dict[str, float]:
    """Returns processor time in seconds, and the most memory in bytes of one, of all descendants that have ended."""
    total = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_seconds": round(total.ru_utime + total.ru_stime, 3), "peak_memory_bytes": total.ru_maxrss * 1024}
