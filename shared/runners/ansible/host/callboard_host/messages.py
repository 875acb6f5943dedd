"""Events of what Ansible displays outside its callbacks: warnings, errors, what ``-v`` adds.

Warnings are also told, wherever they are displayed.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from ansible.utils.display import Display
from ansible.utils.multiprocessing import context as multiprocessing_context

from callboard_host import events, failures
from callboard_host.awx import context

# what ansible-runner notes of a message, by the method that Ansible displays it with
_KINDS = ("banner", "debug", "deprecated", "error", "error_as_warning", "system_warning", "warning")
MAX_TOLD_CHARS = 1000
_active = False


def install() -> None:
    """Has what is displayed become events, once the job's callbacks are loaded."""
    for name in _KINDS:
        setattr(Display, name, _noting(name, getattr(Display, name)))
    Display.verbose = _noting_verbosity(Display.verbose)
    Display.display = _recording(Display.display)
    Display._deduplicate = _telling(Display._deduplicate)


def activate() -> None:
    """Begins: what is displayed before, ansible-runner does not see either."""
    global _active
    _active = True


def renew() -> None:
    """Takes the lock of a display that was made anew."""
    context.display_lock = Display()._lock


def _noting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def noting(*args: Any, **kwargs: Any) -> Any:
        _skip_stackwalk = True  # Ansible finds the plugin that warns by looking at who calls
        with context.set_local(**{name: True}):
            return method(*args, **kwargs)

    return noting


def _noting_verbosity(verbose: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verbose)
    def noting(self: Any, msg: str, host: str | None = None, caplevel: int = 2) -> Any:
        address = {} if host is None else {"remote_addr": host}
        with context.set_local(verbose=True, verbosity=caplevel + 1, **address):
            return verbose(self, msg, host=host, caplevel=caplevel)

    return noting


def _recording(display: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(display)
    def recording(self: Any, msg: str, *args: Any, **kwargs: Any) -> Any:
        log_only = kwargs.get("log_only") or (len(args) > 3 and args[3])
        forked = multiprocessing_context.parent_process() is not None
        if not _active or forked or log_only or context.get().get("uuid"):
            return display(self, msg, *args, **kwargs)
        with context.display_lock, context.set_local(uuid=str(uuid.uuid4())):
            context.dump_begin(None)
            try:
                return display(self, msg, *args, **kwargs)
            finally:
                context.dump_end(None)

    return recording


def _telling(deduplicate: Callable[..., Any]) -> Callable[..., Any]:
    """Tells of each warning that Ansible displays: it asks here whether it has displayed the same one before."""

    @functools.wraps(deduplicate)
    def telling(self: Any, msg: str, messages: set[str]) -> Any:
        known = deduplicate(msg, messages)
        for kind, displayed in (("warning", self._warns), ("deprecation", self._deprecations)):
            if messages is displayed and not known and events.is_open():
                text = msg.partition("]: ")[2].strip()
                events.tell(kind, message=failures.short(text, MAX_TOLD_CHARS))
        return known

    return telling
