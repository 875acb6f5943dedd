"""HTTP servers, with TLS or without, that log every request before they answer it."""

from __future__ import annotations

import json
import ssl
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

HANG_LIMIT = 600
# The status of an answer that never comes.
NEVER = 0


@dataclass(frozen=True)
class Request:
    """A request that was read whole."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    origin: str


@dataclass(frozen=True)
class Answer:
    """What is sent back, and what else the log says of the request."""

    status: int
    body: bytes | Iterable[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    authorised: bool | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)


class Site(Protocol):
    """Answers requests."""

    def answer(self, request: Request) -> Answer:
        """Answers one; several may be asked for at once."""


class RequestLog:
    """Lines of JSON, one for each request, written when its answer begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.Lock()
        path.touch()

    def write(self, server: str, request: Request, answer: Answer) -> None:
        """Adds a line."""
        entry = {
            "time": time.time(),
            "server": server,
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "status": answer.status or None,
            "authorised": answer.authorised,
            "headers": request.headers,
            **answer.notes,
        }
        with self.lock, self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


class Server(ThreadingHTTPServer):
    """Serves a site on a free port of 127.0.0.1, in threads that end with the process."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, name: str, site: Site, log: RequestLog, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.name = name
        self.site = site
        self.log = log
        self.scheme = "https" if tls else "http"
        self.port = int(self.server_address[1])
        if tls:
            # The handshake is left to the thread of the connection.
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Returns the address, without a slash at its end."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def url_by_name(self) -> str:
        """Returns the address with another name of this machine."""
        return f"{self.scheme}://localhost:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leaves clients alone that went away or that do not trust the certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Reads a request, has the site answer it, logs both and sends the answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: Server

    def respond(self) -> None:
        """Deals with one request."""
        request = self.read()
        answer = self.server.site.answer(request)
        self.server.log.write(self.server.name, request, answer)
        if answer.status == NEVER:
            self.close_connection = True
            time.sleep(HANG_LIMIT)
        else:
            self.send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = respond

    def read(self) -> Request:
        """Reads the body too."""
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        origin = f"{self.server.scheme}://{headers.get('host', '')}"
        return Request(self.command, parts.path, parts.query, headers, self.read_body(headers), origin)

    def read_body(self, headers: Mapping[str, str]) -> bytes:
        """Reads what the headers announce."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self.read_chunk, b""))
        return self.rfile.read(int(headers.get("content-length", "0")))

    def read_chunk(self) -> bytes:
        """Reads one chunk; the last one is empty."""
        size = int(self.rfile.readline().partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def send(self, answer: Answer) -> None:
        """Sends an answer whole, or in chunks if it comes in parts."""
        whole = answer.body if isinstance(answer.body, bytes) else None
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if whole is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        if self.command != "HEAD":
            self.send_body(answer.body)

    def send_body(self, body: bytes | Iterable[bytes]) -> None:
        """Sends a body after its headers."""
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        for part in filter(None, body):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing: the log has it."""


def as_json(value: Any, status: int = 200, authorised: bool | None = None) -> Answer:
    """Makes an answer of JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"}, authorised)


def redirect(location: str) -> Answer:
    """Makes an answer that leads elsewhere."""
    return Answer(302, b"", {"Location": location})
