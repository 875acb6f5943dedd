"""Keeps what a ``no_log`` task executes, and what its error says, out of the output.

Ansible hides such a task's arguments and results, but prints its error, and at ``-vvv`` the command line that carries
the arguments.
"""

from __future__ import annotations

import functools
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase
from ansible.utils.display import Display

_MOST = 2  # command lines are printed from -vvv on


def install() -> None:
    """Has tasks that are not to be logged execute at ``-vv`` at the most, and end without their error's text."""
    _hide_command_lines()
    _hide_errors()


def _hide_command_lines() -> None:
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


def _hide_errors() -> None:
    handle = CallbackBase._handle_exception

    @functools.wraps(handle)
    def handle_unseen(self: Any, result: Any, *args: Any, **kwargs: Any) -> None:
        # Ansible censors the result of a no_log task and then prints the error, whose text is the task's own
        if "censored" in result:
            result.pop("exception", None)
        handle(self, result, *args, **kwargs)

    CallbackBase._handle_exception = handle_unseen
