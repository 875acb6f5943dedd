"""ansible-core's source package, which has its integration tests. It is fetched from PyPI once and never committed."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from programs import Programs

PARTS = ("test/integration/targets/", "test/support/integration/", "lib/ansible/modules/", "hacking/")


def fetch(programs: Programs, folder: Path) -> Path:
    """Returns the unpacked source of the Ansible that Callboard has; fetches it where it is not there yet."""
    source = folder / f"ansible-core-{programs.version}"
    if not source.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        unpack(download(programs, partial), partial)
        next(partial.glob("ansible_core-*/")).rename(source)
        shutil.rmtree(partial)
    return source


def download(programs: Programs, folder: Path) -> Path:
    """Has pip fetch the package; returns its file."""
    pip = [str(programs.python), "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    what = ["--no-deps", "--no-binary", ":all:", f"ansible-core=={programs.version}"]
    subprocess.run([*pip, *what, "--dest", str(folder)], check=True)
    return next(folder.glob("*.tar.gz"))


def unpack(package: Path, folder: Path) -> None:
    """Unpacks the parts that targets need."""
    with tarfile.open(package) as archive:
        wanted = [member for member in archive if member.name.partition("/")[2].startswith(PARTS)]
        archive.extractall(folder, wanted, filter="tar")
