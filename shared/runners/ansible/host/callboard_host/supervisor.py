"""The parent of one job: starts its playbook, passes signals on, and leaves nothing alive behind."""

from __future__ import annotations

import json
import os
import select
import socket
from functools import partial

from callboard_host import processes, protocol


def run(packet: bytes, channels: protocol.JobChannels) -> int:
    """Runs the job to its end in a child of this process, and reports how it ended."""
    os.setsid()
    processes.become_subreaper()
    outcome = None
    try:
        playbook = processes.Child.fork(partial(_playbook, protocol.JobSpec.parse(packet), channels))
        channels.close_pipes()
        protocol.send(channels.control, {"type": "started", "supervisor": os.getpid(), "playbook": playbook.pid})
        outcome = _watch(playbook, channels.control)
    finally:
        survivors = processes.end_all()
    if outcome is not None:
        protocol.send(channels.control, {"type": "exited", **outcome, "survivors": survivors})
    return 0


def _playbook(spec: protocol.JobSpec, channels: protocol.JobChannels) -> int:
    from callboard_host import playbook

    channels.control.close()
    return playbook.run(spec, channels)


def _watch(playbook: processes.Child, control: socket.socket) -> dict[str, int | None] | None:
    """Waits for the playbook's end and obeys the service meanwhile; no outcome when the service is gone."""
    sources: list[processes.Child | socket.socket] = [playbook, control]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if playbook in ready:
            return _outcome(playbook.wait())
        packet = protocol.receive(control)
        if not packet:
            return None
        processes.signal_all(processes.descendants(os.getpid()), json.loads(packet)["signal"])


def _outcome(status: int) -> dict[str, int | None]:
    if os.WIFSIGNALED(status):
        return {"rc": None, "signal": os.WTERMSIG(status)}
    return {"rc": os.WEXITSTATUS(status), "signal": None}
