"""This machine, by a connection that tells the hash of the password that it was given."""

import hashlib

from ansible.plugins.connection.local import Connection as Local
from ansible.utils.display import Display

DOCUMENTATION = """
    name: hashed
    short_description: tells the hash of the password
    description: Tells the hash of the password.
    author: Callboard
    options:
      password:
        description: the password
        vars: [{name: ansible_password}]
      pipelining: {description: how, type: boolean, default: false}
"""


class Connection(Local):
    transport = "hashed"

    def _connect(self):
        secret = self.get_option("password") or ""
        Display().display(f"connection {hashlib.sha256(secret.encode()).hexdigest()}")
        return super()._connect()
