"""The service's side of the protocol, as small as it can be."""

from __future__ import annotations

import json
import os
import re
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKET_BYTES = 1 << 17
PACKAGE = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


def environment(home: Path) -> dict[str, str]:
    """Returns what a job finds in its environment: little, and nothing of ours."""
    temporary = home / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    path = f"{BIN}:/usr/local/bin:/usr/bin:/bin"
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(temporary), "LC_ALL": "C.UTF-8"}


def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Waits for something that must become true; the limit only keeps a broken test from hanging."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.01)
    return value


def alive(pid: int) -> bool:
    """Tells whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """Lists the children of a process, zombies included, the oldest first."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@dataclass
class Job:
    """A job that runs: its control socket, and what has come out of its pipes."""

    control: socket.socket
    output_fd: int
    errors_fd: int
    events_fd: int
    nonce: str
    raw_output: bytes = b""
    raw_errors: bytes = b""
    raw_events: bytes = b""
    messages: list[dict[str, Any]] = field(default_factory=list)

    def receive(self) -> dict[str, Any]:
        """Waits for one message; an empty one says that the job's supervisor is gone."""
        try:
            packet = self.control.recv(PACKET_BYTES)
        except ConnectionError:  # it has left something unread, which is told before what it has sent
            packet = self.control.recv(PACKET_BYTES)
        message: dict[str, Any] = json.loads(packet) if packet else {}
        self.messages += [message] if message else []
        return message

    def signal(self, number: int) -> None:
        """Asks the supervisor to send a signal."""
        self.control.send(json.dumps({"signal": number}).encode())

    def read_pipes(self) -> None:
        """Reads the pipes to their ends."""
        names = {self.output_fd: "raw_output", self.errors_fd: "raw_errors", self.events_fd: "raw_events"}
        while names:
            for fd in select.select(list(names), [], [])[0]:
                chunk = os.read(fd, 1 << 16)
                vars(self)[names[fd]] += chunk
                if not chunk:
                    del names[fd]
                    os.close(fd)

    def wait(self) -> Job:
        """Reads everything the job has to say, to its end."""
        self.read_pipes()
        while self.receive():
            pass
        self.control.close()
        return self

    @property
    def exited(self) -> dict[str, Any]:
        """Returns the supervisor's last word."""
        return next(message for message in self.messages if message["type"] == "exited")

    @property
    def rc(self) -> int | None:
        """Returns the playbook's exit code."""
        code: int | None = self.exited["rc"]
        return code

    @property
    def output(self) -> str:
        """Returns the output, both streams in order, without the markers of this job."""
        return re.sub(rf"\x1b\]{self.nonce};[BE12]\x07", "", self.raw_output.decode())

    @property
    def stdout(self) -> str:
        """Returns what stands outside the marks of standard error."""
        out = re.sub(
            rf"\x1b\]{self.nonce};2\x07.*?\x1b\]{self.nonce};1\x07", "", self.raw_output.decode(), flags=re.DOTALL
        )
        return re.sub(rf"\x1b\]{self.nonce};[BE]\x07", "", out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Returns all that came through the events pipe, as a strict parser reads it."""
        return [json.loads(line, parse_constant=_refuse) for line in self.raw_events.splitlines()]

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Returns Ansible's events, or those of one kind."""
        return [line for line in self.lines if "event" in line and kind in ("", line["event"])]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Returns the lines that the host itself has added."""
        return [line for line in self.lines if line.get("callboard") == kind]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class Host:
    """A host process and the service's end of its socket."""

    def __init__(self, home: Path, extra: dict[str, str] | None = None) -> None:
        self.home = home
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env = {**environment(home), "PYTHONPATH": str(PACKAGE), **(extra or {})}
        command = [sys.executable, "-m", "callboard_host", str(home)]
        self.process = subprocess.Popen(command, stdin=theirs.fileno(), env=env, cwd=home)
        theirs.close()
        self.ready = json.loads(self.socket.recv(PACKET_BYTES))

    def send(self, spec: bytes, nonce: str = "", may_begin: bool = True) -> Job:
        """Has the host fork a job: sends a packet with the job's descriptors beside it."""
        ours, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if may_begin:
            ours.send(b'{"go": true}')
        output_fd, output = os.pipe()
        errors_fd, errors = os.pipe()
        events_fd, events = os.pipe()
        file = os.memfd_create("spec")
        os.write(file, spec)
        os.lseek(file, 0, os.SEEK_SET)
        socket.send_fds(self.socket, [b"job"], [file, control.fileno(), output, errors, events])
        control.close()
        for fd in (file, output, errors, events):
            os.close(fd)
        return Job(ours, output_fd, errors_fd, events_fd, nonce)

    def start(
        self,
        *argv: str,
        cwd: Path,
        env: dict[str, str] | None = None,
        color: bool = False,
        users_home: str | None = None,
        end_background: bool = True,
        may_begin: bool = True,
    ) -> Job:
        """Starts ``ansible-playbook`` with these arguments; where it may not begin, its supervisor waits."""
        nonce = secrets.token_hex(16)
        spec = {
            "argv": ["ansible-playbook", *argv],
            "env": environment(cwd / "home") if env is None else env,
            "cwd": str(cwd),
            "color": color,
            "nonce": nonce,
            "users_home": users_home,
            "fallback_inventory": [],
            "require_hosts": True,
            "end_background": end_background,
            "no_new_privileges": False,
            "user": None,
            "collections": [],
            "roles": [],
        }
        return self.send(json.dumps(spec).encode(), nonce, may_begin)

    def run(self, *argv: str, cwd: Path, **options: Any) -> Job:
        """Runs ``ansible-playbook`` to its end, with the options of ``start``."""
        return self.start(*argv, cwd=cwd, **options).wait()

    def children(self) -> list[int]:
        """Lists the host's children, zombies included."""
        return children(self.process.pid)

    def fds(self) -> int:
        """Counts the host's open descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self) -> int:
        """Closes the service's end and returns the host's exit code."""
        self.socket.close()
        return self.process.wait(30)
