"""The differences that are meant to be: known.toml lists them, and docs/fidelity.md explains each class."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIDELITY = HERE.parents[1] / "docs/fidelity.md"
FIELDS = {"target", "invocation", "kind", "class", "reason", "lines"}


@dataclass(frozen=True)
class Known:
    """A difference that is meant to be: where it occurs, and the only lines that may differ."""

    target: str
    invocation: str
    kind: str
    name: str
    reason: str
    lines: tuple[re.Pattern[str], ...]

    def applies(self, target: str, command: str, kind: str) -> bool:
        """Tells whether this is about a target, a command line and a kind of difference."""
        named = fnmatchcase(target, self.target) and fnmatchcase(kind, self.kind)
        return named and bool(re.search(self.invocation, command))

    def explains(self, line: str) -> bool:
        """Tells whether a line may differ."""
        return any(pattern.fullmatch(line) for pattern in self.lines)


def read(path: Path = HERE / "known.toml", fidelity: Path = FIDELITY) -> list[Known]:
    """Reads the list; raises ``ValueError`` for an entry that is not complete or whose class is not explained."""
    explained = set(re.findall(r"^### `([\w-]+)`", fidelity.read_text(), re.MULTILINE))
    found = []
    for entry in tomllib.loads(path.read_text())["difference"]:
        if entry.keys() != FIELDS or not entry["lines"]:
            raise ValueError(f"{path}: {entry} needs exactly {', '.join(sorted(FIELDS))}, and a line at least")
        if entry["class"] not in explained:
            raise ValueError(f"{fidelity} has no heading ### `{entry['class']}`")
        patterns = tuple(re.compile(line) for line in entry["lines"])
        where = entry["target"], entry["invocation"], entry["kind"]
        found.append(Known(*where, entry["class"], entry["reason"], patterns))
    return found


def explain(known: Iterable[Known], target: str, command: str, kind: str, changed: Iterable[str]) -> list[Known]:
    """Returns the entries that together explain every changed line; none if one is left over."""
    candidates = [entry for entry in known if entry.applies(target, command, kind)]
    used = list[Known]()
    for line in changed:
        entry = next((entry for entry in candidates if entry.explains(line)), None)
        if entry is None:
            return []
        used.append(entry)
    return list(dict.fromkeys(used))
