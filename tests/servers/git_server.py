"""A Git server over HTTPS: git's own ``git http-backend``, behind a door that checks tokens and keeps a log."""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import git_protocol
from certificates import Certificates
from programs import program
from serving import NEVER, Answer, Request, RequestLog, Server, redirect

USER = "callboard"
AREAS = ("public", "private", "strict")
CONFIGURATION = """[uploadpack]
    allowAnySHA1InWant = true
[safe]
    directory = *
"""
# As servers are that know neither version 2 nor wants that no reference has.
STRICT = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
    "GIT_CONFIG_VALUE_0": "false",
}
PART_BYTES = 65536


@dataclass(frozen=True)
class Folders:
    """Where repositories are, and the home whose configuration serves them."""

    repositories: Path
    home: Path


@dataclass(frozen=True)
class GitSite:
    """Serves repositories: ``/public/``, ``/private/`` with a token, ``/strict/``; and three kinds of trouble."""

    git: str
    folders: Folders
    token: str
    other: str

    def answer(self, request: Request) -> Answer:
        """Finds out what the first part of the path asks for."""
        area, _, rest = request.path.lstrip("/").partition("/")
        if area in AREAS:
            return self.serve(request, area)
        if area == "redirect":
            return redirect(f"{self.other}/{rest}" + (f"?{request.query}" if request.query else ""))
        return {"broken": Answer(500, b"This server is broken.\n"), "slow": Answer(NEVER)}.get(area, Answer(404))

    def serve(self, request: Request, area: str) -> Answer:
        """Answers a request for a repository, if it may be made."""
        notes = self.describe(request)
        authorised = self.may(request) if area == "private" else None
        if authorised is False:
            return Answer(401, b"", {"WWW-Authenticate": 'Basic realm="Callboard tests"'}, False, notes)
        status, headers, body = self.backend(request, STRICT if area == "strict" else {})
        return Answer(status, body, headers, authorised, notes)

    def may(self, request: Request) -> bool:
        """Tells whether a request has user and token."""
        expected = base64.b64encode(f"{USER}:{self.token}".encode()).decode()
        return request.headers.get("authorization") == f"Basic {expected}"

    def describe(self, request: Request) -> Mapping[str, object]:
        """Returns what the log says of a request to ``git-upload-pack``."""
        protocol = {"protocol": request.headers.get("git-protocol")}
        if request.path.endswith("/git-upload-pack"):
            return {**protocol, **git_protocol.describe(content(request))}
        return protocol

    def backend(self, request: Request, more: Mapping[str, str]) -> tuple[int, dict[str, str], Iterator[bytes]]:
        """Runs git's CGI program."""
        body = content(request)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folders.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PROJECT_ROOT": str(self.folders.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote(request.path),
            "QUERY_STRING": request.query,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
            **({} if more else {"GIT_PROTOCOL": request.headers.get("git-protocol", "")}),
            **more,
        }
        with tempfile.TemporaryFile() as file:
            file.write(body)
            file.seek(0)
            process = subprocess.Popen(
                [self.git, "http-backend"],
                env=environment,
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        output = cast(BufferedReader, process.stdout)
        headers = dict(read_headers(output))
        status = int(headers.pop("Status", "200 OK").split()[0])
        return status, headers, rest(process, output)


def content(request: Request) -> bytes:
    """Returns a body as it was before it was compressed."""
    return gzip.decompress(request.body) if request.headers.get("content-encoding") == "gzip" else request.body


def read_headers(output: BufferedReader) -> Iterator[tuple[str, str]]:
    """Reads a CGI program's headers."""
    while line := output.readline().strip():
        name, _, value = line.decode().partition(":")
        yield name.strip(), value.strip()


def rest(process: subprocess.Popen[bytes], output: BufferedReader) -> Iterator[bytes]:
    """Returns what follows the headers, as it comes."""
    try:
        while part := output.read1(PART_BYTES):
            yield part
    finally:
        process.kill()
        process.wait()
        output.close()


def prepare(folder: Path) -> Folders:
    """Makes the folders of repositories, and the home of whatever serves them."""
    folders = Folders(folder / "git", folder / "home")
    for area in AREAS:
        (folders.repositories / area).mkdir(parents=True)
    folders.home.mkdir()
    (folders.home / ".gitconfig").write_text(CONFIGURATION)
    return folders


def start(folders: Folders, logs: Path, token: str, certificates: Certificates) -> dict[str, object]:
    """Starts the server, and another one that redirects lead to; returns what clients must know."""
    git = program("git", "to serve repositories")
    log = RequestLog(logs / "git.jsonl")
    other = Server("other", GitSite(git, folders, token, ""), log, certificates.context())
    main = Server("main", GitSite(git, folders, token, other.url_by_name), log, certificates.context())
    return {
        "url": main.url,
        "other_url": other.url_by_name,
        "user": USER,
        "token": token,
        "log": str(log.path),
    }
