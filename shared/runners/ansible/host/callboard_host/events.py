"""Events from ansible-runner's own callback, sent beside the output instead of inside it.

ansible-runner hides each event, encoded, among the characters that Ansible prints, and finds it again with
a regular expression. Here the event goes through a pipe of its own, as one JSON line, and the output gets
only a marker that names the job's nonce: output that looks like an event cannot pass for one.
"""

from __future__ import annotations

import json
import os
from typing import Any

MAX_EVENT_BYTES = 1 << 20

inventory: Any = None
_pipe = -1
_begin = ""
_end = ""


def install(pipe: int, nonce: str) -> None:
    """Says where this job's events go and how its markers look."""
    global _pipe, _begin, _end
    _pipe = pipe
    _begin = f"\x1b]{nonce};B\x07"
    _end = f"\x1b]{nonce};E\x07"


def tell(kind: str, **fields: Any) -> None:
    """Sends a line to the service that is no event of Ansible's."""
    _write(json.dumps({"callboard": kind, **fields}))


def attach(awx_display: Any) -> None:
    """Makes ansible-runner's callback module send its events here."""

    def dump_begin(self: Any, fileobj: Any) -> None:
        with self.display_lock:
            fileobj.flush()
            _write(_encode(self.get_begin_dict(), awx_display.AnsibleJSONEncoderLocal))
            _mark(fileobj, _begin)

    def dump_end(self: Any, fileobj: Any) -> None:
        with self.display_lock:
            _mark(fileobj, _end)

    awx_display.EventContext.dump_begin = dump_begin
    awx_display.EventContext.dump_end = dump_end


def _mark(fileobj: Any, marker: str) -> None:
    fileobj.flush()
    fileobj.write(marker)
    fileobj.flush()


def _encode(event: dict[str, Any], encoder: type[json.JSONEncoder]) -> str:
    class Encoder(encoder):  # type: ignore[valid-type, misc]
        def default(self, o: Any) -> Any:
            try:
                return super().default(o)
            except TypeError:
                return f"<{type(o).__name__}>"

    data = event["event_data"]
    if event["event"] == "playbook_on_play_start":
        data["hosts_count"] = _count_hosts(data.get("pattern"))
    for lighter in (None, "res", "task_args"):
        if lighter:
            data[lighter] = {}
        text = json.dumps(event, cls=Encoder, skipkeys=True)
        if len(text) <= MAX_EVENT_BYTES:
            return text
    return json.dumps({**event, "event_data": {}}, cls=Encoder)


def _count_hosts(pattern: Any) -> int:
    try:
        return len(inventory.get_hosts(pattern)) if inventory else 0
    except Exception:
        return 0


def _write(line: str) -> None:
    rest = memoryview(line.encode() + b"\n")
    while rest:
        rest = rest[os.write(_pipe, rest) :]
