"""AWS's Runtime Interface Emulator around a function, and what it has logged."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Sequence
from typing import Any

INVOCATIONS = "2015-03-31/functions/function/invocations"
LIMIT = 120


class Function:
    """A function under the emulator. Lambda's ``Init`` comes with the first event."""

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self.log = list[tuple[float, str]]()
        self.logged = threading.Condition()
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def connect(self, port: int) -> None:
        """Waits until the emulator listens."""
        self.url = f"http://127.0.0.1:{port}/{INVOCATIONS}"
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} does not start:\n{self.tail()}") from None
                time.sleep(0.01)

    def invoke(self, event: Any) -> Any:
        """Invokes the function and returns its answer; a function error is an exception."""
        request = urllib.request.Request(self.url, json.dumps(event).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=LIMIT) as response:
            text = response.read().decode()
        try:
            answer = json.loads(text)
        except ValueError:
            raise RuntimeError(f"{self.name} answers {text!r}; its log ends with\n{self.tail()}") from None
        if isinstance(answer, dict) and "errorType" in answer:
            raise RuntimeError(f"{self.name} fails: {answer}; its log ends with\n{self.tail()}")
        return answer

    def wait_for(self, text: str) -> float:
        """Waits for a line that holds the text; returns when it came, on the monotonic clock."""
        with self.logged:
            found = self.logged.wait_for(lambda: next((at for at, line in self.log if text in line), None), LIMIT)
        if found is None:
            raise RuntimeError(f"{self.name} has not logged {text!r}:\n{self.tail()}")
        return found

    def tail(self) -> str:
        """Returns the last lines of the log."""
        return "".join(line for _at, line in self.log[-20:])

    def stop(self) -> None:
        """Kills the emulator and all that it has started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            with self.logged:
                self.log.append((time.monotonic(), line))
                self.logged.notify_all()


def emulator(port: int, runtime_port: int) -> list[str]:
    """Returns the emulator's arguments: where it takes events, and where the function's runtime takes them."""
    return [
        "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
        "--runtime-api-address", f"127.0.0.1:{runtime_port}",
    ]  # fmt: skip


def free_ports() -> tuple[int, int]:
    """Returns two ports that nothing listens on."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
