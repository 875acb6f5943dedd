"""What is told of a comparison: a table, a file with each difference, and a summary in JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compare import Difference
from known import Known


@dataclass(frozen=True)
class Found:
    """A difference, and the entries of known.toml that explain it."""

    difference: Difference
    known: Sequence[Known]

    @property
    def name(self) -> str:
        """Returns its classes, or its kind if nothing explains it."""
        return "+".join(sorted({entry.name for entry in self.known})) or self.difference.kind


@dataclass(frozen=True)
class Outcome:
    """What came of one target."""

    target: str
    invocations: int
    found: list[Found]
    unsteady: int
    seconds: float
    fault: str = ""
    files: dict[int, str] = field(default_factory=dict)

    @property
    def unexplained(self) -> list[Difference]:
        """Returns the differences that nobody has explained; what ``callboard run`` has nothing for is none."""
        open_ = (found.difference for found in self.found if not found.known)
        return [difference for difference in open_ if difference.kind != "unsupported"]

    @property
    def passed(self) -> bool:
        """Tells whether all is the same, or differs as it is meant to."""
        return not self.fault and not self.unexplained and self.invocations > 0

    @property
    def same(self) -> int:
        """Counts the invocations without a difference."""
        different = {found.difference.invocation for found in self.found}
        return self.invocations - len(different - {None})

    def line(self) -> str:
        """Writes a line of the table."""
        known = Counter(found.name for found in self.found if found.known)
        new = Counter(found.name for found in self.found if not found.known)
        columns = (
            self.target,
            str(self.invocations),
            str(self.same),
            counted(new),
            counted(known),
            str(self.unsteady or ""),
        )
        return f"{'| '.join(f'{text:{width}}' for text, width in zip(columns, WIDTHS, strict=True))}| {self.fault}"


WIDTHS = 32, 6, 6, 50, 40, 3
HEAD = "| ".join(
    f"{text:{width}}"
    for text, width in zip(("target", "calls", "same", "different", "known", "luck"), WIDTHS, strict=True)
)


def counted(counts: Counter[str]) -> str:
    """Writes counts as words."""
    return ", ".join(f"{count} {name}" for name, count in counts.most_common())


def write(folder: Path, outcome: Outcome) -> None:
    """Writes a file for each difference."""
    for number, found in enumerate(outcome.found):
        difference = found.difference
        which = "whole" if difference.invocation is None else f"{difference.invocation:04}"
        name = re.sub(r"\W+", "-", f"{which}-{found.name}-{number}") + ".diff"
        path = folder / outcome.target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        head = [f"# {difference.command or outcome.target}", f"# {difference.kind}: {found.name}"]
        head += [f"# {entry.reason}" for entry in found.known]
        path.write_text("\n".join([*head, *difference.lines, ""]), errors="backslashreplace")
        outcome.files[number] = str(path.relative_to(folder))


def summary(folder: Path, outcomes: Sequence[Outcome], stale: Sequence[Known]) -> None:
    """Writes table.txt and summary.json."""
    (folder / "table.txt").write_text("\n".join([HEAD, *(outcome.line() for outcome in outcomes), ""]))
    data = {"targets": list(map(described, outcomes)), "stale": [vars_of(entry) for entry in stale]}
    (folder / "summary.json").write_text(json.dumps(data, indent=1))


def described(outcome: Outcome) -> dict[str, object]:
    """Returns what the summary says of a target."""
    return {
        "target": outcome.target,
        "passed": outcome.passed,
        "invocations": outcome.invocations,
        "same": outcome.same,
        "unsteady": outcome.unsteady,
        "seconds": round(outcome.seconds, 1),
        "fault": outcome.fault,
        "differences": [
            {
                "invocation": found.difference.invocation,
                "command": found.difference.command,
                "kind": found.difference.kind,
                "classes": sorted({entry.name for entry in found.known}),
                "file": outcome.files.get(number),
            }
            for number, found in enumerate(outcome.found)
        ],
    }


def vars_of(entry: Known) -> dict[str, str]:
    """Returns what names an entry of known.toml."""
    return {"target": entry.target, "invocation": entry.invocation, "kind": entry.kind, "class": entry.name}
