"""Writes each secret past Ansible to the playbook's own output: in two halves with a pause between, within one long line."""

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: halves
    type: aggregate
    short_description: writes secrets in halves
    description: Writes secrets in halves.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "halves"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_play_start(self, play):
        with open(play.get_variable_manager().extra_vars["secrets_file"]) as file:
            secrets = json.load(file)
        os.write(1, b"x" * 100_000)
        for secret in secrets.values():
            text = secret.encode()
            os.write(1, text[: len(text) // 2])
            time.sleep(0.05)
            os.write(1, text[len(text) // 2 :] + b"-")
        os.write(1, b"end of the long line\n")
