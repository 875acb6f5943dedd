"""A running ``callboard serve`` with a data folder of its own."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import IO, Any

from tools import ROOT, Failed, Processes

START_LIMIT = 180


class Service:
    """The service; its address is known when it listens."""

    def __init__(self, processes: Processes, data: Path, *arguments: str, asks: bool = False) -> None:
        """Starts the service; ``asks`` has it ask for a key."""
        program = ROOT / "target/debug/callboard"
        self.key: str | None = None
        if asks:
            create = [str(program), "keys", "create", "--name", "admin", "--scope", "admin", "--data", str(data)]
            made = subprocess.run(create, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            self.key = made.stdout.strip()
        serve = ["serve", "--listen", "127.0.0.1:0", "--playbooks", str(ROOT / "tests/playbooks"), *arguments]
        process = processes.start(
            [str(program), *serve],
            env={**os.environ, "CALLBOARD_DATA": str(data), "CALLBOARD_GRACE": "2"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.log = list[str]()
        found = queue.Queue[str]()
        threading.Thread(target=self.read, args=(process.stderr, found), daemon=True).start()
        try:
            self.address = found.get(timeout=START_LIMIT)
        except queue.Empty:
            raise Failed(f"the service does not listen; its log:\n{''.join(self.log)}") from None

    def read(self, stderr: IO[str], found: queue.Queue[str]) -> None:
        """Keeps the log, and finds the address in it."""
        for line in stderr:
            self.log.append(line)
            _, listening, address = line.partition("listening address=")
            if listening:
                found.put(f"http://{address.strip()}")

    def submit(self, request: dict[str, Any]) -> None:
        """Submits a job."""
        body, headers = json.dumps(request).encode(), {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        post = urllib.request.Request(f"{self.address}/api/v1/jobs", body, headers)
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(post).close()
