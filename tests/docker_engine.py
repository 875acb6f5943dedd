"""Starts a Docker engine for the tests of containers where none answers, and gives it the image that they run."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

from emulator_files import FOLDER, Unavailable, program, say
from processes import Processes

START_LIMIT = 60
USUAL = "unix:///var/run/docker.sock"
IMAGE = "callboard-test/tool"
# each image by its tag, with what it declares
IMAGES: dict[str, Sequence[str]] = {"1": (), "volume": ("VOLUME /data", "USER 0:0", 'ENTRYPOINT ["/bin/sh", "-c"]')}


def engine(processes: Processes, scratch: Path) -> dict[str, str]:
    """Returns the variable that leads to an engine. Without one, it is empty, and the tests of containers fail."""
    try:
        client = program("docker", "for the tests of containers (on Debian and Ubuntu: apt install docker.io)")
        given = os.environ.get("CALLBOARD_TEST_DOCKER") or os.environ.get("DOCKER_HOST") or USUAL
        usable = given.startswith("unix://") and answers(client, given)
        address = given if usable else started(client, processes, scratch)
        for tag, changes in IMAGES.items():
            make(client, address, tag, changes)
    except (Unavailable, subprocess.CalledProcessError) as error:
        say(f"no Docker engine: {error} {getattr(error, 'stderr', '')}")
        return {}
    return {"CALLBOARD_TEST_DOCKER": address}


def started(client: str, processes: Processes, scratch: Path) -> str:
    """Starts an engine that is on no network and leaves nothing of its own on this one; returns its address."""
    server = program("dockerd", "to start an engine (on Debian and Ubuntu: apt install docker.io)")
    if os.geteuid():
        raise Unavailable("no engine answers, and only root can start one")
    address, log = f"unix://{scratch}/docker.sock", FOLDER / "docker.log"
    FOLDER.mkdir(parents=True, exist_ok=True)
    # a socket's path must be short, so what has sockets is not below target
    options = {
        "host": address,
        "data-root": FOLDER / "docker",
        "exec-root": scratch / "exec",
        "pidfile": scratch / "docker.pid",
        "iptables": "false",
    }
    command = [program("unshare", "to start Docker apart"), "--net", "--mount", server]
    command += [f"--{name}={value}" for name, value in options.items()]
    with log.open("w") as output:
        process = processes.start(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    start = time.monotonic()
    while not answers(client, address):
        if processes.stopping.is_set():
            raise InterruptedError("interrupted")
        if process.poll() is not None or time.monotonic() - start > START_LIMIT:
            raise Unavailable(f"dockerd does not start; {log} says why")
        time.sleep(0.1)
    say(f"Docker answers at {address}, after {time.monotonic() - start:.1f} s")
    return address


def answers(client: str, address: str) -> bool:
    """Tells whether an engine answers."""
    try:
        return not subprocess.run(
            [client, "--host", address, "info"], capture_output=True, timeout=START_LIMIT
        ).returncode
    except subprocess.TimeoutExpired:
        return False


def make(client: str, address: str, tag: str, changes: Sequence[str]) -> None:
    """Makes an image of busybox alone, without any registry."""
    name = f"{IMAGE}:{tag}"
    if not subprocess.run([client, "--host", address, "image", "inspect", name], capture_output=True).returncode:
        return
    busybox = program("busybox", "for the image of the tests (on Debian and Ubuntu: apt install busybox-static)")
    options = [option for change in changes for option in ("--change", change)]
    command = [client, "--host", address, "import", *options, "-", name]
    subprocess.run(command, input=archive(Path(busybox)), check=True, capture_output=True)


def archive(busybox: Path) -> bytes:
    """Makes the archive of an image's files."""
    listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(busybox.resolve(), "bin/busybox")
        for name in listed:
            if name != "busybox":
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
    return packed.getvalue()
