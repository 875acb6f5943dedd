"""The host process: primes Ansible, says ``ready``, then forks a supervisor for every job."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys

from callboard_host import protocol, semaphores


def main() -> None:
    """Serves jobs until the service closes its end of the socket that is our standard input."""
    os.setsid()
    service = _take_standard_input()
    semaphores.install()
    from callboard_host import prime

    prime.prime()
    gc.collect()
    gc.freeze()
    protocol.send(service, {"type": "ready", "pid": os.getpid(), **prime.versions()})
    signal.signal(signal.SIGCHLD, lambda *_args: _reap())
    _serve(service)


def _take_standard_input() -> socket.socket:
    service = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.close(null)
    return service


def _serve(service: socket.socket) -> None:
    while True:
        packet, fds, _flags, _address = socket.recv_fds(service, protocol.PACKET_BYTES, 8)
        if not packet:
            sys.exit(0)
        _start(service, packet, fds)


def _start(service: socket.socket, packet: bytes, fds: list[int]) -> None:
    channels = protocol.JobChannels.adopt(fds)
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        service.close()
        from callboard_host import supervisor

        supervisor.run(protocol.JobSpec.parse(packet), channels)
    channels.close()


def _reap() -> None:
    from callboard_host import processes

    processes.reap()
