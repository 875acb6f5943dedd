"""Keeps what runs on this machine below the job's own home.

Ansible expands ``~`` for a local connection to the home that the user database names, and would keep its temporary
files, and those of asynchronous tasks, there. A job's home is the one in its environment.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.plugins.action import ActionBase


def install() -> None:
    """Has actions on a local connection expand ``~`` as every other program does: from ``HOME``."""
    expand = ActionBase._remote_expand_user

    def expand_user(self: Any, path: str, sudoable: bool = True, pathsep: Any = None) -> Any:
        connection = self._connection
        becomes = sudoable and connection.become and self.get_become_option("become_user")
        if connection.transport == "local" and not becomes and (path == "~" or path.startswith("~/")):
            return os.path.expanduser(path)
        return expand(self, path, sudoable, pathsep)

    ActionBase._remote_expand_user = expand_user
