"""``ansible-galaxy`` asks no servers but those that are listed, and uses no program but git."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOST = Path(__file__).resolve().parent.parent
# Nothing listens there.
LISTED = "http://127.0.0.1:1/listed/"
OTHER = "http://127.0.0.1:1/other/"


def install(folder: Path, requirements: str, configuration: str = "", **variables: str) -> tuple[int, str]:
    """Runs it on requirements; returns its exit code and what it says."""
    (folder / "requirements.yml").write_text(requirements)
    (folder / "ansible.cfg").write_text(configuration)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(HOST),
        "CALLBOARD_GALAXY_SERVERS": json.dumps([LISTED]),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_ROLES_PATH": str(folder / "roles"),
        **variables,
    }
    command = [sys.executable, "-P", "-m", "callboard_host.galaxy", "install", "-r", "requirements.yml"]
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stderr


@pytest.mark.parametrize(
    ("requirements", "configuration"),
    [
        ("collections: [a.b]\n", f"[galaxy]\nserver = {OTHER}\n"),
        ("collections: [a.b]\n", f"[galaxy]\nserver_list = x\n[galaxy_server.x]\nurl = {OTHER}\n"),
        ("roles: [a.b]\n", f"[galaxy]\nserver = {OTHER}\n"),
        (f"collections: [{{name: a.b, source: '{OTHER}'}}]\n", ""),
        (f"collections: [{{name: a.b, source: '{OTHER}', version: '1.0.0'}}]\n", f"[galaxy]\nserver = {LISTED}\n"),
    ],
)
def test_a_server_that_is_not_listed_is_named_and_not_asked(
    tmp_path: Path, requirements: str, configuration: str
) -> None:
    code, said = install(tmp_path, requirements, configuration)
    assert code == 1
    assert said.splitlines()[-1] == f"callboard: refused server {OTHER}"


@pytest.mark.parametrize("configuration", ["", f"[galaxy]\nserver = {LISTED.rstrip('/')}\n"])
def test_where_none_is_named_or_a_listed_one_that_is_asked(tmp_path: Path, configuration: str) -> None:
    code, said = install(tmp_path, "collections: [a.b]\n", configuration)
    assert code != 0
    assert "refused server" not in said
    assert LISTED.rstrip("/") in said


def test_a_repository_of_mercurial_is_not_had(tmp_path: Path) -> None:
    code, said = install(tmp_path, "roles: [{src: 'https://127.0.0.1:1/x', scm: hg, name: x}]\n")
    assert code == 1
    assert "Could not find/use 'hg'" in said
