"""The host process: primes Ansible, says ``ready``, then forks a supervisor for every job.

Its argument is the folder in which the service keeps its jobs' folders. A service that ends as it should ends the host
first; when its socket closes before, the service is dead, and the host ends and removes what it has left.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import sys
import traceback
from functools import partial

from callboard_host import aftermath, processes, protocol, semaphores


def main() -> None:
    """Serves jobs until the service closes its end of the socket that is our standard input."""
    folder = sys.argv[1]
    with contextlib.suppress(PermissionError):  # whoever started us has made us the leader of a group already
        os.setsid()
    service = _take_standard_input()
    semaphores.install()
    from callboard_host import prime

    prime.prime()
    gc.collect()
    gc.freeze()
    protocol.send(service, {"type": "ready", "pid": os.getpid(), **prime.versions()})
    supervisors = _serve(service)
    aftermath.end(folder, supervisors)


def _take_standard_input() -> socket.socket:
    service = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return service


def _serve(service: socket.socket) -> list[processes.Child]:
    supervisors: list[processes.Child] = []
    while True:
        sources: list[processes.Child | socket.socket] = [service, *supervisors]
        ready, _, _ = select.select(sources, [], [])
        for child in [child for child in supervisors if child in ready]:
            supervisors.remove(child)
            child.wait()
        if service in ready:
            packet, fds = protocol.receive_with_fds(service)
            if not packet:
                return supervisors
            if packet == b"ping":
                protocol.send(service, {"type": "pong"})
                continue
            try:
                supervisors.append(_start(service, fds))
            except (OSError, ValueError):  # no descriptor, no process left: this job ends, the others go on
                traceback.print_exc()


def _start(service: socket.socket, fds: list[int]) -> processes.Child:
    channels = protocol.JobChannels.adopt(fds)
    try:
        return processes.Child.fork(partial(_supervise, service, channels))
    except OSError as error:
        protocol.not_begun(channels.control, error)
        raise
    finally:
        channels.close()


def _supervise(service: socket.socket, channels: protocol.JobChannels) -> int:
    from callboard_host import supervisor

    service.close()
    return supervisor.run(channels)
