"""What failed: told once for each failure that nothing made good, with all that a person needs who asks why.

An event holds the result of a task as ansible-runner cuts it; here the whole result is looked at, and where in its
playbook the task stands.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils._internal._event_utils import format_event_brief_message
from ansible.playbook.block import Block

from callboard_host import events

MAX_MESSAGE = 4000
MAX_LINE = 500
MAX_TAIL_BYTES = 2048
MAX_NAME = 200
MAX_CAUSES = 10_000
_CAUSE = ("task", "path", "message", "rc", "stderr", "stdout")
_UNKNOWN = "Unknown error"
# what ssh says at the end of any connection
_NOISE = re.compile(r"Shared connection to \S+ closed\.?")
# what the C library says where a disk, or a share of one, is full, and how much room there is then at the most
_FULL = ("No space left on device", "Disk quota exceeded")
_ROOM_BYTES = 1 << 16

Told = dict[str, Any]


class Failures:
    """The failures of one run of playbooks."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._rescued: dict[str, int] = {}
        # what a rescue block is making good, by host and block
        self._causes: dict[tuple[str, str], Told] = {}
        # the first item of a loop that failed, by host and task: the task's own result does not tell which it was
        self._items: dict[tuple[str, str], Told] = {}

    def item_failed(self, result: Any) -> None:
        """Notes an item of a loop that failed."""
        self._items.setdefault(_key(result), {"item": _label(result._result), **_explain(result)})

    def passed(self, result: Any) -> None:
        """Forgets the items of a loop that came to a good end all the same."""
        if self._items:
            self._items.pop(_key(result), None)

    def failed(self, result: Any, ignored: bool, play: str | None) -> bool:
        """Tells of a task that failed, unless that is ignored or rescued; returns whether a rescue block handles it."""
        host = result._host.get_name()
        rescued = self._was_rescued(host)
        failure = self._describe(result, play)
        if ignored:
            return False
        for block, section in _blocks(result._task):
            if section == "rescue" and "cause" not in failure and (known := self._causes.get((host, block))):
                # of rescues within rescues, what it all began with
                failure["cause"] = known.get("cause") or {name: known.get(name) for name in _CAUSE}
            if rescued and section == "block":
                if len(self._causes) < MAX_CAUSES:
                    self._causes[host, block] = failure
                break
        if not rescued:
            full = is_disk_full(failure["message"])
            events.tell("failure", kind="failed", disk_full=full, **failure)
        return rescued

    def unreachable(self, result: Any, play: str | None) -> bool:
        """Tells of a host that could not be reached, unless that is ignored; returns whether it is."""
        failure = self._describe(result, play)
        ignored = result._host.get_name() not in self._manager._unreachable_hosts
        if not ignored:
            events.tell("failure", kind="unreachable", **failure)
        return ignored

    def _describe(self, result: Any, play: str | None) -> Told:
        return {
            "host": result._host.get_name(),
            "delegated_to": _delegate(result),
            "play": short(play or "", MAX_NAME) or None,
            **_place(result._task),
            **(self._items.pop(_key(result), {}) or _explain(result)),
        }

    def _was_rescued(self, host: str) -> bool:
        """Ansible counts a failure before it tells of it, as rescued or not."""
        count = self._manager._stats.rescued.get(host, 0)
        known, self._rescued[host] = self._rescued.get(host, 0), count
        return bool(count > known)


def tell_dead_worker(host: Any, task: Any, exit_code: int) -> None:
    """Tells of a process of Ansible's own that died while it ran a task."""
    events.tell("worker_died", exit_code=exit_code, host=host.get_name(), **_place(task))


def is_disk_full(message: str) -> bool:
    """Tells whether a message says that there was no room, and the job's own folder for temporary files has none."""
    if not any(word in message for word in _FULL):
        return False
    folder = tempfile.gettempdir()
    room = os.statvfs(folder)
    return os.path.dirname(folder) in message or room.f_bavail * room.f_frsize < _ROOM_BYTES or not room.f_favail


def _key(result: Any) -> tuple[str, str]:
    return result._host.get_name(), str(result._task._uuid)


def _place(task: Any) -> Told:
    return {
        "task": short(task.get_name(), MAX_NAME),
        "action": str(vars(task).get("_resolved_action") or task.action),
        "path": task.get_path() or None,
    }


