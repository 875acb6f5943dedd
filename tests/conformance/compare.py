"""Compares what two runs of a target did: each invocation, and what is on the disk afterwards."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import event_lines
from normal import normal
from place import Ran

UNSEEN = {"__pycache__"}
MAX_LINES = 4000
OUTPUT = ("output", "stdout", "stderr", "streams", "order")


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same, with the lines that changed."""

    target: str
    invocation: int | None
    command: str
    kind: str
    lines: tuple[str, ...]

    @property
    def key(self) -> tuple[int | None, str]:
        """Returns what tells this difference from others of the same two runs."""
        if self.kind == "disk":
            return None, self.lines[0][1:].rpartition(" ")[0]
        return self.invocation, "output" if self.kind.startswith(OUTPUT) else self.kind

    @property
    def changed(self) -> list[str]:
        """Returns the lines that only one side has."""
        return [line for line in self.lines if line[:1] in "+-" and not line.startswith(("+++ ", "--- "))]


@dataclass(frozen=True)
class Invocation:
    """One call of ``ansible-playbook``."""

    facts: dict[str, Any] = field(repr=False)
    out: list[str] = field(repr=False)
    err: list[str] = field(repr=False)
    events: list[str] = field(repr=False)

    @property
    def command(self) -> str:
        """Returns the command line."""
        return normal(shlex.join(["ansible-playbook", *self.facts["argv"]]).encode()).decode()


def invocations(records: Path) -> list[Invocation]:
    """Reads what the shim wrote, in the order of the calls."""
    found = []
    for path in sorted(records.glob("[0-9]*.json")):
        text = path.read_text() or '{"argv": [], "code": null, "unsupported": "", "merged": false}'
        texts = lines(path.with_suffix(".out")), lines(path.with_suffix(".err"))
        found.append(Invocation(json.loads(text), *texts, event_lines.read(path.with_suffix(".events"))))
    return found


def lines(path: Path) -> list[str]:
    """Reads a file as normalised lines."""
    return normal(path.read_bytes()).decode(errors="backslashreplace").split("\n") if path.exists() else []


def compare(target: str, stock: Ran, ours: Ran) -> list[Difference]:
    """Returns everything in which the second run differs from the first."""
    whole = [*told("script", stock.code, ours.code), *disk(stock.folder, ours.folder)]
    calls = pairwise(target, stock, ours, differing)
    return [*calls, *(Difference(target, None, "", kind, tuple(changed)) for kind, changed in whole)]


def compare_events(target: str, runner: Ran, ours: Ran) -> list[Difference]:
    """Returns every field in which the events of the second run differ from ansible-runner's."""
    return pairwise(target, runner, ours, differing_events)


Pairs = Iterator[tuple[str, list[str]]]


def pairwise(
    target: str, stock: Ran, ours: Ran, compared: Callable[[Invocation, Invocation], Pairs]
) -> list[Difference]:
    """Compares each call with its counterpart."""
    found = []
    for number, pair in enumerate(zip_longest(invocations(stock.records), invocations(ours.records))):
        command = next(call.command for call in pair if call)
        found += [Difference(target, number, command, kind, tuple(lines)) for kind, lines in changes(*pair, compared)]
    return found


def changes(
    one: Invocation | None, other: Invocation | None, compared: Callable[[Invocation, Invocation], Pairs]
) -> Pairs:
    """Compares two calls, if there are two, and Callboard made the second."""
    if one is None or other is None:
        yield "missing", ["-called" if one else "+called"]
    elif other.facts["unsupported"]:
        yield "unsupported", [f"+{other.facts['unsupported']}"]
    else:
        yield from compared(one, other)


def differing(one: Invocation, other: Invocation) -> Pairs:
    """Compares command line, exit code and output of two calls."""
    yield from told("command", one.command, other.command)
    yield from told("exit", one.facts["code"], other.facts["code"])
    if one.out != other.out and one.err != other.err and sorted(one.out + one.err) == sorted(other.out + other.err):
        yield "streams", difference(one.out, other.out)
        return
    for kind, first, second in (("stdout", one.out, other.out), ("stderr", one.err, other.err)):
        if first != second:
            order = "order of " if sorted(first) == sorted(second) else ""
            yield order + ("output" if one.facts["merged"] else kind), difference(first, second)


def differing_events(one: Invocation, other: Invocation) -> Pairs:
    """Compares the events of two calls."""
    if one.events != other.events:
        yield "events", difference(one.events, other.events)


def told(kind: str, one: object, other: object) -> Pairs:
    """Compares two values."""
    if one != other:
        yield kind, [f"-{one}", f"+{other}"]


def difference(one: Sequence[str], other: Sequence[str]) -> list[str]:
    """Returns a unified diff, without its head."""
    return list(difflib.unified_diff(one, other, "ansible-playbook", "callboard run", lineterm="", n=2))[:MAX_LINES]


def disk(one: Path, other: Path) -> Pairs:
    """Compares two folders: paths, kinds and modes of files, and what is in them."""
    first, second = tree(one), tree(other)
    for path in sorted(first.keys() | second.keys()):
        before, after = first.get(path), second.get(path)
        if before != after:
            heads = [f"{sign}{path} {entry[0]}" for sign, entry in (("-", before), ("+", after)) if entry]
            if before and after and before[0] == after[0]:
                heads = [f" {path} {before[0]}"]  # only what is in it differs
            both = before and after and difference(before[1].split("\n"), after[1].split("\n"))
            yield "disk", [*heads, *(both or [])]


def tree(folder: Path) -> dict[str, tuple[str, str]]:
    """Describes every file of a folder by its normalised path."""
    found = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in UNSEEN]
        for name in (*folders, *files):
            path = Path(parent, name)
            found[normal(os.fsencode(path.relative_to(folder))).decode(errors="replace")] = describe(path)
    return found


def describe(path: Path) -> tuple[str, str]:
    """Returns the mode of a file, and its normalised contents."""
    status = path.lstat()
    mode = stat.filemode(status.st_mode)
    if path.is_symlink():
        return mode, normal(os.fsencode(path.readlink())).decode(errors="replace")
    if stat.S_ISREG(status.st_mode):
        return mode, normal(path.read_bytes()).decode(errors="backslashreplace")
    return mode, ""
