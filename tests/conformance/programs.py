"""The programs that are compared: Callboard, and the ``ansible-playbook`` of Callboard's own Ansible environment."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
ASK = "[{hosts: localhost, gather_facts: false, tasks: [copy: {dest: '%s', content: '{{ ansible_playbook_python }}'}]}]"
VERSIONS = "import platform, ansible.release as r; print(r.__version__, *platform.python_version_tuple()[:2])"


@dataclass(frozen=True)
class Programs:
    """Where the programs are, and what ``callboard run`` understands."""

    callboard: list[str]
    data: Path
    ansible: Path
    version: str
    python_version: str
    known: list[str]
    several: bool

    @property
    def python(self) -> Path:
        """Returns the interpreter of the Ansible environment."""
        return self.ansible / "python"


def find(data: Path) -> Programs:
    """Has Callboard make its Ansible environment, and asks where that is."""
    program = str(TARGET / "debug/callboard")
    python = os.environ.get("CALLBOARD_PYTHON")
    callboard = [program, "run", f"--data={data}", f"--cache={cache()}", *([f"--python={python}"] if python else [])]
    ansible = ask(callboard)
    text = output([program, "run", "--help"])
    version, *python_version = output([str(ansible / "python"), "-c", VERSIONS]).split()
    return Programs(
        callboard=callboard,
        data=data,
        ansible=ansible,
        version=version,
        python_version=".".join(python_version),
        known=sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))),
        several=bool(re.search(r"[\[<]PLAYBOOKS?[\]>]\.\.\.", text)),
    )


def cache() -> Path:
    """Returns the folder of the Ansible environment; a run has a home of its own, so it is told."""
    return Path(os.environ.get("CALLBOARD_CACHE") or Path.home() / ".cache/callboard")


def ask(callboard: list[str]) -> Path:
    """Returns the folder of the programs of the Ansible environment."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer"
        playbook = Path(folder) / "ask.yml"
        playbook.write_text(ASK % answer)
        subprocess.run([*callboard, str(playbook)], check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)
        return Path(answer.read_text()).parent


def output(command: list[str]) -> str:
    """Returns what a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
