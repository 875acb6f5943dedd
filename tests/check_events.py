"""Checks events/: each file is strict JSON, consistent in itself, and has its line in events/README.md."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

EVENTS = Path(__file__).resolve().parent.parent / "events"
LINE = re.compile(r"^\| `([\w-]+\.json)` \|", re.MULTILINE)


def main() -> int:
    """Prints every fault; returns 1 if there is one."""
    files = {path.name: path for path in EVENTS.glob("*.json")}
    lines = Counter(LINE.findall((EVENTS / "README.md").read_text()))
    faults = [f"events/README.md has {lines[name]} lines for {name}, not 1" for name in files if lines[name] != 1]
    faults += [f"events/README.md has a line for {name}, which is not there" for name in lines if name not in files]
    for name, path in sorted(files.items()):
        faults += [f"events/{name}: {fault}" for fault in check(path)]
    if not files:
        faults.append("events/ has no events")
    print("\n".join(faults) or f"{len(files)} events checked")
    return 1 if faults else 0


def check(path: Path) -> list[str]:
    """Returns what is wrong with one file."""
    try:
        event = json.loads(path.read_text(), object_pairs_hook=unique)
    except ValueError as error:
        return [str(error)]
    if "routeKey" in event:
        return http(event)
    if "httpMethod" in event:
        return rest(event)
    return [fault for record in event.get("Records", []) for fault in message(record)]


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Makes an object, unless a key is repeated."""
    repeated = [key for key, count in Counter(key for key, _value in pairs).items() if count > 1]
    if repeated:
        raise ValueError(f"repeated keys: {', '.join(repeated)}")
    return dict(pairs)


def http(event: dict[str, Any]) -> list[str]:
    """Checks an event of an HTTP API or a function's URL (payload 2.0), which says much of it twice."""
    context = event["requestContext"]
    method, _, route = event["routeKey"].rpartition(" ")
    path = filled(route, event.get("pathParameters"))
    return unequal(
        ("version", event["version"], "2.0"),
        ("requestContext.routeKey", context["routeKey"], event["routeKey"]),
        ("requestContext.http.path", context["http"]["path"], event["rawPath"]),
        ("rawPath", event["rawPath"], event["rawPath"] if route == "$default" else path),
        ("requestContext.http.method", context["http"]["method"], method or context["http"]["method"]),
        ("rawQueryString", event["rawQueryString"], urlencode(event.get("queryStringParameters", {}))),
        ("content-length", event["headers"].get("content-length", "0"), str(len(body(event)))),
    )


def rest(event: dict[str, Any]) -> list[str]:
    """Checks an event of a REST API (payload 1.0)."""
    context = event["requestContext"]
    query = event["multiValueQueryStringParameters"] or {}
    return unequal(
        ("requestContext.httpMethod", context["httpMethod"], event["httpMethod"]),
        ("requestContext.resourcePath", context["resourcePath"], event["resource"]),
        ("requestContext.path", context["path"], f"/{context['stage']}{event['path']}"),
        ("path", event["path"], filled(event["resource"], event["pathParameters"])),
        ("multiValueHeaders", event["multiValueHeaders"], {key: [value] for key, value in event["headers"].items()}),
        (
            "queryStringParameters",
            event["queryStringParameters"] or {},
            {key: last for key, [*_, last] in query.items()},
        ),
    )


def message(record: dict[str, Any]) -> list[str]:
    """Checks a message of SQS, or a change of the table with an entry of the audit log."""
    if "dynamodb" in record:
        line = record["dynamodb"]["NewImage"]["entry"]["S"]
        entry = json.loads(line, object_pairs_hook=unique)
        sha256 = entry.pop("sha256")
        text = json.dumps(entry, separators=(",", ":"), ensure_ascii=False)
        return unequal(("sha256", sha256, hashlib.sha256(text.encode()).hexdigest()))
    return unequal(("md5OfBody", record["md5OfBody"], hashlib.md5(record["body"].encode()).hexdigest()))


def filled(route: str, parameters: dict[str, str] | None) -> str:
    """Returns the path of a route with its parameters filled in."""
    for name, value in (parameters or {}).items():
        route = route.replace(f"{{{name}}}", value)
    return route


def body(event: dict[str, Any]) -> bytes:
    """Returns the body as the client sent it."""
    text = event.get("body", "").encode()
    return base64.b64decode(text, validate=True) if event["isBase64Encoded"] else text


def unequal(*pairs: tuple[str, object, object]) -> list[str]:
    """Returns a fault for each value that is not what it should be."""
    return [f"{name} is {value!r}, not {expected!r}" for name, value, expected in pairs if value != expected]


if __name__ == "__main__":
    sys.exit(main())
