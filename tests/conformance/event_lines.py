"""Makes the events of two runs comparable: one line for each field, with ids by their first appearance."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from normal import normal

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
TIMES = {"created", "start", "end", "duration"}
OTHERS = {"pid": "PID", "runner_ident": "IDENT"}
OWN_WARNING = "A plugin is sampling the task's resolved_action when it is not resolved."
OWN = ("counter", "event", "uuid", "parent_uuid", "start_line", "end_line", "stdout")


def read(path: Path) -> list[str]:
    """Reads a file of events as lines."""
    if not path.exists():
        return []
    ids = dict[str, str]()
    events = map(json.loads, filter(None, path.read_text().split("\n")))
    return [line for event in without_own_warnings(events) for line in told(event, ids)]


def without_own_warnings(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Leaves out the warnings that ansible-runner itself causes, and counts events and lines as if they were not."""
    count = lines = 0
    for event in events:
        if OWN_WARNING in event["stdout"]:
            count, lines = count + 1, lines + event["end_line"] - event["start_line"]
            continue
        event["counter"] -= count
        event["start_line"] -= lines
        event["end_line"] -= lines
        yield event


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
