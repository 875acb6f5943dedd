"""The program that ssh asks for a password, for jobs whose shared memory is a file.

Ansible leaves the password in shared memory and names the ``ansible`` beside ``sys.argv[0]`` as SSH_ASKPASS.
The ``ansible`` that is installed knows nothing of our replacement, so every job gets one that does.
"""

from __future__ import annotations

import os
import shlex
import sys

from ansible import constants as C

_PROGRAM = """\
#!/bin/sh
exec {python} -P -c 'import sys
sys.path.insert(0, sys.argv.pop(1))
sys.argv[0] = "ansible"
from callboard_host import semaphores
semaphores.install()
import ansible.cli' {package} "$@"
"""


def argv0() -> str:
    """Writes the program into the job's own temporary folder; returns the ``ansible-playbook`` it is beside."""
    package = os.path.dirname(os.path.dirname(__file__))
    path = os.path.join(C.DEFAULT_LOCAL_TMP, "ansible")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w") as file:
        file.write(_PROGRAM.format(python=shlex.quote(sys.executable), package=shlex.quote(package)))
    return os.path.join(C.DEFAULT_LOCAL_TMP, "ansible-playbook")
