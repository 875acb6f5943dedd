"""The parent of one job: starts its playbook, passes signals on, and leaves nothing alive behind."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from functools import partial

from callboard_host import processes, protocol

_LINGER_SECONDS = 0.02


def run(channels: protocol.JobChannels) -> int:
    """Runs the job to its end in a child of this process, and reports how it ended.

    A supervisor that is killed leaves its job to the service, which is a subreaper, too.
    """
    os.setsid()
    processes.become_subreaper()
    outcome, keep, left = None, False, list[str]()
    try:
        spec = protocol.JobSpec.read(channels.spec)
        protocol.send(channels.control, {"type": "started", "supervisor": os.getpid()})
        # a service that is gone, or does not want the job any more, has closed its end
        if not protocol.receive(channels.control):
            return 0
        try:
            playbook = processes.Child.fork(partial(_playbook, spec, channels))
        except OSError as error:
            protocol.not_begun(channels.control, error)
            return 0
        channels.close_pipes()
        outcome, stopped = _watch(playbook, channels.control)
        keep = outcome is not None and not stopped and not spec.end_background
        left = [] if keep or stopped else processes.left_running()
    finally:
        survivors = [] if keep else processes.end_all()
    if outcome is not None:
        report = {"type": "exited", **outcome, "survivors": survivors, "left": left, "used": processes.used()}
        protocol.send(channels.control, report)
    return 0


def _playbook(spec: protocol.JobSpec, channels: protocol.JobChannels) -> int:
    from callboard_host import playbook

    channels.control.close()
    return playbook.run(spec, channels)


def _watch(playbook: processes.Child, control: socket.socket) -> tuple[dict[str, int | None] | None, bool]:
    """Waits for the playbook's end and obeys the service meanwhile; no outcome when the service is gone.

    Tells as well whether the playbook was asked to end.

    What was asked to end may take its time, also when the playbook itself was faster; the service says when to kill.
    """
    stopping = False
    while True:
        waits: list[processes.Child | socket.socket] = [playbook, control]
        ready, _, _ = select.select(waits, [], [])
        if playbook in ready:
            outcome = _outcome(playbook.wait())
            return (outcome if not stopping or _linger(control) else None), stopping
        packet = protocol.receive(control)
        if not packet:
            return None, stopping
        stopping = True
        _signal(packet)


def _linger(control: socket.socket) -> bool:
    """Waits until all that the job has started is gone, or is to be killed; false when the service is gone."""
    while processes.has_children():
        if select.select([control], [], [], _LINGER_SECONDS)[0]:
            packet = protocol.receive(control)
            if not packet:
                return False
            if _signal(packet) == signal.SIGKILL:
                return True
        processes.reap()
    return True


def _signal(packet: bytes) -> int:
    number = int(json.loads(packet)["signal"])
    processes.signal_all(processes.descendants(os.getpid()), number)
    return number


def _outcome(status: int) -> dict[str, int | None]:
    if os.WIFSIGNALED(status):
        return {"rc": None, "signal": os.WTERMSIG(status)}
    return {"rc": os.WEXITSTATUS(status), "signal": None}
