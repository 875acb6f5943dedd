"""ansible-runner's callback module, imported without what its import does to Ansible."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from ansible.plugins import loader as plugin_loader
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display


class _Forward:
    """The class that ansible-runner's callback extends here: every method goes on to the job's own callback."""

    def __init__(self) -> None:
        self.proceed: Callable[[], Any] = lambda: None


def _forward(self: Any, *_args: Any, **_kwargs: Any) -> None:
    self.proceed()


for _name in dir(CallbackBase):
    if _name.startswith("v2_"):
        setattr(_Forward, _name, _forward)


@contextlib.contextmanager
def _untouched_display() -> Iterator[None]:
    """Undoes the wrapping of Ansible's display, which hides from Ansible which plugin it is that warns."""
    own = dict(vars(Display))
    yield
    for name in [name for name, value in vars(Display).items() if own.get(name) is not value]:
        setattr(Display, name, own[name])


def _import() -> Any:
    loader: Any = plugin_loader.callback_loader
    loader.get = lambda *_args, **_kwargs: _Forward
    try:
        with _untouched_display():
            from ansible_runner.display_callback.callback import awx_display
    finally:
        del loader.get
    return awx_display


awx_display = _import()
context = awx_display.event_context
CallbackModule: Any = awx_display.CallbackModule