def _delegate(result: Any) -> str | None:
    """Names the host that a task was delegated to; a host that was not reached leaves no variables."""
    told = (result._result.get("_ansible_delegated_vars") or {}).get("ansible_delegated_host")
    named = told or result._task.delegate_to
    return short(named, MAX_NAME) if isinstance(named, str) and "{{" not in named else None


def _blocks(task: Any) -> Iterator[tuple[str, str]]:
    """Yields the blocks around a task that have a rescue, innermost first, and in which of their sections it is."""
    child, parent = task, task._parent
    while parent is not None:
        if isinstance(parent, Block) and parent.rescue:
            for section in ("block", "rescue"):
                if any(entry._uuid == child._uuid for entry in getattr(parent, section)):
                    yield str(parent._uuid), section
        child, parent = parent, parent._parent


def _explain(result: Any) -> Told:
    return explain(result._result, _reason(result))


def _reason(result: Any) -> str:
    """Returns what Ansible displays of a failure, which says more than its result where an error lies under it."""
    return format_event_brief_message(result.exception.event) if result.exception else ""


def explain(result: Mapping[str, Any], reason: str = "") -> Told:
    """Says what is wrong, from a result and what Ansible displays: message, exit code, the end of standard error."""
    if "censored" in result:
        return {"message": str(result["censored"])}
    # where facts are gathered, the module that failed first
    inner: Mapping[str, Any] = next(iter((result.get("failed_modules") or {}).values()), {})
    code = result.get("rc", inner.get("rc"))
    code = code if isinstance(code, int) and not isinstance(code, bool) and code else None
    texts = (source.get(name) for source in (result, inner) for name in ("stderr", "module_stderr"))
    text, stderr = next(((text, line) for text in texts if (line := _last_line(text))), (None, None))
    return {
        "message": _cut(_with_reason(_message(result), reason)),
        "rc": code,
        "stderr": stderr,
        "stderr_tail": _tail(text) if text else None,
        # what a command says there that says nothing where errors belong
        "stdout": _last_line(result.get("stdout")) if code and not stderr else None,
    }


def _label(result: Mapping[str, Any]) -> str | None:
    """Names an item of a loop as Ansible does, unless that is not to be told."""
    label = result.get("_ansible_item_label", result.get(result.get("ansible_loop_var", "item")))
    return None if label is None or "censored" in result else short(_text(label), MAX_NAME)


def _message(result: Mapping[str, Any]) -> str:
    message = _text(result.get("msg", ""))
    if not message:
        found = (result.get(name) for name in ("reason", "exception", "stderr", "module_stderr", "stdout"))
        message = next((line for text in found if (line := _last_line(text))), "")
    if message == "Assertion failed" and "assertion" in result:
        message = f"{message}: {_text(result['assertion'])}"
    for name, failed in (result.get("failed_modules") or {}).items():
        told = explain(failed)["message"]
        message = f"{message.rstrip('.')}: {told if message.rstrip('.').endswith(name) else f'{name}: {told}'}"
    if _UNKNOWN in message and "message" in result:  # where ansible.builtin.include_vars says it
        return _text(result["message"])
    return message


def _with_reason(message: str, reason: str) -> str:
    """Goes on with the reason where it begins with the message; takes it instead of a message that says nothing."""
    _, found, rest = reason.partition(message.rstrip(".")) if message else ("", "", "")
    if found:
        return found + rest
    return reason if _UNKNOWN in message and reason else message


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if not _NOISE.fullmatch(line.strip())]


def _last_line(text: Any) -> str | None:
    lines = [line for line in map(str.strip, _lines(text)) if line] if isinstance(text, str) else []
    return short(lines[-1], MAX_LINE) if lines else None


def _tail(text: str) -> str | None:
    """Returns the last lines of a text, whole ones only: half of a secret would not be known for one."""
    end = "\n".join(_lines(text.rstrip())).encode(errors="replace")
    if len(end) > MAX_TAIL_BYTES:
        end = end[-MAX_TAIL_BYTES - 1 :].partition(b"\n")[2]
    return end.decode() or None


def _cut(text: str) -> str:
    """Leaves the middle out of a text that is too long: its beginning says what, its end why."""
    text = text.strip()
    if len(text) <= MAX_MESSAGE:
        return text
    half = MAX_MESSAGE // 2
    return f"{text[:half]} [...] {text[-half:]}"


def short(text: str, most: int) -> str:
    """Cuts off the end of a text that is too long."""
    return text if len(text) <= most else f"{text[:most]}…"
