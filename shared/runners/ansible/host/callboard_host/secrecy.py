"""Keeps what a ``no_log`` task executes out of the output that ``-vvv`` adds.

Ansible hides such a task's arguments and results, but prints the command line that carries them.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

_MOST = 2  # command lines are printed from -vvv on


def install() -> None:
    """Has tasks that are not to be logged execute at ``-vv`` at the most."""
    execute = ActionBase._low_level_execute_command

    @functools.wraps(execute)
    def execute_unseen(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._task.no_log:
            return execute(self, *args, **kwargs)
        display = Display()
        verbosity = display.verbosity
        display.verbosity = min(verbosity, _MOST)
        try:
            return execute(self, *args, **kwargs)
        finally:
            display.verbosity = verbosity

    ActionBase._low_level_execute_command = execute_unseen
