"""The collections that the Galaxy server has, built by ``ansible-galaxy collection build``."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from programs import program, run

NAMESPACE = "callboard_test"
GREET = """- name: Greet
  ansible.builtin.debug:
    msg: "{{{{ greeting }}}} from base {version}"
"""
SITE = """- name: Have the other collection greet
  ansible.builtin.include_role:
    name: callboard_test.base.greet
- name: Tell the version
  ansible.builtin.debug:
    msg: "site of web {version}"
"""


@dataclass(frozen=True)
class Source:
    """A version of a collection that has one role."""

    name: str
    version: str
    role: str
    tasks: str
    defaults: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Writes the files; JSON is YAML too."""
        about = {
            "namespace": NAMESPACE,
            "name": self.name,
            "version": self.version,
            "readme": "README.md",
            "authors": ["Callboard's tests"],
            "dependencies": self.dependencies,
        }
        role = folder / "roles" / self.role
        files = {
            folder / "galaxy.yml": json.dumps(about),
            folder / "README.md": f"# {self.name} {self.version}\n",
            folder / "meta/runtime.yml": json.dumps({"requires_ansible": ">=2.15.0"}),
            role / "tasks/main.yml": self.tasks.format(version=self.version),
            role / "defaults/main.yml": json.dumps(self.defaults),
        }
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


SOURCES = (
    *(Source("base", version, "greet", GREET, {"greeting": "Hello"}) for version in ("1.0.0", "1.1.0", "2.0.0")),
    Source("web", "1.2.0", "site", SITE, dependencies={f"{NAMESPACE}.base": ">=1.0.0,<2.0.0"}),
)


@dataclass(frozen=True)
class Artifact:
    """A version of a collection, ready to be downloaded."""

    path: Path
    info: Mapping[str, Any]
    sha256: str


def build(ansible_galaxy: str, folder: Path) -> list[Artifact]:
    """Builds all of them, in one go; older versions come first."""
    galaxy = program(ansible_galaxy, "to build collections (`make test` installs it below target)")
    sources, built, home = folder / "sources", folder / "built", folder / "home"
    folders = [sources / f"{source.name}-{source.version}" for source in SOURCES]
    for source, place in zip(SOURCES, folders, strict=True):
        source.write(place)
    configuration = folder / "ansible.cfg"
    configuration.touch()
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home / ".ansible"),
        "ANSIBLE_CONFIG": str(configuration),
    }
    run([galaxy, "collection", "build", "--output-path", str(built), *map(str, folders)], environment)
    return [read(built / f"{NAMESPACE}-{source.name}-{source.version}.tar.gz") for source in SOURCES]


def read(path: Path) -> Artifact:
    """Reads what a built collection says of itself."""
    with tarfile.open(path) as archive:
        manifest = archive.extractfile("MANIFEST.json")
        info = json.load(manifest)["collection_info"] if manifest else {}
    return Artifact(path, info, hashlib.sha256(path.read_bytes()).hexdigest())
