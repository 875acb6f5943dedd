"""Which home ``~`` stands for, in a job that has one of its own.

- In a setting (``ansible.cfg``, ``ANSIBLE_*``, a connection variable of an inventory): that of the service's user.
- In what Ansible itself reads: the job's own, or that of the service's user where only he has such a file.
- In what Ansible itself writes for a task, and for all that runs on this machine (modules, programs): the job's own,
  which is in ``HOME``. Ansible would take the one that the user database names.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any

from ansible.config import manager as config_manager
from ansible.plugins.action import ActionBase
from ansible.plugins.action import fetch as fetch_action
from ansible.plugins.cache import BaseFileCacheModule
from ansible.plugins.lookup import password as password_lookup

_own: Callable[[Any], Any] = os.path.expanduser
_users = ""
_only_own = False


def install() -> None:
    """Has local actions, and what writes files for a task, take the job's own home."""
    expand = ActionBase._remote_expand_user

    def expand_user(self: Any, path: str, sudoable: bool = True, pathsep: Any = None) -> Any:
        connection = self._connection
        becomes = sudoable and connection.become and self.get_become_option("become_user")
        if connection.transport == "local" and not becomes and (path == "~" or path.startswith("~/")):
            return _own(path)
        return expand(self, path, sudoable, pathsep)

    ActionBase._remote_expand_user = expand_user
    fetch_action.ActionModule.run = _writing(fetch_action.ActionModule.run)
    password_lookup.LookupModule.run = _writing(password_lookup.LookupModule.run)


def share(users: str | None) -> None:
    """Lets this job read what is in its user's home; nothing to do for one that has no home of its own."""
    global _users
    if not users:
        return
    _users = users
    os.path.expanduser = _expand
    manager: Any = config_manager
    manager.resolve_path = _setting(manager.resolve_path)
    BaseFileCacheModule._get_cache_connection = _setting(BaseFileCacheModule._get_cache_connection)


def _expand(path: Any) -> Any:
    own = _own(path)
    text = os.fsdecode(path)
    if _only_own or not text.startswith("~/") or os.path.lexists(own):
        return own
    users = os.path.join(_users, text[2:])
    if not os.path.exists(users):
        return own
    return os.fsencode(users) if isinstance(path, bytes) else users


def _setting(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def read(*args: Any, **kwargs: Any) -> Any:
        with _home(_users):
            return method(*args, **kwargs)

    return read


def _writing(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def write(*args: Any, **kwargs: Any) -> Any:
        global _only_own
        before, _only_own = _only_own, True
        try:
            return method(*args, **kwargs)
        finally:
            _only_own = before

    return write


@contextlib.contextmanager
def _home(home: str) -> Iterator[None]:
    global _only_own
    own, before = os.environ.get("HOME", ""), _only_own
    os.environ["HOME"], _only_own = home, True
    try:
        yield
    finally:
        os.environ["HOME"], _only_own = own, before
