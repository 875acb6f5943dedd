"""Makes the environment in which the Python half is tested: the pinned Ansible and the pinned tools."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANSIBLE = ROOT / "shared/runners/ansible"
REQUIREMENTS = (ANSIBLE / "requirements.txt", ANSIBLE / "host/requirements-dev.txt")


def make(folder: Path) -> Path:
    """Makes the environment unless it is there with these very pins; returns its interpreter."""
    python = folder / "bin/python"
    ready = folder / "ready"
    pins = "".join(path.read_text() for path in REQUIREMENTS)
    if ready.is_file() and ready.read_text() == pins and python.exists():
        return python
    subprocess.run([newest_python(), "-m", "venv", "--clear", str(folder)], check=True)
    arguments = [argument for path in REQUIREMENTS for argument in ("-r", str(path))]
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *arguments], check=True)
    ready.write_text(pins)
    return python


def newest_python() -> str:
    """Returns the newest Python that works and that the program would choose as well, else this one."""
    pyenv = sorted((Path.home() / ".pyenv/versions").glob("3.1[23].*/bin/python"), reverse=True)
    for candidate in ("python3.13", "python3.12", *map(str, pyenv)):
        try:
            subprocess.run([candidate, "-c", "import ensurepip, venv"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return sys.executable


if __name__ == "__main__":
    make(Path(sys.argv[1]).resolve())
