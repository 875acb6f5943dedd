"""Runs ``ansible-playbook`` under ansible-runner and keeps its events, one JSON object a line.

Runs in the Ansible environment: ``reference.py ANSIBLE-PLAYBOOK EVENTS ARGUMENTS...``.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

import ansible_runner  # type: ignore[import-untyped]


def main(program: str, events: str, arguments: list[str]) -> int:
    """Returns the playbook's exit code."""
    with tempfile.TemporaryDirectory(prefix="ansible-runner-") as folder:
        Path(folder, "args").write_text(shlex.join([program, *arguments]))
        runner = ansible_runner.run(
            private_data_dir=folder,
            project_dir=os.getcwd(),
            # its terminal would bring colours, and its cache would be a setting of its own
            envvars={"ANSIBLE_NOCOLOR": "1"},
            fact_cache_type="",
            suppress_env_files=True,
        )
        with Path(events).open("w") as file:
            file.writelines(json.dumps(event) + "\n" for event in runner.events)
        return int(runner.rc)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
