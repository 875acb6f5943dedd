"""What the service is told beside the output: ansible-runner's events, and notes of the host's own.

ansible-runner hides each event, encoded, among the characters that Ansible prints, and finds it again with
a regular expression. Here the event goes through a pipe of its own, as one JSON line, and the output gets
only a marker that names the job's nonce: output that looks like an event cannot pass for one.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from callboard_host import streams

MAX_EVENT_BYTES = 1 << 20
MAX_FIELD_BYTES = MAX_EVENT_BYTES >> 5
MAX_DEPTH = 100
MAX_INTEGER_BITS = 1000
MAX_HOSTS_TOLD = 10_000

inventory: Any = None
_hosts_told: set[str] = set()
_batch_size = 0
_pipe = -1


def install(pipe: int) -> None:
    """Says where this job's events go."""
    global _pipe
    _pipe = pipe


def is_open() -> bool:
    """Tells whether this process has a job, whose service is told."""
    return _pipe >= 0


def tell(note: str, **fields: Any) -> None:
    """Sends a line to the service that is no event of Ansible's."""
    _write(_to_json({"callboard": note, **fields}, json.JSONEncoder))


def begin(event: dict[str, Any], encoder: type[json.JSONEncoder]) -> None:
    """Sends an event, and marks where the output that belongs to it begins."""
    _write(_encode(event, encoder))
    streams.mark("B")


def end() -> None:
    """Marks where the output of the event that began last ends."""
    streams.mark("E")


def encoder_for(base: type[json.JSONEncoder]) -> type[json.JSONEncoder]:
    """Returns an encoder that names what ``base`` cannot encode."""

    class Encoder(base):  # type: ignore[misc,valid-type]
        def default(self, o: Any) -> Any:
            try:
                return super().default(o)
            except TypeError:
                return _name(o)

    return Encoder


def _encode(event: dict[str, Any], encoder: type[json.JSONEncoder]) -> bytes:
    data = event["event_data"]
    if event["event"] == "playbook_on_play_start":
        data["hosts_count"] = _batch_size
    line = _to_json(event, encoder)
    if len(line) <= MAX_EVENT_BYTES:
        return line
    light = {name: value for name, value in data.items() if len(_to_json(value, encoder)) <= MAX_FIELD_BYTES}
    if event["event"] == "playbook_on_stats":
        tell("stats_dropped", names=[name for name in data if name not in light])
    return _to_json({**event, "event_data": {name: {} for name in data} | light}, encoder)


def _to_json(value: Any, encoder: type[json.JSONEncoder]) -> bytes:
    """Encodes what any parser of JSON reads: no NaN, no lone surrogates, whatever a module has returned."""
    strict = encoder(skipkeys=True, allow_nan=False, ensure_ascii=False)
    try:
        text = strict.encode(value)
    except (ValueError, RecursionError):
        text = strict.encode(_simplify(value, MAX_DEPTH))
    return text.encode(errors="replace")


def _simplify(value: Any, depth: int) -> Any:
    if isinstance(value, dict | list | tuple) and not depth:
        return _name(value)
    if isinstance(value, dict):
        return {_simplify(name, depth - 1): _simplify(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_simplify(item, depth - 1) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return _name(value) if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS else value


def _name(value: Any) -> str:
    return f"<{type(value).__name__}>"


def begin_play(pattern: Any) -> tuple[set[str], set[str]]:
    """Returns the names of a play's hosts, after ``--limit``, and of those of the batch that begins.

    Names them to the service: a job that is stopped tells which it had not reached.
    """
    global _batch_size
    hosts, batch = hosts_of(pattern), hosts_of(pattern, of_batch=True)
    _batch_size = len(batch)
    if told := [name for name in hosts if name not in _hosts_told][: MAX_HOSTS_TOLD - len(_hosts_told)]:
        _hosts_told.update(told)
        tell("hosts", names=told)
    return set(hosts), set(batch)


def hosts_of(pattern: Any, *, of_batch: bool = False) -> list[str]:
    """Returns the names of the hosts of a play, or of its batch."""
    try:
        found = inventory.get_hosts(pattern, ignore_restrictions=not of_batch) if inventory else []
    except Exception:
        return []
    return [host.name for host in found]


def hosts_of_names(pattern: Any) -> list[str] | None:
    """Returns the names of the hosts of a play that has not begun; none if they are not known.

    Only patterns that are names of the inventory's are looked at: of one that matches nothing, Ansible would warn.
    """
    names = [pattern] if isinstance(pattern, str) else pattern or []
    if not inventory or not all(name in inventory.groups or name in inventory.hosts for name in names):
        return None
    return hosts_of(names)


def _write(line: bytes) -> None:
    rest = memoryview(line + b"\n")
    while rest:
        rest = rest[os.write(_pipe, rest) :]
