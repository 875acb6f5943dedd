"""What runs as ``ansible-playbook`` in a target's scripts: runs the real one, or ``callboard run``, and records it.

A target's script finds this first in ``PATH``. Standard output and error are passed on as they come. Where the script
has given both the same file, so does this, and their order is in the record.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

import arguments

CLOSING = re.compile(rb"(?:successful|failed|canceled) in [\d.]+ s, job [0-9a-f-]{36}[^\n]*\n?")
JOB = re.compile(rb"job ([0-9a-f-]{36})")
CLOSING_START = re.compile(rb"(?:successful|failed|canceled) in [^\n]*\n?")


def main(settings_file: str) -> int:
    """Runs the command and returns its exit code."""
    settings = json.loads(Path(settings_file).read_text())
    given = sys.argv[1:]
    record = begin(Path(settings["records"]))
    command, unsupported = choose(settings, given, record)
    merged = same(1, 2)
    started = time.monotonic()
    code, closing = run(command, record, merged, settings["side"] == "callboard" and not unsupported)
    facts = {
        "argv": given,
        "cwd": os.getcwd(),
        "code": code,
        "merged": merged,
        "unsupported": unsupported,
        "duration": round(time.monotonic() - started, 3),
        "environment": {name: value for name, value in os.environ.items() if name.startswith("ANSIBLE_")},
        "command": command,
        "closing": closing.decode(errors="replace"),
    }
    keep_events(Path(settings["data"]), closing, record)
    record.write_text(json.dumps(facts))
    return code if code >= 0 else 128 - code


def choose(settings: dict[str, Any], given: list[str], record: Path) -> tuple[list[str], str]:
    """Returns the command, and why it is not Callboard's where it should be."""
    stock = [settings["stock"], *given]
    if settings["side"] == "stock":
        return stock, ""
    if settings["side"] == "runner":
        return [*settings["reference"], stock[0], str(record.with_suffix(".events")), *given], ""
    try:
        return [*settings["callboard"], *arguments.translate(given, settings["known"], settings["several"])], ""
    except arguments.Unsupported as reason:
        return stock, str(reason)


def begin(folder: Path) -> Path:
    """Takes the next number, also among several that run at once."""
    for number in range(100_000):
        try:
            os.close(os.open(folder / f"{number:04}.json", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        return folder / f"{number:04}.json"
    raise RuntimeError("too many invocations")


def same(one: int, other: int) -> bool:
    """Tells whether two file descriptors are open on the same file."""
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def run(command: list[str], record: Path, merged: bool, closing: bool) -> tuple[int, bytes]:
    """Runs the command with pipes for its output, and passes that on; returns its exit code and closing line."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    pumps = [Pump(process.stdout, 1, record.with_suffix(".out"), closing)]
    if not merged:
        pumps.append(Pump(process.stderr, 2, record.with_suffix(".err"), closing))
    for pump in pumps:
        pump.join()
    return process.wait(), b"".join(pump.closing for pump in pumps)


class Pump(threading.Thread):
    """Passes a stream on and keeps it, but for Callboard's closing line, which no script expects."""

    def __init__(self, source: IO[bytes] | None, fd: int, kept: Path, filtered: bool) -> None:
        super().__init__()
        self.source, self.fd, self.kept, self.filtered = source, fd, kept, filtered
        self.closing = b""
        self.start()

    def run(self) -> None:
        """Passes bytes on as they come."""
        held = b""
        with self.kept.open("wb", buffering=0) as file:
            while self.source and (chunk := os.read(self.source.fileno(), 1 << 16)):
                ready, held = split(held + chunk) if self.filtered else (chunk, b"")
                write(self.fd, ready)
                file.write(ready)
            if CLOSING.fullmatch(held):
                self.closing, held = held, b""
            write(self.fd, held)
            file.write(held)


def split(text: bytes) -> tuple[bytes, bytes]:
    """Splits off a last line that may become the closing one."""
    start = text.rfind(b"\n", 0, len(text) - 1) + 1
    return (text[:start], text[start:]) if CLOSING_START.fullmatch(text, start) else (text, b"")


def write(fd: int, text: bytes) -> None:
    """Writes all; nobody may be listening any more."""
    while text:
        try:
            text = text[os.write(fd, text) :]
        except BrokenPipeError:
            return


def keep_events(data: Path, closing: bytes, record: Path) -> None:
    """Copies the events of the job that the closing line names."""
    found = JOB.search(closing)
    for path in data.glob(f"logs/{found[1].decode()}/*/events.jsonl") if found else ():
        shutil.copyfile(path, record.with_suffix(".events"))
