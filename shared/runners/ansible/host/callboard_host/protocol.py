"""What the service and the host say to each other: one JSON object a packet.

For each job the service sends ``job`` with its descriptors: a file in memory with the job's spec, the job's control
socket, the pipe for its output, that for what programs write to standard error, which may be the same, that for
its events, and, if the job is isolated, the rules that bind it. Now and then it sends ``ping``, which the host answers.

Over the control socket, the job's supervisor says ``started`` and begins when the service answers with ``go``; until
then, and where it says ``not_begun``, the job may be started again. Then the service sends signals, and the supervisor
says how the job ``exited``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import dataclass
from typing import Any

from callboard_host.user import User

PACKET_BYTES = 1 << 17
MAX_FDS = 8


@dataclass(frozen=True)
class JobSpec:
    """One job as the service sends it: what to run, where, and with which environment."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    nonce: str
    color: bool
    users_home: str | None
    fallback_inventory: list[str]
    require_hosts: bool
    end_background: bool
    no_new_privileges: bool
    user: User | None
    collections: list[str]
    roles: list[str]

    @classmethod
    def read(cls, fd: int) -> JobSpec:
        """Reads a spec from its file and closes that; a field too many or too few is an error."""
        with open(fd, "rb") as file:
            spec = json.load(file)
        user = spec.pop("user")
        return cls(**spec, user=User(**user) if user else None)


@dataclass
class JobChannels:
    """The descriptors of one job: its spec, its control socket, its output, errors and events, and its rules."""

    spec: int
    control: socket.socket
    output: int
    errors: int
    events: int
    rules: int | None

    @classmethod
    def adopt(cls, fds: list[int]) -> JobChannels:
        """Takes over the descriptors that came with a spec, in the order of the fields."""
        try:
            spec, control, output, errors, events, *more = fds
            rules = more[0] if more else None
            return cls(spec, socket.socket(fileno=control), output, errors, events, rules)
        except (OSError, ValueError):
            for fd in fds:
                os.close(fd)
            raise

    def close_pipes(self) -> None:
        """Closes the pipes, so that their readers see the end when the job has ended."""
        os.close(self.output)
        os.close(self.errors)
        os.close(self.events)

    def close(self) -> None:
        """Closes everything; what a forked child holds stays open there."""
        self.close_pipes()
        self.control.close()
        os.close(self.spec)
        if self.rules is not None:
            os.close(self.rules)


def receive(control: socket.socket) -> bytes:
    """Waits for one packet; returns none when the peer is gone, also when it left packets of ours unread."""
    try:
        return control.recv(PACKET_BYTES)
    except ConnectionError:
        return b""


def receive_with_fds(service: socket.socket) -> tuple[bytes, list[int]]:
    """Waits for one packet and its descriptors, which no program that a job executes inherits."""
    try:
        packet, fds, _flags, _address = socket.recv_fds(service, PACKET_BYTES, MAX_FDS, socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return b"", []
    return packet, fds


def send(control: socket.socket, message: dict[str, Any]) -> None:
    """Sends one message to the service; a service that is gone is no error here."""
    with contextlib.suppress(OSError):
        control.send(json.dumps(message).encode())


def not_begun(control: socket.socket, error: OSError) -> None:
    """Says that nothing of a job was started, and why."""
    send(control, {"type": "not_begun", "errno": error.errno})
