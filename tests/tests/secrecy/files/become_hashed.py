"""Becomes nobody else, and tells the hash of the password that it was given."""

import hashlib

from ansible.plugins.become import BecomeBase
from ansible.utils.display import Display

DOCUMENTATION = """
    name: hashed
    short_description: tells the hash of the password
    description: Tells the hash of the password.
    author: Callboard
    options:
      become_user: {description: who, default: root}
      become_exe: {description: what}
      become_flags: {description: how}
      become_pass:
        description: the password
        vars: [{name: ansible_become_password}, {name: ansible_become_pass}]
"""


class BecomeModule(BecomeBase):
    name = "hashed"

    def build_become_command(self, cmd, shell):
        secret = self.get_option("become_pass") or ""
        Display().display(f"become {hashlib.sha256(secret.encode()).hexdigest()}")
        return cmd
