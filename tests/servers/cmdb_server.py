"""An HTTP server that has inventories, and trouble; and another one that must not see what the first one may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import inventories
from certificates import Certificates
from serving import NEVER, Answer, Request, RequestLog, Server, redirect

# Deeper than the stack of Ansible's reader.
DEPTH = 200_000
FILES = {
    "inventory.yaml": ("application/yaml", inventories.YAML),
    "inventory.json": ("application/json", inventories.static()),
    "list.json": ("application/json", inventories.listed()),
    "inventory.ini": ("text/plain", inventories.INI),
    "deep-flow": ("application/yaml", "all: {vars: {x: " + "[" * DEPTH + "]" * DEPTH + "}}\n"),
    "deep-block": ("application/yaml", f"all:\n  vars:\n    x:\n      {'- ' * DEPTH}x\n"),
    "deep-json": ("application/json", '{"all": {"vars": {"x": ' + '{"x": ' * DEPTH + "1" + "}" * DEPTH + "}}}\n"),
    "aliases": ("application/yaml", inventories.aliases()),
    "not-an-inventory": ("text/html", "<!doctype html><title>Log in</title><p>Please log in: {unbalanced</p>\n"),
}
CANARY = "canary-of-a-broken-server-7c1f"
LINE = b"# " + b"x" * 1021 + b"\n"
LARGE_LINES = 100 * 1024
DRIP_SECONDS = 0.2


@dataclass(frozen=True)
class CmdbSite:
    """Answers questions for inventories."""

    token: str
    other: str

    def answer(self, request: Request) -> Answer:
        """Checks the token where one is needed."""
        path = request.path.strip("/")
        if not path.startswith("private/"):
            return self.find(path)
        if not self.may(request):
            return Answer(401, b"A token is needed.\n", {"WWW-Authenticate": "Bearer"}, False)
        return replace(self.find(path.removeprefix("private/")), authorised=True)

    def may(self, request: Request) -> bool:
        """Tells whether a request has the token, in one header or the other."""
        bearer = request.headers.get("authorization") == f"Bearer {self.token}"
        return bearer or request.headers.get("x-api-key") == self.token

    def find(self, path: str) -> Answer:
        """Finds what a path names."""
        match path.split("/"):
            case [name] if name in FILES:
                return file(name)
            case ["redirect", "same"]:
                return redirect("/inventory.yaml")
            case ["redirect", "other"]:
                return redirect(f"{self.other}/inventory.yaml")
            case ["redirect", "loop"]:
                return redirect("/redirect/loop")
            case ["large"]:
                return Answer(200, large(), {"Content-Type": "application/yaml"})
            case ["drip"]:
                return Answer(200, drip(), {"Content-Type": "application/yaml"})
            case ["slow"]:
                return Answer(NEVER)
            case ["broken"]:
                return Answer(500, f"This server is broken: {CANARY}\n".encode(), {"Content-Type": "text/plain"})
        return Answer(404, b"There is no such inventory.\n")


def file(name: str) -> Answer:
    """Returns one of the files."""
    kind, text = FILES[name]
    return Answer(200, text.encode(), {"Content-Type": kind})


def large() -> Iterator[bytes]:
    """Returns an inventory after 100 MiB of comments."""
    for _line in range(LARGE_LINES // 64):
        yield LINE * 64
    yield inventories.YAML.encode()


def drip() -> Iterator[bytes]:
    """Returns a comment that never ends, letter by letter."""
    while True:
        yield b"#"
        sleep(DRIP_SECONDS)


def start(logs: Path, token: str, certificates: Certificates) -> dict[str, object]:
    """Starts the server, with TLS and without, and the other one; returns what clients must know."""
    log = RequestLog(logs / "cmdb.jsonl")
    other = Server("other", CmdbSite(token, ""), log)
    site = CmdbSite(token, other.url)
    http, https = Server("http", site, log), Server("https", site, log, certificates.context())
    return {
        "url": http.url,
        "https_url": https.url,
        "other_url": other.url,
        "token": token,
        "canary": CANARY,
        "log": str(log.path),
    }
