"""The stdout callback of every job: the callback that the job asked for, with ansible-runner's events."""

from __future__ import annotations

import os
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.plugins.loader import callback_loader

from callboard_host import events

DOCUMENTATION = """
    name: callboard
    type: stdout
    short_description: ansible-runner's events, through a pipe
    version_added: "1.0"
    description: Wraps the stdout callback of the job and reports events as ansible-runner does.
    extends_documentation_fragment:
      - default_callback
"""

_wrapped = os.environ["ORIGINAL_STDOUT_CALLBACK"]
_plugin = callback_loader.get(_wrapped, class_only=True)
if not _plugin:
    raise AnsibleError(f"Could not load {_wrapped!r} callback plugin.")
if not C.config.has_configuration_definition("callback", _plugin._load_name):
    C.config.initialize_plugin_configuration_definitions("callback", _plugin._load_name, {})

from ansible_runner.display_callback.callback import awx_display  # noqa: E402  (it reads the variable, so it waits)

del os.environ["ORIGINAL_STDOUT_CALLBACK"]
events.attach(awx_display)


class CallbackModule(awx_display.CallbackModule):  # type: ignore[misc]
    """Ansible finds a callback plugin by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = getattr(_plugin, "CALLBACK_NAME", _wrapped)

    def _handle_exception(self, result: Any, *args: Any, **kwargs: Any) -> None:
        # Ansible censors the result of a no_log task and then prints the error, whose text is the task's own
        if "censored" in result:
            result.pop("exception", None)
        super()._handle_exception(result, *args, **kwargs)
