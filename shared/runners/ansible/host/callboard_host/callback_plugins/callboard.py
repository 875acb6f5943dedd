"""The stdout callback of every job: the callback that the job asked for, with ansible-runner's events."""

from __future__ import annotations

from ansible_runner.display_callback.callback import awx_display

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

events.attach(awx_display)


class CallbackModule(awx_display.CallbackModule):  # type: ignore[misc]
    """Ansible finds a callback plugin by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "callboard"
