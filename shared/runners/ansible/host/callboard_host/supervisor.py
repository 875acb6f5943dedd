"""The parent of one job: starts its playbook, passes signals on, and leaves nothing alive behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

from callboard_host import processes, protocol


def run(spec: protocol.JobSpec, channels: protocol.JobChannels) -> NoReturn:
    """Runs the job to its end in a child of this process, reports how it ended, and exits."""
    status = 1
    try:
        os.setsid()
        processes.become_subreaper()
        ended = _Pidfd.fork(lambda: _playbook(spec, channels))
        channels.close_pipes()
        protocol.send(channels.control, {"type": "started", "supervisor": os.getpid(), "playbook": ended.pid})
        outcome = _watch(ended, channels.control)
        survivors = processes.end_all(os.getpid())
        protocol.send(channels.control, {"type": "exited", **outcome, "survivors": survivors})
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


class _Pidfd:
    """A child process and a descriptor that becomes readable when it ends."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    @classmethod
    def fork(cls, child: Any) -> _Pidfd:
        pid = os.fork()
        if pid == 0:
            child()
        return cls(pid)

    def fileno(self) -> int:
        return self._fd

    def wait(self) -> dict[str, int | None]:
        _pid, status = os.waitpid(self.pid, 0)
        if os.WIFSIGNALED(status):
            return {"rc": None, "signal": os.WTERMSIG(status)}
        return {"rc": os.WEXITSTATUS(status), "signal": None}


def _playbook(spec: protocol.JobSpec, channels: protocol.JobChannels) -> NoReturn:
    from callboard_host import playbook

    channels.control.close()
    playbook.run(spec, channels)


def _watch(ended: _Pidfd, control: socket.socket) -> dict[str, int | None]:
    """Waits for the playbook's end and obeys the service meanwhile; a service that is gone means kill."""
    while True:
        ready, _, _ = select.select([ended, control], [], [])
        if ended in ready:
            return ended.wait()
        packet = control.recv(protocol.PACKET_BYTES)
        if not packet:
            processes.end_all(os.getpid())
            os._exit(1)
        _obey(json.loads(packet)["signal"])


def _obey(number: int) -> None:
    """Sends the signal to everything the job has started; SIGKILL until nothing is left to send it to."""
    if number != signal.SIGKILL:
        processes.signal_all(processes.descendants(os.getpid()), number)
        return
    for pid in processes.descendants(os.getpid()):
        processes.signal_all([pid], signal.SIGKILL)
