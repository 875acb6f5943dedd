"""Hosts for the tests, and folders that hold a job's files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client import Host

LOCAL = ("-i", "localhost,", "-c", "local")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """One host for all tests that leave it as it was."""
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    assert host.close() == 0


@pytest.fixture
def own_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that the test may mistreat."""
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    host.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A job's folder with a short name: from 2.20 on, Ansible keeps a socket in TMPDIR (108 bytes at most)."""
    with tempfile.TemporaryDirectory(prefix="job-") as name:
        yield Path(name)


def play(*tasks: str, hosts: str = "all", extra: str = "") -> str:
    """Returns a playbook of one play whose tasks are one line of YAML each."""
    lines = "".join(f"    - {task}\n" for task in tasks)
    return f"- hosts: {hosts}\n  gather_facts: false\n{extra}  tasks:\n{lines}"


def write(folder: Path, files: dict[str, str]) -> None:
    """Writes files, with the folders they are in."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
