"""Makes the events of two runs comparable: one line for each field, with ids by their first appearance."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from normal import normal

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
TIMES = {"created", "start", "end", "duration"}
OTHERS = {"pid": "PID", "runner_ident": "IDENT"}
OWN = ("counter", "event", "uuid", "parent_uuid", "start_line", "end_line", "stdout")


def read(path: Path) -> list[str]:
    """Reads a file of events as lines."""
    if not path.exists():
        return []
    ids = dict[str, str]()
    return [line for event in filter(None, path.read_text().split("\n")) for line in told(json.loads(event), ids)]


def told(event: dict[str, Any], ids: dict[str, str]) -> Iterator[str]:
    """Writes an event as lines, what orders the events first."""
    keys = [key for key in OWN if key in event] + sorted(event.keys() - set(OWN))
    for key in keys:
        for name, value in flat(key, event[key]):
            line = f"{name} = {text(name.rpartition('.')[2], value, ids)}"
            yield normal(line.encode(errors="surrogatepass")).decode(errors="backslashreplace")


def flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Names every value by its path."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from flat(f"{name}.{key}", value[key])
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from flat(f"{name}[{index}]", item)
    else:
        yield name, value


def text(key: str, value: Any, ids: dict[str, str]) -> str:
    """Writes a value without what differs from run to run."""
    if key in OTHERS:
        return OTHERS[key]
    if key in TIMES and isinstance(value, float | str):
        return "TIME"
    if isinstance(value, str):
        value = value.replace("\r\n", "\n")  # ansible-runner has a terminal
    line = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return UUID.sub(lambda found: ids.setdefault(found[0], f"uuid-{len(ids) + 1}"), line)
