"""Makes what the checks of clients consist of, below ``target``: each once, and anew when its pins change."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
import python_dev
from emulator_files import Unavailable as Unavailable
from emulator_files import once, program
from processes import Processes as Processes

CLIENTS = Path(__file__).resolve().parent
ROOT = CLIENTS.parents[1]
PACKAGE = ROOT / "clients/typescript"
DOCUMENT = ROOT / "infra/openapi.json"


class Failed(Exception):
    """What was checked is not as it should be; the text says what."""


class Tools:
    """The programs of the checks, in a virtual environment and in a folder of npm's."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.python = self.make_python()
        self.node = self.make_node()

    def make_python(self) -> Path:
        """Returns the folder of programs of a virtual environment with the packages of requirements.txt."""
        requirements = CLIENTS / "requirements.txt"

        def make(folder: Path) -> None:
            self.processes.run([python_dev.newest_python(), "-m", "venv", str(folder)])
            install = ["install", "--quiet", "--no-deps", "--requirement", str(requirements)]
            self.processes.run([str(folder / "bin/python"), "-m", "pip", *install])

        return once("clients-python", requirements.read_text(), make) / "bin"

    def make_node(self) -> Path:
        """Returns a folder with the packages of package.json."""
        npm = self.npm()
        package = CLIENTS / "package.json"

        def make(folder: Path) -> None:
            folder.mkdir()
            shutil.copy(package, folder)
            self.processes.run([npm, "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund"], cwd=folder)

        return once("clients-node", package.read_text(), make)

    def copy_package(self, folder: Path) -> Path:
        """Returns a copy of the TypeScript package, with the packages that its lock file names."""
        npm, files = self.npm(), ("package.json", "package-lock.json", ".npmrc")

        def make(made: Path) -> None:
            made.mkdir()
            for name in files:
                shutil.copy(PACKAGE / name, made)
            self.processes.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=made)

        pin = "\n".join((PACKAGE / name).read_text() for name in files)
        modules = once("clients-package", pin, make) / "node_modules"
        copy = folder / "typescript"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "snippets"))
        (copy / "node_modules").symlink_to(modules)
        return copy

    def npm(self) -> str:
        """Returns the path of npm."""
        return program("npm", "to make clients in TypeScript; it comes with Node.js")

    def run(self, command: Sequence[str | Path], folder: Path, variables: Mapping[str, str] | None = None) -> str:
        """Runs a command in a folder, which finds the programs of the environment; returns what it prints."""
        path = f"{self.python}{os.pathsep}{os.environ['PATH']}"
        process = self.processes.start(
            [str(word) for word in command],
            cwd=folder,
            env={**os.environ, "PATH": path, **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output, _ = process.communicate()
        if process.returncode:
            raise Failed(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{output}")
        return output
