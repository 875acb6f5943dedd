"""A server in Galaxy's format: API version 3, as far as ``ansible-galaxy collection install`` and ``download`` go.

Below ``/private/`` the same is there for those who have the token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs

import galaxy_collections
from certificates import Certificates
from galaxy_collections import Artifact
from serving import NEVER, Answer, Request, RequestLog, Server, as_json

# Small enough for a client to need the second page.
PAGE = 2
PRIVATE = "/private"
DATE = "2026-01-01T00:00:00.000000Z"
NOT_FOUND = as_json({"errors": [{"status": "404", "code": "not_found", "title": "Not found."}]}, 404)
DENIED = as_json({"errors": [{"status": "401", "code": "not_authenticated", "title": "No valid token."}]}, 401, False)


@dataclass(frozen=True)
class GalaxySite:
    """Answers questions for collections."""

    artifacts: Sequence[Artifact]
    token: str

    def answer(self, request: Request) -> Answer:
        """Checks the token where one is needed."""
        if not request.path.startswith(f"{PRIVATE}/"):
            return self.find(request, request.path, "")
        if request.headers.get("authorization") != f"Token {self.token}":
            return DENIED
        return replace(self.find(request, request.path.removeprefix(PRIVATE), PRIVATE), authorised=True)

    def find(self, request: Request, path: str, base: str) -> Answer:
        """Finds what a path names."""
        match path.strip("/").split("/"):
            case ["api"]:
                return as_json({"available_versions": {"v3": "v3/"}, "server_version": "4.10.0"})
            case ["api", "v3", "collections", namespace, name, *rest]:
                found = [
                    one for one in self.artifacts if (one.info["namespace"], one.info["name"]) == (namespace, name)
                ]
                return Collection(found, f"{base}/api/v3/collections/{namespace}/{name}/", base).find(request, rest)
            case ["download", name]:
                return self.download(name)
            case ["broken", *_]:
                return Answer(500, b"This server is broken.\n")
            case ["slow", *_]:
                return Answer(NEVER)
        return NOT_FOUND

    def download(self, name: str) -> Answer:
        """Returns the file of an artifact."""
        found = next((one for one in self.artifacts if one.path.name == name), None)
        return Answer(200, found.path.read_bytes(), {"Content-Type": "application/gzip"}) if found else NOT_FOUND


@dataclass(frozen=True)
class Collection:
    """The versions of a collection, older ones first, and its address."""

    versions: Sequence[Artifact]
    href: str
    base: str

    def find(self, request: Request, path: Sequence[str]) -> Answer:
        """Finds what the rest of a path names."""
        if not self.versions:
            return NOT_FOUND
        match path:
            case []:
                return self.about()
            case ["versions"]:
                return self.page(request)
            case ["versions", version]:
                found = next((one for one in self.versions if one.info["version"] == version), None)
                return self.details(request, found) if found else NOT_FOUND
        return NOT_FOUND

    def about(self) -> Answer:
        """Describes the collection."""
        newest = self.versions[-1].info
        version = newest["version"]
        latest = {"version": version, "href": f"{self.href}versions/{version}/"}
        names = {"namespace": newest["namespace"], "name": newest["name"], "href": self.href, "deprecated": False}
        dates = {"created_at": DATE, "updated_at": DATE}
        return as_json({**names, **dates, "versions_url": f"{self.href}versions/", "highest_version": latest})

    def page(self, request: Request) -> Answer:
        """Lists some of the versions, newest first."""
        query = parse_qs(request.query)
        limit = min(int(query.get("limit", [str(PAGE)])[0]), PAGE)
        offset = int(query.get("offset", ["0"])[0])
        newest_first = list(reversed(self.versions))
        more = offset + limit < len(newest_first)
        links = {
            "first": f"{self.href}versions/?limit={limit}&offset=0",
            "next": f"{self.href}versions/?limit={limit}&offset={offset + limit}" if more else None,
        }
        data = [self.short(one) for one in newest_first[offset : offset + limit]]
        return as_json({"meta": {"count": len(newest_first)}, "links": links, "data": data})

    def short(self, version: Artifact) -> dict[str, object]:
        """Describes a version in a list."""
        number = version.info["version"]
        return {
            "version": number,
            "href": f"{self.href}versions/{number}/",
            "created_at": DATE,
            "updated_at": DATE,
            "requires_ansible": ">=2.15.0",
        }

    def details(self, request: Request, version: Artifact) -> Answer:
        """Describes a version and says where its file is."""
        info = version.info
        artifact = {"filename": version.path.name, "sha256": version.sha256, "size": version.path.stat().st_size}
        return as_json(
            {
                **self.short(version),
                "namespace": {"name": info["namespace"]},
                "name": info["name"],
                "collection": {"name": info["name"], "href": self.href},
                "artifact": artifact,
                "download_url": f"{request.origin}{self.base}/download/{version.path.name}",
                "metadata": {"dependencies": info["dependencies"], "authors": info["authors"]},
                "signatures": [],
            }
        )


def start(folder: Path, logs: Path, token: str, ansible_galaxy: str, certificates: Certificates) -> dict[str, object]:
    """Builds the collections and starts the server, with TLS and without; returns what clients must know."""
    (folder / "galaxy").mkdir()
    site = GalaxySite(galaxy_collections.build(ansible_galaxy, folder / "galaxy"), token)
    log = RequestLog(logs / "galaxy.jsonl")
    http, https = Server("http", site, log), Server("https", site, log, certificates.context())
    return {
        "url": f"{https.url}/",
        "private_url": f"{https.url}{PRIVATE}/",
        "http_url": f"{http.url}/",
        "http_private_url": f"{http.url}{PRIVATE}/",
        "token": token,
        "log": str(log.path),
    }
