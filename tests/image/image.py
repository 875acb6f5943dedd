"""Finds Docker, builds the worker's image with it and takes the image apart."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = "functions/worker/Dockerfile"
START_LIMIT = 30


class Unavailable(Exception):
    """Something that the tests need is not there; the text says what to do."""


@dataclass(frozen=True)
class Image:
    """An image that was built: its id, its size, and how a container of it is started."""

    id: str
    bytes: int
    environment: list[str]
    entrypoint: list[str]
    user: str
    folder: str


def run(*arguments: str) -> str:
    """Runs docker and returns what it prints."""
    return subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextlib.contextmanager
def daemon(log: Path) -> Iterator[None]:
    """Sees to it that a daemon answers: starts dockerd if it is installed and we are root, and stops it at the end."""
    if not shutil.which("docker"):
        raise Unavailable("`docker` is not on PATH; install Docker (on Debian and Ubuntu: apt install docker.io)")
    if answers():
        yield
        return
    if not shutil.which("dockerd") or os.geteuid() != 0:
        raise Unavailable(
            "no Docker daemon answers `docker info`; start it, or run this as root with dockerd installed"
        )
    with log.open("w") as output, subprocess.Popen(["dockerd"], stdout=output, stderr=output) as process:
        try:
            deadline = time.monotonic() + START_LIMIT
            while not answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Unavailable(f"dockerd does not start; see {log}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def answers() -> bool:
    """Tells whether a Docker daemon answers."""
    return subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def build(tag: str) -> Image:
    """Builds the worker's image, unless CALLBOARD_IMAGE names one to take in its place."""
    given = os.environ.get("CALLBOARD_IMAGE")
    if not given:
        command = ["docker", "build", "--file", DOCKERFILE, "--tag", tag, *build_options(), "."]
        print("$", shlex.join(command), flush=True)
        subprocess.run(command, check=True, cwd=ROOT)
    return inspect(given or tag)


def build_options() -> list[str]:
    """Returns the options that the environment has for `docker build`."""
    options = shlex.split(os.environ.get("CALLBOARD_BUILD_OPTIONS", ""))
    for argument in ("RUST_IMAGE", "BASE_IMAGE"):
        if image := os.environ.get(f"CALLBOARD_{argument}"):
            options += ["--build-arg", f"{argument}={image}"]
    return options


def inspect(tag: str) -> Image:
    """Returns what Docker knows of an image."""
    (found,) = json.loads(run("image", "inspect", tag))
    config = found["Config"]
    return Image(
        found["Id"], found["Size"], config["Env"], config["Entrypoint"], config["User"], config["WorkingDir"] or "/"
    )


def export(image: Image, folder: Path) -> None:
    """Unpacks the root file system of an image into a new folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    container = run("create", image.id)
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as source:
            subprocess.run(["tar", "-x", "-C", str(folder)], stdin=source.stdout, check=True)
        if source.returncode:
            raise Unavailable(f"docker export ended with {source.returncode}")
    finally:
        run("rm", container)
