"""What a client asks of ``git-upload-pack``, as gitprotocol-pack and gitprotocol-v2 describe it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

HEADER = 4


def describe(body: bytes) -> dict[str, Any]:
    """Returns the command and the depth, if they are there.

    Before version 2 there are no commands; what ends a negotiation then is a ``fetch``.
    """
    lines = [line.rstrip(b"\n").decode(errors="replace") for line in packets(body)]
    command = next((line.removeprefix("command=") for line in lines if line.startswith("command=")), None)
    if command is None and "done" in lines:
        command = "fetch"
    depth = next((int(line.split()[1]) for line in lines if line.startswith("deepen ")), None)
    return {"command": command, "depth": depth}


def packets(body: bytes) -> Iterator[bytes]:
    """Returns the packets that have content."""
    position = 0
    while header := body[position : position + HEADER]:
        try:
            size = int(header, 16)
        except ValueError:
            return
        if size > HEADER:
            yield body[position + HEADER : position + size]
        position += max(size, HEADER)
